// Test harness of the bots: an in-memory server, a publisher of prices and commands, and everything the bots publish.

import { silentLogger } from '@tickbus/test-kit';
import type { BotStatus, CommandResult, InstrumentStatus, MessageOf, Price, PriceChannel } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { MemoryConnection } from 'tickbus/testing';
import { vi } from 'vitest';

type Command = MessageOf<typeof CHANNELS.TRADE_COMMANDS>;

/** Publishes prices and commands, and collects the messages of the bots. */
export class BotHarness {
  readonly #own = new MemoryConnection();
  readonly #publisher = new RedisPublisher({ connection: this.#own, sender: 'test', logger: silentLogger });
  readonly #subscriber = new RedisSubscriber({ connection: this.#own, logger: silentLogger });
  /** Every command, in order. */
  readonly commands: Command[] = [];
  /** Every status, in order. */
  readonly statuses: BotStatus[] = [];
  /** Every command result, in order. */
  readonly results: CommandResult[] = [];

  static async open(): Promise<BotHarness> {
    const harness = new BotHarness();
    harness.#subscriber.subscribe(CHANNELS.TRADE_COMMANDS, (message) => harness.commands.push(message));
    harness.#subscriber.subscribe(CHANNELS.BOT_STATUS, ({ data }) => harness.statuses.push(data));
    harness.#subscriber.subscribe(CHANNELS.COMMAND_RESULTS, ({ data }) => harness.results.push(data));
    await harness.#subscriber.startListening();
    return harness;
  }

  /** Creates the connection of one bot. */
  connect(): MemoryConnection {
    return new MemoryConnection({ server: this.#own.server });
  }

  async publishPrice(
    price: number,
    timestamp = 0,
    symbol = 'AAPL',
    channel: PriceChannel = CHANNELS.PRICE_DATA,
    cause: Price['cause'] = 'trade',
  ): Promise<void> {
    await this.#publisher.publish(channel, { symbol, price, timestamp, cause });
  }

  /** Publishes what a gateway says about an instrument, and that its feed is live. */
  async publishInstrument(status: Omit<InstrumentStatus, 'feed' | 'symbol'>, symbol = 'AAPL'): Promise<void> {
    await this.#publisher.publish(CHANNELS.INSTRUMENT_STATUS, { symbol, feed: 'sim', ...status });
    const live = { feed: 'sim', state: 'live', interval_ms: 600_000, reports_instruments: true } as const;
    await this.#publisher.publish(CHANNELS.FEED_STATUS, live);
  }

  async placeOrder(
    bot: string,
    side: 'buy' | 'sell',
    quantity: number,
    more: { limit_price?: number; symbol?: string } = {},
  ) {
    const order = { bot, symbol: 'AAPL', side, quantity, ...more };
    await this.#publisher.publish(CHANNELS.TRADE_COMMANDS, order, { type: 'place_order' });
  }

  async sendCommand(type: 'pause' | 'resume' | 'cancel_all', bot: string): Promise<void> {
    await this.#publisher.publish(
      CHANNELS.TRADE_COMMANDS,
      { bot, reason: 'Paused by the operator.' },
      { type },
    );
  }

  async publishStatus(status: BotStatus): Promise<void> {
    await this.#publisher.publish(CHANNELS.BOT_STATUS, status);
  }

  /** Publishes a message unchanged, like a plain client. */
  async publishRaw(message: object): Promise<void> {
    await this.#own.publishing.connect();
    await this.#own.publishing.publish(CHANNELS.TRADE_COMMANDS, [{ json: JSON.stringify(message) }]);
  }

  /** Returns the newest status of a bot. */
  latestStatus(bot: string): BotStatus | undefined {
    return this.statuses.findLast((status) => status.bot === bot);
  }

  async close(): Promise<void> {
    await this.#subscriber.close();
    await this.#publisher.close();
    await this.#own.close();
  }
}

/** Waits until `check` no longer throws. The timeout only limits how long a failing test waits. */
export function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 50_000, interval: 5 });
}
