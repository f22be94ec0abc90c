// Reads the symbols that subscribers request from Redis, and reports why they are not all served.

import { type PriceChannel, TickbusError } from 'tickbus';
import type { RedisPublisher } from 'tickbus/publisher';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import type { SymbolDemand } from './symbol-demand.ts';

export interface DemandReaderOptions {
  readonly publisher: RedisPublisher;
  readonly channel: PriceChannel;
  /** Updated by each `read`. */
  readonly demand: SymbolDemand;
  readonly warnings: RateLimitedLog;
}

export class DemandReader {
  readonly #options: DemandReaderOptions;

  constructor(options: DemandReaderOptions) {
    this.#options = options;
  }

  /** If Redis cannot be read, the previous demand stays in effect. Never rejects. */
  async read(): Promise<void> {
    const { publisher, channel, demand, warnings } = this.#options;
    try {
      const wanted = await publisher.wanted(channel);
      demand.update(wanted.keys(), performance.now());
      const { problem, leftOut } = demand;
      if (problem !== undefined) warnings.warn('demand limit', { leftOut }, problem);
    } catch (error) {
      if (error instanceof TickbusError && error.code === 'TICKBUS_LIMIT_EXCEEDED')
        demand.problem = error.message;
      const text = 'Cannot read symbol demand; keeping the previous set.';
      warnings.warn('demand', { reason: String(error) }, text);
    }
  }
}
