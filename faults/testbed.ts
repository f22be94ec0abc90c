// What a scenario runs on: a server with its resources, a ledger of all messages, and the check of the whole history.

import { inspect } from 'node:util';
import { type CheckedHistory, checkHistory } from '@tickbus/fault-kit/check';
import { type HistoryOptions, type HistoryRecorder, Ledger } from '@tickbus/fault-kit/ledger';
import type { SentRecord } from '@tickbus/fault-kit/records';
import { type LocalRedis, type LocalRedisOptions, startLocalRedis } from '@tickbus/local-redis';
import type { Random } from '@tickbus/test-kit/random';
import type { RedisPublisher, RedisSubscriber, SubscribeOptions } from 'tickbus';
import type { FaultChannel } from './fault-channels.ts';
import { ServerResources } from './server-resources.ts';
import type { StatusLog } from './status-log.ts';
import { eventually, within } from './wait.ts';

export interface TestbedOptions {
  readonly random: Random;
  readonly quick: boolean;
  readonly floodSeconds?: number | undefined;
  readonly onWaiting: () => void;
  /** `none`: the scenario starts its servers, and calls `moveToGroup`. Default: a server without persistence. */
  readonly server?: LocalRedisOptions | 'none' | undefined;
}

/** A subscriber whose handler records its history. */
export interface RecordedSubscriber {
  readonly subscriber: RedisSubscriber;
  readonly recorder: HistoryRecorder;
  readonly statuses: StatusLog;
  readonly channel: FaultChannel;
}

export interface RecordedSubscriberOptions extends HistoryOptions {
  /** The port to connect to. Default: the server or the group. */
  readonly port?: number;
  readonly name?: string;
  /** Ignored on a `state` channel. Default 1,000,000. */
  readonly queueLimit?: number;
  /** Called by the handler after it has recorded the message. */
  readonly onMessage?: (message: { readonly data: { readonly n: number } }) => unknown;
}

export interface SendOptions {
  /** Default `A`. */
  readonly key?: string;
  readonly text?: string;
}

export class Testbed extends ServerResources {
  readonly quick: boolean;
  /** Duration of each hostile flood; undefined: the default of the scenario. */
  readonly floodSeconds: number | undefined;
  /** Measurements for the reader of the results. */
  readonly notes: string[] = [];
  /** Time limits and other bounds that did not hold. The scenario continues, so that its history is complete. */
  readonly exceeded: string[] = [];
  readonly #onWaiting: () => void;
  #ledger = new Ledger();
  #detachers: (() => void)[] = [];
  #subscribers: RecordedSubscriber[] = [];

  private constructor(
    redis: LocalRedis | undefined,
    { random, quick, floodSeconds, onWaiting }: TestbedOptions,
  ) {
    super(redis, random);
    this.#onWaiting = onWaiting;
    this.quick = quick;
    this.floodSeconds = floodSeconds;
  }

  static async open(options: TestbedOptions): Promise<Testbed> {
    const redis = options.server === 'none' ? undefined : await startLocalRedis(options.server);
    return new Testbed(redis, options);
  }

  /** The ledger of the current round. A scenario has one round, the soak has many. */
  get ledger(): Ledger {
    return this.#ledger;
  }

  /** Starts a new ledger without recorders. Publishers and subscribers stay open. */
  beginRound(): void {
    for (const detach of this.#detachers.splice(0)) detach();
    this.#subscribers = [];
    this.#ledger = new Ledger({ firstNumber: this.#ledger.next });
  }

  /** Returns `quick` with `--quick`, otherwise `whole`. */
  scaled<T>(whole: T, quick: T): T {
    return this.quick ? quick : whole;
  }

  /** Reports that the scenario only waits from here on, so that other scenarios can start beside it. */
  reportWaiting(): void {
    this.#onWaiting();
  }

  note(text: string): void {
    this.notes.push(text);
  }

  /**
   * Measures the time from `since` (`performance.now()`) to the event. If it exceeds `ms`, adds a line to `exceeded`.
   *
   * @param event resolves with its time (`performance.now()`)
   * @returns the measured milliseconds, also above `ms`
   */
  async bounded(what: string, ms: number, since: number, event: Promise<number>): Promise<number> {
    const took = Math.round((await within(what, event)) - since);
    if (took > ms) this.exceeded.push(`${what}: it took ${took} ms; the limit is ${ms} ms.`);
    return took;
  }

  /** Subscribes with a recorder. The caller calls `startListening()`, then `recorder.expectFromHere()`. */
  attach(
    subscriber: RedisSubscriber,
    channel: FaultChannel,
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
    const filters: SubscribeOptions<FaultChannel> = {
      name,
      keys,
      ...(channel.kind === 'state' ? {} : { queueLimit }),
    };
    this.#detachers.push(
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

  /** Adds a recorder to a listening subscriber. The recorder expects every message after the channel is live. */
  async join(
    { subscriber, statuses }: Pick<RecordedSubscriber, 'subscriber' | 'statuses'>,
    channel: FaultChannel,
    options: RecordedSubscriberOptions = {},
  ): Promise<RecordedSubscriber> {
    const recorder = this.attach(subscriber, channel, options);
    await eventually(`${channel} is live`, () => subscriber.status(channel)?.mode === 'live');
    recorder.expectFromHere();
    return this.#add({ subscriber, recorder, statuses, channel });
  }

  /** Starts a subscriber with a recorder. Resolves when its channel is live. */
  async listen(channel: FaultChannel, options: RecordedSubscriberOptions = {}): Promise<RecordedSubscriber> {
    const { subscriber, statuses } = this.subscriber(options.port);
    const recorder = this.attach(subscriber, channel, options);
    await subscriber.startListening();
    recorder.expectFromHere();
    await statuses.first('live');
    return this.#add({ subscriber, recorder, statuses, channel });
  }

  send(
    publisher: RedisPublisher,
    channel: FaultChannel,
    { key = 'A', text }: SendOptions = {},
  ): Promise<SentRecord> {
    return this.ledger.publish(channel, key, (n) =>
      publisher.publish(channel, text === undefined ? { key, n } : { key, n, text }),
    );
  }

  /** Repeats `send` until a message is accepted, for example while the link reconnects. */
  async sendUntilAccepted(publisher: RedisPublisher, channel: FaultChannel): Promise<SentRecord> {
    let last: SentRecord | undefined;
    await eventually(`A publish on ${channel} is accepted again`, async () => {
      last = await this.send(publisher, channel);
      return last.outcome === 'accepted';
    });
    return last as SentRecord;
  }

  /** Waits until every subscriber is live, at the latest position of its channel, and has an empty delivery queue. */
  async settle(subscribers: readonly RecordedSubscriber[] = this.#subscribers): Promise<void> {
    for (const one of subscribers) if (one.channel.kind !== 'plain') await this.#caughtUp(one);
  }

  /** Checks the whole history of the round. */
  checkHistory(): CheckedHistory {
    return checkHistory(this.ledger.sent, this.ledger.histories);
  }

  #add(one: RecordedSubscriber): RecordedSubscriber {
    this.#subscribers.push(one);
    return one;
  }

  async #caughtUp({ channel, subscriber, recorder, statuses }: RecordedSubscriber): Promise<void> {
    const { name } = recorder.history;
    await eventually(`${name} has caught up with ${channel}`, async () => {
      const key = `tickbus:{${channel}}:head`;
      const head = (await this.commandFor(channel.name, 'HMGET', key, 'epoch', 'seq')) as string[];
      const report = subscriber.status(channel);
      const { epoch = 0, seq = 0 } = report?.position ?? {};
      const isAtHead = epoch === Number(head[0] ?? 0) && seq === Number(head[1] ?? 0);
      return report?.mode === 'live' && isAtHead && report.queueDepth === 0;
    }).catch((error: unknown) => {
      const report = inspect(subscriber.status(channel), { breakLength: Number.POSITIVE_INFINITY });
      throw new Error(`${(error as Error).message} Statuses: ${statuses}. Channel report: ${report}.`);
    });
  }
}
