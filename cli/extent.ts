// How far `sub` and `record` go: --count messages, --timeout, or the signal to end.

import type { Command } from 'commander';
import { TimedOut } from './exit.ts';
import { count, duration } from './options.ts';
import { after, unlessAborted } from './waiting.ts';

export interface ExtentOptions {
  readonly count?: number;
  readonly timeout?: number;
}

export function addExtentOptions(command: Command): Command {
  return command
    .option('-n, --count <n>', 'end after so many messages', count)
    .option(
      '-t, --timeout <time>',
      'end after this time; exit code 124 when nothing, or not all of --count, came',
      duration,
    );
}

export class Extent {
  readonly #options: ExtentOptions;
  readonly #filled: Promise<void>;
  #onFilled: () => void = () => {};
  #taken = 0;

  constructor(options: ExtentOptions) {
    this.#options = options;
    this.#filled = new Promise((resolve) => {
      this.#onFilled = resolve;
    });
  }

  get taken(): number {
    return this.#taken;
  }

  /** No more are wanted. */
  get isFilled(): boolean {
    return this.#taken === this.#options.count;
  }

  /** One more has come. */
  take(): void {
    this.#taken++;
    if (this.isFilled) this.#onFilled();
  }

  /**
   * Waits for the end.
   *
   * @throws TimedOut when too little came in time; the signal's reason; what one of `failures` rejects with
   */
  async reached(signal: AbortSignal, failures: readonly Promise<never>[]): Promise<void> {
    const { count: wanted, timeout } = this.#options;
    const { passed, cancel } = after(timeout);
    const timedOut = passed.then(() => {
      if (this.#taken === 0) throw new TimedOut('No message came in time.');
      if (wanted !== undefined) throw new TimedOut(`Only ${this.#taken} of ${wanted} messages came in time.`);
    });
    try {
      await unlessAborted(Promise.race([this.#filled, timedOut, ...failures]), signal);
    } finally {
      cancel();
    }
  }
}
