// When `sub` and `record` stop: after --count messages, at --timeout, or on a signal.

import type { Command } from 'commander';
import { TimedOut } from './exit.ts';
import { count as countOption, duration } from './option-parsers.ts';
import { after, unlessAborted } from './waiting.ts';

export interface StopOptions {
  readonly count?: number;
  readonly timeout?: number;
}

export function addStopOptions(command: Command): Command {
  return command
    .option('-n, --count <n>', 'stop after n messages', countOption)
    .option(
      '-t, --timeout <time>',
      'stop after this time; exit code 124 if no message, or fewer than --count, arrived',
      duration,
    );
}

export class StopCondition {
  readonly #options: StopOptions;
  readonly #countReached: Promise<void>;
  #onCountReached: () => void = () => {};
  #counted = 0;

  constructor(options: StopOptions) {
    this.#options = options;
    this.#countReached = new Promise((resolve) => {
      this.#onCountReached = resolve;
    });
  }

  get counted(): number {
    return this.#counted;
  }

  /** Whether --count is reached. */
  get isCountReached(): boolean {
    return this.#counted === this.#options.count;
  }

  /** Counts one message. */
  count(): void {
    this.#counted++;
    if (this.isCountReached) this.#onCountReached();
  }

  /**
   * Waits for --count, --timeout or the signal.
   *
   * @throws TimedOut if too few messages arrived; the signal's reason; the first rejection of `failures`
   */
  async wait(signal: AbortSignal, failures: readonly Promise<never>[]): Promise<void> {
    const { count, timeout } = this.#options;
    const { elapsed, cancel } = after(timeout);
    const timedOut = elapsed.then(() => {
      if (this.#counted === 0) throw new TimedOut('No message arrived in time.');
      if (count !== undefined)
        throw new TimedOut(`Only ${this.#counted} of ${count} messages arrived in time.`);
    });
    try {
      await unlessAborted(Promise.race([this.#countReached, timedOut, ...failures]), signal);
    } finally {
      cancel();
    }
  }
}
