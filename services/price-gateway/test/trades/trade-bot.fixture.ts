// A bot that requests instruments on TRADES and keeps all messages, in order, with the gaps that it reports. It also
// keeps the times of the prices on PRICE_DATA.

import type { MessageOf, Price, TradeChannel } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { ReceivedValues, SILENT } from '../gateway.fixture.ts';

type TradesMessage = MessageOf<TradeChannel>;

export class TradeBot implements AsyncDisposable {
  readonly messages = new ReceivedValues<TradesMessage>();
  /** The causes of reported gaps. */
  readonly gaps = new ReceivedValues<string>();
  /** The `trade_time` of each message on PRICE_DATA, of all instruments. */
  readonly priceTimes: number[] = [];
  readonly #subscriber: RedisSubscriber;

  private constructor(url: string) {
    this.#subscriber = new RedisSubscriber({ url, logger: SILENT });
    this.#subscriber.on('gap', ({ channel, cause }) => {
      if (channel === CHANNELS.TRADES.name) this.gaps.add(cause);
    });
    this.#subscriber.tap(CHANNELS.TRADES, ({ message }) => this.messages.add(message as TradesMessage));
    this.#subscriber.tap(CHANNELS.PRICE_DATA, ({ message }) => {
      this.priceTimes.push((message.data as Price).trade_time ?? 0);
    });
  }

  static async start(url: string, keys: readonly string[]): Promise<TradeBot> {
    const bot = new TradeBot(url);
    if (keys.length > 0) bot.#subscriber.subscribe(CHANNELS.TRADES, () => {}, { keys });
    await bot.#subscriber.startListening();
    return bot;
  }

  of<T extends TradesMessage['message_type']>(type: T) {
    return this.messages.all.flatMap((message) =>
      message.message_type === type
        ? [message.data as Extract<TradesMessage, { message_type: T }>['data']]
        : [],
    );
  }

  /** The prices of the trades, in the order of arrival. */
  get prices(): readonly number[] {
    return this.of('trade').map(({ price }) => price);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#subscriber.close();
  }
}
