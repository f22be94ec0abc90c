// The symbols to request from the broker: those of the settings, and those that bots request or requested recently.

export interface SymbolDemandOptions {
  /** Symbols to request even if no bot requests them. */
  readonly always: readonly string[];
  /** Milliseconds for which a symbol stays requested after no bot requests it any more. */
  readonly graceMs: number;
  /** Maximum number of symbols that bots request, including those in their grace period. */
  readonly limit: number;
}

/** Tracks the symbols that bots request. Times are milliseconds of a monotonic clock. */
export class SymbolDemand {
  readonly #options: SymbolDemandOptions;
  /** Time of the latest request for each symbol; the entries are in the order of the first requests. */
  readonly #lastRequestedAt = new Map<string, number>();
  #now = 0;
  #leftOut = 0;
  #version = 0;
  /** Why requested symbols are left out, as sentences for the operator; undefined if none are. */
  problem: string | undefined;

  constructor(options: SymbolDemandOptions) {
    this.#options = options;
  }

  /** Increases whenever the result of `list` or `requestedByBots` may have changed. */
  get version(): number {
    return this.#version;
  }

  /** True if the settings request all symbols. */
  get includesAll(): boolean {
    return this.#options.always.includes('*');
  }

  /** The number of symbols that bots request beyond the limit. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /**
   * Records the symbols that bots request now. `*` is ignored: only the settings can request all symbols. At the limit,
   * symbols that were requested before stay, and new ones are left out, so no bot can displace the symbols of others.
   */
  update(demand: Iterable<string>, now: number): void {
    const { graceMs, limit } = this.#options;
    const before = this.#now;
    this.#now = now;
    this.#leftOut = 0;
    const added: string[] = [];
    let hasChanged = false;
    for (const symbol of demand) {
      const at = this.#lastRequestedAt.get(symbol);
      if (at !== undefined) {
        hasChanged ||= at !== before;
        this.#lastRequestedAt.set(symbol, now);
      } else if (symbol !== '*') added.push(symbol);
    }
    for (const [symbol, at] of this.#lastRequestedAt) {
      hasChanged ||= at === before && at !== now;
      if (now - at < graceMs || at === now) continue;
      this.#lastRequestedAt.delete(symbol);
      hasChanged = true;
    }
    for (const symbol of added) {
      if (this.#lastRequestedAt.size >= limit) this.#leftOut++;
      else this.#lastRequestedAt.set(symbol, now);
    }
    if (hasChanged || added.length > this.#leftOut) this.#version++;
    this.problem = this.#leftOut === 0 ? undefined : tooManySymbols(this.#leftOut, limit);
  }

  /**
   * All requested symbols by priority: those of the settings, those that bots request now in the order of the first
   * request, and those in their grace period. `['*']` if the settings request all symbols.
   */
  list(): readonly string[] {
    const { always } = this.#options;
    if (this.includesAll) return ['*'];
    const requested = [...this.#lastRequestedAt];
    const current = requested.filter(([, at]) => at === this.#now);
    const leaving = requested.filter(([, at]) => at !== this.#now);
    return [...new Set([...always, ...[...current, ...leaving].map(([symbol]) => symbol)])];
  }

  /** Whether `list` has the symbol, or all symbols. */
  has(symbol: string): boolean {
    return this.includesAll || this.#lastRequestedAt.has(symbol) || this.#options.always.includes(symbol);
  }

  /** Symbols that bots request, or requested within the grace period. */
  requestedByBots(): Iterable<string> {
    return this.#lastRequestedAt.keys();
  }
}

function tooManySymbols(leftOut: number, limit: number): string {
  return (
    `Bots request ${leftOut} symbols more than the limit of ${limit}, and these are not served. ` +
    'Symbols that were requested earlier are still served. Find the bot that requests so many.'
  );
}
