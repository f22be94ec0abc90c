// Detects silent links: a hanging server, dropped packets, or a half-open connection.

export interface LinkWatchdogHooks {
  /** Sends any command that gets a reply. The client reports its errors elsewhere. */
  readonly ping: () => Promise<unknown>;
  /** Called at most once, after the watchdog has stopped. */
  readonly onStale: (silentForMs: number) => void;
}

/** Milliseconds between two checks. */
const TICK_MS = 250;
/** Ticks from one ping to the next, if the reply has arrived by then. */
const PING_INTERVAL_TICKS = 2;
/** Ticks without activity while a ping is unanswered: 2.5 s, so that a dead link is reported within 3.25 s. */
const MAX_SILENT_TICKS = 10;
/** Ticks that a ping may take while messages still arrive: 10 s, because its reply follows the whole backlog. */
const MAX_PING_TICKS = 40;

/**
 * Counts ticks instead of reading the clock. While this process is paused or busy there are no ticks, and after each
 * tick the event loop reads pending input. So a slow process never makes a healthy link stale.
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

  /** Input has arrived. Called for every message, so it must stay cheap. */
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
