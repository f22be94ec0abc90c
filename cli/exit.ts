// Exit codes, and the errors that map to them.

/** Exit codes as in `man sysexits`, `timeout(1)` and the shell. `check` uses the exit codes of Nagios. */
export const EXIT = { ok: 0, failure: 1, stale: 3, usage: 64, timeout: 124, interrupted: 130 } as const;

/** Invalid command line. The message names the valid form. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The awaited message or answer did not arrive in time. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut';
}

/** The process received a termination signal. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  /** 130 after Ctrl-C, 143 after SIGTERM. */
  readonly exitCode: number;

  constructor(exitCode: number = EXIT.interrupted) {
    super('Interrupted.');
    this.exitCode = exitCode;
  }
}

/** The exit code of an error that a verb threw. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return error.exitCode;
  if (error instanceof TimedOut) return EXIT.timeout;
  if (error instanceof UsageError || codeOf(error) === 'TICKBUS_INVALID_OPTION') return EXIT.usage;
  return EXIT.failure;
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code;
}
