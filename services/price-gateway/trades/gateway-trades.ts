// The trades of a gateway: which are requested, and who publishes them in the current session.

import type { TradeChannel } from 'tickbus';
import { tradeChannel, venueOf } from 'tickbus/constants';
import { SymbolDemand } from '../demand/symbol-demand.ts';
import type { CompleteOptions } from '../gateway-options.ts';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import { SessionTrades } from './session-trades.ts';
import type { TradeCounts } from './trade-counts.ts';

export class GatewayTrades {
  /** TRADES, or that of the venue that the channel of the prices names. */
  readonly channel: TradeChannel;
  /** The instruments whose trades are published. */
  readonly demand: SymbolDemand;
  readonly #options: CompleteOptions;
  readonly #counts: TradeCounts;
  readonly #warnings: RateLimitedLog;
  #session: SessionTrades | undefined;

  constructor(options: CompleteOptions, counts: TradeCounts, warnings: RateLimitedLog) {
    this.channel = tradeChannel(venueOf(options.channel.name));
    this.#options = options;
    this.#counts = counts;
    this.#warnings = warnings;
    this.demand = new SymbolDemand({
      always: options.trades === 'all' ? ['*'] : [],
      graceMs: options.symbolGraceMs,
      limit: options.demandLimit,
    });
  }

  /** Whether bots decide whose trades are published. */
  get areRequested(): boolean {
    return this.#options.trades === 'requested';
  }

  /** The number of trades that wait to be published. */
  get waiting(): number {
    return this.#session?.waiting ?? 0;
  }

  /** Why trades cannot be published now. */
  get problem(): string | undefined {
    return this.#session?.problem;
  }

  /** Called for each session of the feed. Undefined if no trades are published. */
  newSession(venue: string | undefined): SessionTrades | undefined {
    if (this.#options.trades === 'off') return undefined;
    this.#session = new SessionTrades({
      ...this.#options,
      channel: this.channel,
      venue,
      demand: this.demand,
      counts: this.#counts,
      warnings: this.#warnings,
    });
    return this.#session;
  }
}
