// Which instruments to ask the broker for: those of the settings, and those that bots ask for or did until a moment ago.

export interface SymbolDemandOptions {
  /** Asked for whether or not a bot does. */
  readonly always: readonly string[];
  /** Milliseconds an instrument stays after the last bot that asked for it has gone. */
  readonly graceMs: number;
}

/** Bots come and go, and so do their instruments; times are milliseconds of a monotonic clock. */
export class SymbolDemand {
  readonly #options: SymbolDemandOptions;
  /** When each was last asked for, the ones first asked for first. */
  readonly #lastRequestedAt = new Map<string, number>();
  #now = 0;

  constructor(options: SymbolDemandOptions) {
    this.#options = options;
  }

  /** What bots ask for now. None of them can ask for everything. */
  update(demand: Iterable<string>, now: number): void {
    this.#now = now;
    for (const symbol of demand) if (symbol !== '*') this.#lastRequestedAt.set(symbol, now);
    for (const [symbol, at] of this.#lastRequestedAt)
      if (now - at >= this.#options.graceMs && at !== now) this.#lastRequestedAt.delete(symbol);
  }

  /**
   * The most important first, where not all can be had: those of the settings, then by who came first, and last those
   * that nobody asks for any more. `*` is all there are, so that nothing else need be asked for.
   */
  list(): readonly string[] {
    const { always } = this.#options;
    if (always.includes('*')) return ['*'];
    const asked = [...this.#lastRequestedAt];
    const current = asked.filter(([, at]) => at === this.#now);
    const leaving = asked.filter(([, at]) => at !== this.#now);
    return [...new Set([...always, ...[...current, ...leaving].map(([symbol]) => symbol)])];
  }

  /** What bots ask for, or did until a moment ago. */
  requestedByBots(): Iterable<string> {
    return this.#lastRequestedAt.keys();
  }
}
