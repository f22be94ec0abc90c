// Notices that a link has gone silent: a server that hangs, packets that are dropped, a connection that only we still believe in.

export interface LinkWatchdogHooks {
  /** Asks the server for any reply; what it rejects with is told by the client itself. */
  readonly ping: () => Promise<unknown>;
  /** Called once; the watchdog has stopped then. */
  readonly onStale: (silentForMs: number) => void;
}

/** Milliseconds between two looks. */
const TICK_MS = 250;
/** Ticks from one answered ping to the next. */
const PING_INTERVAL_TICKS = 2;
/** Ticks without any sign of life while a ping waits: 2.5 s, so that a dead link is told within 3.25 s at the most. */
const MAX_SILENT_TICKS = 10;
/** Ticks that a ping may wait while messages still come in: 10 s, because its reply stands behind all of a backlog. */
const MAX_PING_TICKS = 40;

/**
 * Time is counted in ticks and not by the clock: while this process is paused or busy, no tick goes by, and after each one
 * the event loop reads what has arrived. So a link is never blamed for what its own process did not read.
 */
export class LinkWatchdog {
  readonly #hooks: LinkWatchdogHooks;
  #timer: NodeJS.Timeout | undefined;
  #isWaiting = false;
  #sincePing = 0;
  #silent = 0;
  #lastActivityAt = performance.now();

  constructor(hooks: LinkWatchdogHooks) {
    this.#hooks = hooks;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** A sign of life: something came in. Called with every message, so it does next to nothing. */
  recordActivity(): void {
    this.#silent = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    if (this.#silent === 0) this.#lastActivityAt = performance.now();
    this.#sincePing++;
    if (!this.#isWaiting) {
      if (this.#sincePing >= PING_INTERVAL_TICKS) this.#ping();
    } else if (++this.#silent > MAX_SILENT_TICKS || this.#sincePing > MAX_PING_TICKS) {
      this.stop();
      this.#hooks.onStale(Math.round(performance.now() - this.#lastActivityAt));
    }
  }

  #ping(): void {
    this.#isWaiting = true;
    this.#sincePing = 0;
    this.#silent = 0;
    this.#hooks.ping().then(
      () => {
        this.#isWaiting = false;
        this.recordActivity();
      },
      () => {},
    );
  }
}
