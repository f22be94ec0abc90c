// The price handlers of a bot: one subscription, whose handlers run in the order of their definition.

import type { Price } from '../channel/schemas/price-data.ts';
import type { PriceChannel } from '../channel/venue-channels.ts';
import { StaleDataError } from '../freshness/stale-data-error.ts';
import type { DeepReadonly, MessageOf } from '../wire/message.ts';
import type { Send } from './command-sender.ts';
import { PriceWatch, type PriceWatchOptions } from './price-watch.ts';
import { StalePrices } from './stale-prices.ts';

/** A price, with what a handler needs to act on it. */
export interface PriceEvent {
  readonly symbol: string;
  readonly price: number;
  /** The whole message: `data` has bid, ask and times; `snapshot` is true for a value from before the subscription. */
  readonly message: MessageOf<PriceChannel>;
  /** Whether the bot is paused. It still gets prices, so that averages stay right. */
  readonly isPaused: boolean;
  /**
   * The newest price of this symbol, if it is proved to be fresh when this is called, as by `requireFresh`.
   *
   * @param maxAgeMs default: that of the bot
   * @throws StaleDataError unless it is proved. A handler that lets it pass ends without an error: it does not act
   */
  fresh(maxAgeMs?: number): DeepReadonly<Price>;
  /** `send` of the bot. */
  readonly send: Send;
}

/** A promise is awaited before the next price. Meanwhile only the newest price of each symbol waits. */
export type PriceHandler = (event: PriceEvent) => unknown;

export interface PriceHandlersOptions extends PriceWatchOptions {
  readonly isPaused: () => boolean;
  readonly send: Send;
}

export class PriceHandlers {
  readonly #options: PriceHandlersOptions;
  readonly #stale: StalePrices;
  readonly #watch: PriceWatch;
  readonly #handlers: PriceHandler[] = [];

  constructor(options: PriceHandlersOptions) {
    const { bot, clock, logger } = options;
    this.#options = options;
    this.#watch = new PriceWatch(options);
    this.#stale = new StalePrices(bot, clock, logger, this.#watch);
  }

  get staleCount(): number {
    return this.#stale.count;
  }

  /** Why prices are not fresh, for the status. */
  get trouble(): string | undefined {
    return this.#watch.trouble;
  }

  get channel(): PriceChannel {
    return this.#options.channel;
  }

  /** The instruments; undefined: all. */
  get keys(): readonly string[] | undefined {
    return this.#options.keys;
  }

  /** The first handler subscribes. Returns true for it. */
  add(handler: PriceHandler): boolean {
    if (this.#handlers.push(handler) > 1) return false;
    const { subscriber, channel, keys, maxAgeMs } = this.#options;
    subscriber.subscribe(channel, (message) => this.#handle(message), { keys, maxAgeMs });
    return true;
  }

  /** Without a handler, the bot uses no prices. */
  start(): void {
    if (this.#handlers.length > 0) this.#watch.start();
  }

  close(): void {
    this.#watch.close();
  }

  /** Returns a promise only if a handler does, so that a fast handler handles many prices in one turn. */
  #handle(message: MessageOf<PriceChannel>): unknown {
    const event = this.#eventOf(message);
    let pending: Promise<unknown> | undefined;
    for (const handler of this.#handlers) {
      if (pending !== undefined) pending = pending.then(() => runHandler(handler, event));
      else pending = runHandler(handler, event);
    }
    return pending;
  }

  #eventOf(message: MessageOf<PriceChannel>): PriceEvent {
    const { subscriber, channel, send } = this.#options;
    const { symbol, price } = message.data;
    this.#watch.lastSymbol = symbol;
    let wasStale = false;
    const fresh = (maxAgeMs = this.#options.maxAgeMs) => {
      try {
        const { data } = subscriber.requireFresh(channel, symbol, { maxAgeMs });
        this.#stale.recordFresh(symbol);
        return data;
      } catch (error) {
        if (error instanceof StaleDataError) this.#stale.recordStale(error, !wasStale);
        wasStale = true;
        throw error;
      }
    };
    return { symbol, price, message, isPaused: this.#options.isPaused(), fresh, send };
  }
}

/** A price that is not fresh is no fault of the handler. */
function runHandler(handler: PriceHandler, event: PriceEvent): Promise<unknown> | undefined {
  try {
    const result = handler(event);
    if (!(result instanceof Promise)) return undefined;
    return result.catch(ignoreStale);
  } catch (error) {
    ignoreStale(error);
    return undefined;
  }
}

function ignoreStale(error: unknown): void {
  if (!(error instanceof StaleDataError)) throw error;
}
