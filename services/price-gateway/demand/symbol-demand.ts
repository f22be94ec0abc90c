// The symbols to request from the broker: those of the settings, and those that bots request or requested recently.

export interface SymbolDemandOptions {
  /** Symbols to request even if no bot requests them. */
  readonly always: readonly string[];
  /** Milliseconds for which a symbol stays requested after no bot requests it any more. */
  readonly graceMs: number;
}

/** Tracks the symbols that bots request. Times are milliseconds of a monotonic clock. */
export class SymbolDemand {
  readonly #options: SymbolDemandOptions;
  /** Time of the latest request for each symbol; the entries are in the order of the first requests. */
  readonly #lastRequestedAt = new Map<string, number>();
  #now = 0;

  constructor(options: SymbolDemandOptions) {
    this.#options = options;
  }

  /** Records the symbols that bots request now. `*` is ignored: only the settings can request all symbols. */
  update(demand: Iterable<string>, now: number): void {
    this.#now = now;
    for (const symbol of demand) if (symbol !== '*') this.#lastRequestedAt.set(symbol, now);
    for (const [symbol, at] of this.#lastRequestedAt)
      if (now - at >= this.#options.graceMs && at !== now) this.#lastRequestedAt.delete(symbol);
  }

  /**
   * All requested symbols by priority: those of the settings, those that bots request now in the order of the first
   * request, and those in their grace period. `['*']` if the settings request all symbols.
   */
  list(): readonly string[] {
    const { always } = this.#options;
    if (always.includes('*')) return ['*'];
    const requested = [...this.#lastRequestedAt];
    const current = requested.filter(([, at]) => at === this.#now);
    const leaving = requested.filter(([, at]) => at !== this.#now);
    return [...new Set([...always, ...[...current, ...leaving].map(([symbol]) => symbol)])];
  }

  /** Symbols that bots request, or requested within the grace period. */
  requestedByBots(): Iterable<string> {
    return this.#lastRequestedAt.keys();
  }
}
