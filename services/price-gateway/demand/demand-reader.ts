// Reads from Redis which instruments bots request: on the channel of prices and on that of trades.

import { type Channel, TickbusError } from 'tickbus';
import type { RedisPublisher } from 'tickbus/publisher';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import type { SymbolDemand } from './symbol-demand.ts';

export interface DemandReaderOptions {
  readonly publisher: RedisPublisher;
  readonly channel: Channel;
  /** What to request from the broker: what bots request on either channel. */
  readonly demand: SymbolDemand;
  /** The instruments whose trades are published. Their channel is read if `areRequested`. */
  readonly trades: {
    readonly channel: Channel;
    readonly demand: SymbolDemand;
    readonly areRequested: boolean;
  };
  readonly warnings: RateLimitedLog;
}

export class DemandReader {
  readonly #options: DemandReaderOptions;
  /** The last known requests for trades. */
  #ofTrades: readonly string[] = [];

  constructor(options: DemandReaderOptions) {
    this.#options = options;
  }

  /** If a channel cannot be read, its previous demand stays in effect. Never rejects. */
  async read(): Promise<void> {
    const { channel, trades, demand, warnings } = this.#options;
    const [ofPrices, ofTrades] = await Promise.all([
      this.#requestsOf(channel),
      trades.areRequested ? this.#requestsOf(trades.channel) : undefined,
    ]);
    const now = performance.now();
    if (ofTrades !== undefined) {
      this.#ofTrades = ofTrades;
      trades.demand.update(ofTrades, now);
    }
    if (ofPrices === undefined) return;
    demand.update(new Set([...ofPrices, ...this.#ofTrades]), now);
    const { problem, leftOut } = demand;
    if (problem !== undefined) warnings.warn('demand limit', { leftOut }, problem);
  }

  async #requestsOf(channel: Channel): Promise<readonly string[] | undefined> {
    const { publisher, demand, warnings } = this.#options;
    try {
      return [...(await publisher.wanted(channel)).keys()];
    } catch (error) {
      if (
        channel === this.#options.channel &&
        error instanceof TickbusError &&
        error.code === 'TICKBUS_LIMIT_EXCEEDED'
      )
        demand.problem = error.message;
      const text = `Cannot read symbol demand on ${channel}; keeping the previous set.`;
      warnings.warn(`demand ${channel}`, { reason: String(error) }, text);
      return undefined;
    }
  }
}
