// When `sub` and `record` stop: after --count messages, at --timeout, or on a signal.

import type { Command } from 'commander';
import { TimedOut } from './exit.ts';
import { count, duration } from './option-parsers.ts';
import { after, unlessAborted } from './waiting.ts';

export interface StopOptions {
  readonly count?: number;
  readonly timeout?: number;
}

export function addStopOptions(command: Command): Command {
  return command
    .option('-n, --count <n>', 'stop after n messages', count)
    .option(
      '-t, --timeout <time>',
      'stop after this time; exit code 124 if no message, or fewer than --count, arrived',
      duration,
    );
}

export class StopCondition {
  readonly #options: StopOptions;
  readonly #filled: Promise<void>;
  #onFilled: () => void = () => {};
  #taken = 0;

  constructor(options: StopOptions) {
    this.#options = options;
    this.#filled = new Promise((resolve) => {
      this.#onFilled = resolve;
    });
  }

  get taken(): number {
    return this.#taken;
  }

  /** Whether --count is reached. */
  get isFilled(): boolean {
    return this.#taken === this.#options.count;
  }

  /** Counts one message. */
  take(): void {
    this.#taken++;
    if (this.isFilled) this.#onFilled();
  }

  /**
   * Waits for --count, --timeout or the signal.
   *
   * @throws TimedOut if too few messages arrived; the signal's reason; the first rejection of `failures`
   */
  async reached(signal: AbortSignal, failures: readonly Promise<never>[]): Promise<void> {
    const { count: wanted, timeout } = this.#options;
    const { passed, cancel } = after(timeout);
    const timedOut = passed.then(() => {
      if (this.#taken === 0) throw new TimedOut('No message arrived in time.');
      if (wanted !== undefined)
        throw new TimedOut(`Only ${this.#taken} of ${wanted} messages arrived in time.`);
    });
    try {
      await unlessAborted(Promise.race([this.#filled, timedOut, ...failures]), signal);
    } finally {
      cancel();
    }
  }
}
