// Where a scenario plays: its own Redis, proxies, publishers and subscribers, one ledger of all of it, and an end to everything.

import { inspect } from 'node:util';
import { type CheckedHistory, checkHistory } from '@tickbus/fault-kit/check';
import { type HistoryOptions, type HistoryRecorder, Ledger } from '@tickbus/fault-kit/ledger';
import { TcpProxy } from '@tickbus/fault-kit/proxy';
import type { SentRecord } from '@tickbus/fault-kit/records';
import { type LocalRedis, type LocalRedisOptions, startLocalRedis } from '@tickbus/local-redis';
import type { Random } from '@tickbus/test-kit/random';
import { createClient } from 'redis';
import {
  type Logger,
  RedisConnection,
  RedisPublisher,
  type RedisPublisherOptions,
  RedisSubscriber,
  type SubscribeOptions,
} from 'tickbus';
import type { NoteChannel } from './fault-channels.ts';
import { StatusLog } from './status-log.ts';
import { eventually, within } from './wait.ts';

export interface TestbedOptions {
  readonly random: Random;
  readonly quick: boolean;
  readonly onWaiting: () => void;
  /** Default: a server without persistence. */
  readonly server?: LocalRedisOptions | undefined;
}

/** A subscriber with one recorder as its handler. */
export interface RecordedSubscriber {
  readonly subscriber: RedisSubscriber;
  readonly recorder: HistoryRecorder;
  readonly statuses: StatusLog;
  readonly channel: NoteChannel;
}

export interface RecordedSubscriberOptions extends HistoryOptions {
  /** Where to connect to. Default: the server itself. */
  readonly port?: number;
  readonly name?: string;
  readonly queueLimit?: number;
  /** What the handler does besides writing everything down. */
  readonly onMessage?: (message: { readonly data: { readonly n: number } }) => unknown;
}

export interface SendOptions {
  readonly key?: string;
  readonly text?: string;
}

/** Never connected: a duplicate costs a fraction of a millisecond, a client made anew up to 100. */
let plainClient: ReturnType<typeof createClient> | undefined;

const LOG_LINES = 50;

export class Testbed implements AsyncDisposable {
  readonly random: Random;
  readonly quick: boolean;
  /** The last lines that the library logged. */
  readonly log: string[] = [];
  /** What was measured, for the person who reads the results. */
  readonly notes: string[] = [];
  /** Bounds that did not hold. The scenario goes on, so that its history is whole when it is checked. */
  readonly exceeded: string[] = [];
  #redis: LocalRedis;
  #ledger = new Ledger();
  #detach: (() => void)[] = [];
  readonly #onWaiting: () => void;
  readonly #closing: (() => unknown)[] = [];
  #listeners: RecordedSubscriber[] = [];

  private constructor(redis: LocalRedis, { random, quick, onWaiting }: TestbedOptions) {
    this.#redis = redis;
    this.#onWaiting = onWaiting;
    this.random = random;
    this.quick = quick;
    this.atEnd(() => redis[Symbol.asyncDispose]());
  }

  static async open(options: TestbedOptions): Promise<Testbed> {
    return new Testbed(await startLocalRedis(options.server), options);
  }

  /** Where the channels are: what is opened, commanded or settled from here on goes to this server. */
  get redis(): LocalRedis {
    return this.#redis;
  }

  /** Another server has the channels from here on, as after a failover. */
  moveTo(redis: LocalRedis): void {
    this.#redis = redis;
  }

  /** Of the round at hand. */
  get ledger(): Ledger {
    return this.#ledger;
  }

  /** Forgets what was sent and seen, and whoever saw it; publishers and subscribers live on. */
  beginRound(): void {
    for (const detach of this.#detach.splice(0)) detach();
    this.#listeners = [];
    this.#ledger = new Ledger({ firstNumber: this.#ledger.next });
  }

  /** One of two values: the whole measure, or that of `--quick`. */
  scaled<T>(whole: T, quick: T): T {
    return this.quick ? quick : whole;
  }

  /** What is measured is measured; other scenarios may begin. Only in one that runs beside others. */
  reportWaiting(): void {
    this.#onWaiting();
  }

  note(text: string): void {
    this.notes.push(text);
  }

  /** Measures from `since` (`performance.now()`) to the event. @returns the milliseconds, also when they are more than `ms` */
  async bounded(what: string, ms: number, since: number, event: Promise<number>): Promise<number> {
    const took = Math.round((await within(what, event)) - since);
    if (took > ms) this.exceeded.push(`${what}: it took ${took} ms, and must not take more than ${ms} ms.`);
    return took;
  }

  /** @returns a function that takes it back, for what has ended by itself */
  atEnd(close: () => unknown): () => void {
    this.#closing.push(close);
    return () => {
      const index = this.#closing.indexOf(close);
      if (index >= 0) this.#closing.splice(index, 1);
    };
  }

  async proxy(redis: LocalRedis = this.redis): Promise<TcpProxy> {
    const proxy = await TcpProxy.start({
      port: redis.port,
      random: this.random.fork(`proxy ${this.#closing.length}`),
    });
    this.atEnd(() => proxy.close());
    return proxy;
  }

  /** A connection of its own, by which the state of its links can be followed. */
  connection(port = this.redis.port): RedisConnection {
    const connection = new RedisConnection({ host: '127.0.0.1', port, logger: this.logger });
    this.atEnd(() => connection.close());
    return connection;
  }

  publisher(port = this.redis.port, options: Partial<RedisPublisherOptions> = {}): RedisPublisher {
    const publisher = new RedisPublisher({
      host: '127.0.0.1',
      port,
      logger: this.logger,
      sender: 'faults',
      ...options,
    });
    this.atEnd(() => publisher.close());
    return publisher;
  }

  /** Not listening yet. */
  subscriber(port = this.redis.port): { subscriber: RedisSubscriber; statuses: StatusLog } {
    const subscriber = new RedisSubscriber({ host: '127.0.0.1', port, logger: this.logger });
    this.atEnd(() => subscriber.close({ timeoutMs: 1_000 }));
    const statuses = new StatusLog();
    subscriber.on('status', statuses.add);
    return { subscriber, statuses };
  }

  /** A recorder as a handler; `startListening` is the caller's, and then `recorder.expectsAll()`. */
  attach(
    subscriber: RedisSubscriber,
    channel: NoteChannel,
    options: RecordedSubscriberOptions = {},
  ): HistoryRecorder {
    const {
      name = `bot ${this.ledger.histories.length + 1}`,
      onMessage,
      queueLimit = 1_000_000,
      keys,
    } = options;
    const recorder = this.ledger.recordHandler(name, channel, options);
    const handler = (message: Parameters<HistoryRecorder['onMessage']>[0] & { data: { n: number } }) => {
      recorder.onMessage(message);
      return onMessage?.(message);
    };
    const filters: SubscribeOptions<NoteChannel> = {
      name,
      keys,
      ...(channel.kind === 'state' ? {} : { queueLimit }),
    };
    this.#detach.push(
      subscriber.subscribe(channel, handler, filters),
      subscriber.on('gap', recorder.onGap),
      subscriber.on(
        'expired',
        ({ message, subscription }) =>
          subscription === name && message.message_type === 'note' && recorder.onExpired(message),
      ),
    );
    return recorder;
  }

  /** A new recorder of a subscriber that listens already, from whose live channel on everything is expected. */
  async join(
    { subscriber, statuses }: Pick<RecordedSubscriber, 'subscriber' | 'statuses'>,
    channel: NoteChannel,
    options: RecordedSubscriberOptions = {},
  ): Promise<RecordedSubscriber> {
    const recorder = this.attach(subscriber, channel, options);
    await eventually(`${channel} is live`, () => subscriber.status(channel)?.mode === 'live');
    recorder.expectFromHere();
    const listener = { subscriber, recorder, statuses, channel };
    this.#listeners.push(listener);
    return listener;
  }

  /** A subscriber that listens, and from whose live channel on everything is expected. */
  async listen(channel: NoteChannel, options: RecordedSubscriberOptions = {}): Promise<RecordedSubscriber> {
    const { subscriber, statuses } = this.subscriber(options.port);
    const recorder = this.attach(subscriber, channel, options);
    await subscriber.startListening();
    recorder.expectFromHere();
    await statuses.first('live');
    const listener = { subscriber, recorder, statuses, channel };
    this.#listeners.push(listener);
    return listener;
  }

  send(
    publisher: RedisPublisher,
    channel: NoteChannel,
    { key = 'A', text }: SendOptions = {},
  ): Promise<SentRecord> {
    return this.ledger.publish(channel, key, (n) =>
      publisher.publish(channel, text === undefined ? { key, n } : { key, n, text }),
    );
  }

  /** Sends until one is accepted: the link is back. */
  async sendUntilAccepted(publisher: RedisPublisher, channel: NoteChannel): Promise<SentRecord> {
    let last: SentRecord | undefined;
    await eventually(`A publish on ${channel} is accepted again`, async () => {
      last = await this.send(publisher, channel);
      return last.outcome === 'accepted';
    });
    return last as SentRecord;
  }

  /** One command of a plain client, on a connection of its own. */
  async command(...command: string[]): Promise<unknown> {
    const { host, port } = this.redis;
    plainClient ??= createClient();
    const client = plainClient.duplicate({ socket: { host, port, reconnectStrategy: false } });
    client.on('error', () => {});
    await client.connect();
    try {
      return await client.sendCommand(command);
    } finally {
      client.destroy();
    }
  }

  /** Waits until every listener stands where its channel does, and no message waits for a handler. */
  async settle(listeners: readonly RecordedSubscriber[] = this.#listeners): Promise<void> {
    for (const { channel, subscriber, recorder, statuses } of listeners) {
      if (channel.kind === 'plain') continue;
      const { name } = recorder.history;
      await eventually(`${name} has caught up with ${channel}`, async () => {
        const [epoch, seq] = (await this.command(
          'HMGET',
          `tickbus:{${channel}}:head`,
          'epoch',
          'seq',
        )) as string[];
        const report = subscriber.status(channel);
        const { epoch: at = 0, seq: place = 0 } = report?.position ?? {};
        const isThere = at === Number(epoch ?? 0) && place === Number(seq ?? 0);
        return report?.mode === 'live' && isThere && report.queueDepth === 0;
      }).catch((error: unknown) => {
        const report = inspect(subscriber.status(channel), { breakLength: Number.POSITIVE_INFINITY });
        throw new Error(`${(error as Error).message} Told: ${statuses}. It stands at ${report}.`);
      });
    }
  }

  /** The whole history, checked. */
  verdict(): CheckedHistory {
    return checkHistory(this.ledger.sent, this.ledger.histories);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
  }

  get logger(): Logger {
    const line = (level: string) => (_: object, message: string) => {
      this.log.push(`${level} ${message}`);
      if (this.log.length > LOG_LINES) this.log.shift();
    };
    return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  }
}
