// A desk for the tests of namespaces: publisher, subscriber, leases and taps of every channel, in one namespace.

import { EventRecorder, silentLogger as logger } from '@tickbus/test-kit';
import type { Channel } from '../../channel/channel.ts';
import { CHANNELS } from '../../constants.ts';
import { RedisLease } from '../../lease.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import type { Connection } from '../../transport/port.ts';
import { ALERTS, CHAT, COMMANDS, FILLS, PRICES } from '../channels.fixture.ts';

const {
  PRICE_DATA,
  TRADES,
  BARS,
  FEED_STATUS,
  INSTRUMENT_STATUS,
  BOT_STATUS,
  TRADE_COMMANDS,
  COMMAND_RESULTS,
  AUDIT,
  PRESENCE,
} = CHANNELS;
const PRESENT = {
  name: 'b',
  instance: '1',
  state: 'joined',
  since: 1,
  subscribes: [],
  publishes: [],
  host: 'h',
  pid: 1,
  revision: 1,
} as const;
/** Every kind of channel. */
export const ALL: readonly Channel[] = [...Object.values(CHANNELS), PRICES, FILLS, ALERTS, COMMANDS, CHAT];

const BAR = {
  symbol: 'A',
  interval: '1m',
  start: 0,
  end: 60_000,
  open: 1,
  high: 1,
  low: 1,
  close: 1,
  volume: 1,
  trades: 1,
  complete: true,
  revision: 0,
};

interface Seen {
  readonly channel: string;
  readonly sender: string;
}

/** All desks use the same names of channels, symbols, bots, jobs and command ids. */
export class NamespaceDesk {
  readonly sender: string;
  /** All messages but last values that were read. */
  readonly seen = new EventRecorder<Seen>();
  /** The senders of all messages, last values included. */
  readonly senders = new Set<string>();
  readonly subscriber: RedisSubscriber;
  readonly publisher: RedisPublisher;
  readonly lease: RedisLease;
  readonly job: RedisLease;
  readonly #gateway: RedisPublisher;
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.sender = `desk-${connection.namespace ?? 'without'}`;
    const { sender } = this;
    this.subscriber = new RedisSubscriber({ connection, logger });
    this.publisher = new RedisPublisher({ connection, sender, logger });
    this.lease = new RedisLease({ channel: PRICE_DATA, connection, ttlMs: 2_000, logger });
    this.job = new RedisLease({ name: 'report', connection, ttlMs: 2_000, logger });
    this.#gateway = new RedisPublisher({ connection, sender, lease: this.lease, logger });
    for (const channel of ALL)
      this.subscriber.tap(channel, ({ message, delivery }) => {
        this.senders.add(message.sender);
        if (delivery !== 'snapshot') this.seen.add({ channel: channel.name, sender: message.sender });
      });
  }

  /** Resolves when it listens, and holds both leases. */
  async start(): Promise<void> {
    await Promise.all([this.subscriber.startListening(), this.publisher.connect(), this.#gateway.connect()]);
    await Promise.all([gained(this.lease), gained(this.job)]);
  }

  /** Publishes one message on every channel. */
  async publishAll(round: number): Promise<void> {
    const { publisher } = this;
    const timestamp = round;
    const result = { command_id: 'c', bot: 'b', action: 'pause', outcome: 'done', by: 'b' } as const;
    await Promise.all([
      this.publishPrice(round),
      publisher.publish(TRADES, { symbol: 'A', price: round, size: 1, timestamp }),
      publisher.publish(BARS, BAR),
      publisher.publish(INSTRUMENT_STATUS, { symbol: 'A', feed: 'f', state: 'subscribed' }),
      publisher.publish(BOT_STATUS, { bot: 'b', state: 'running' }),
      publisher.publish(PRESENCE, PRESENT),
      publisher.publish(TRADE_COMMANDS, { bot: 'b' }, { type: 'pause', id: `same-${round}` }),
      publisher.publish(COMMAND_RESULTS, result),
      publisher.publish(AUDIT, { actor: 'a', tool: 't', action: 'publish', outcome: 'sent' }),
      publisher.publish(PRICES, { symbol: 'A', price: round }),
      publisher.publish(FILLS, { n: round }),
      publisher.publish(ALERTS, { n: round }, { type: 'note' }),
      publisher.publish(COMMANDS, { n: round }, { id: `same-${round}` }),
      publisher.publish(CHAT, { n: timestamp }),
      this.publishFeed('connecting'),
    ]);
  }

  publishPrice(price: number) {
    return this.#gateway.publish(PRICE_DATA, { symbol: 'A', price, timestamp: 1 });
  }

  publishFeed(state: 'connecting' | 'live') {
    const { token: lease = 0 } = this.lease;
    const age = { last_frame_ago_ms: 0, live_for_ms: 60_000, interval_ms: 60_000 };
    return this.publisher.publish(FEED_STATUS, { feed: 'f', state, lease, ...age });
  }

  /** The last prices and fills that a late joiner gets. */
  async snapshot(): Promise<readonly string[]> {
    const { subscribing } = this.#connection;
    const channels = [PRICE_DATA, BOT_STATUS, PRICES, FILLS];
    const states = await Promise.all(channels.map((channel) => subscribing.read(channel)));
    const entries = states.flatMap(({ entries: kept }) => kept);
    return entries.map((frame) => (JSON.parse(new TextDecoder().decode(frame)) as Seen).sender);
  }

  async close(): Promise<void> {
    await Promise.all([this.publisher.close(), this.#gateway.close(), this.subscriber.close()]);
    await Promise.all([this.lease.close(), this.job.close()]);
    await this.#connection.close();
  }
}

async function gained(lease: RedisLease): Promise<void> {
  const held = new Promise<void>((resolve) => lease.on('gained', () => resolve()));
  await lease.start();
  await held;
}
