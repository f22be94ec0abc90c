// RedisPublisher: publishes to Redis.

import type { AskableChannel, AskOptions } from './ask/ask-options.ts';
import { Asks } from './ask/asks.ts';
import type { Answer, DefaultType, MessageType, PayloadInput } from './channel/channel.ts';
import { conflictText } from './channel/definition.ts';
import { CONNECTION_NAMES, type ConnectionOptions, connectionFrom, defaultSender } from './connection.ts';
import { TickbusError } from './errors.ts';
import { type Membership, memberOf, type PresenceOptions } from './presence/membership.ts';
import { PresenceWatch } from './presence/presence-watch.ts';
import { PublisherBase } from './publish/publisher-base.ts';
import type { Clock } from './runtime/clock.ts';
import { containedLogger } from './runtime/logger.ts';
import { checkOptionNames, checkType, type OptionNames } from './runtime/option-checks.ts';
import { systemClock } from './runtime/system-clock.ts';
import { SubscriberBase } from './subscribe/subscriber-base.ts';
import type { Connection, Fence } from './transport/port.ts';
import type { DeepReadonly } from './wire/message.ts';

export { AskError, type AskErrorCode } from './ask/ask-error.ts';
export type { AskableChannel, AskOptions } from './ask/ask-options.ts';
export type { Published, PublishOptions } from './publish/publisher-base.ts';

type SharedOptions = ConnectionOptions & PresenceOptions;

export type RedisPublisherOptions = SharedOptions & {
  /** The `sender` of every message, at most 128 characters. Default: `name`, else host name and process number. */
  sender?: string | undefined;
  /** Milliseconds within which a publish settles, once connected. Default 2,000. */
  deadlineMs?: number | undefined;
  /**
   * Maximum total size of the messages queued on one channel, in bytes. Each UTF-16 code unit counts as one byte.
   * Default 32 MiB.
   */
  maxPendingBytes?: number | undefined;
  /**
   * The lease of a channel (`RedisLease`) in the same namespace. Messages are published there only while it is valid.
   * Default: none.
   */
  lease?: Fence | undefined;
  /**
   * Whether a payload is checked before it is sent: against its schema, and for values that JSON cannot represent.
   * Default true.
   *
   * Use `false` for payloads that come from tested code. It saves the publisher CPU, most on large messages. An invalid
   * payload is then published, and `publish` resolves:
   *
   * - `JSON.stringify` decides what is sent: NaN and Infinity become null, a Map becomes {}, a function is left out.
   * - Subscribers still validate. They drop the message and report `invalid_message`. A field name such as `__proto__`
   *   also hides the message's position, so subscribers recover as after a gap.
   * - On a `state` channel the invalid payload replaces the last value of its key, so late joiners get no value.
   * - Plain clients (which do not use tickbus) receive the payload unchanged.
   *
   * The header, the message type, the key and the size limit are always checked.
   */
  validate?: boolean | undefined;
  /**
   * Number of replicas that must have a message before its publish counts as published, so that it survives the loss of
   * the master. Default 0: an accepted message can be lost with its master, which subscribers report as a gap.
   *
   * - Costs one WAIT for each batch; the Redis user needs `+wait`.
   * - If fewer replicas confirm in nine tenths of `deadlineMs`, `publish` rejects with `TICKBUS_OUTCOME_UNKNOWN`.
   *   Subscribers have received the message by then, but it can still be lost with the master.
   * - A memory connection has no replicas, and confirms every message.
   */
  replicas?: number | undefined;
  /** A clock for tests. Default: the system clock. */
  clock?: Clock | undefined;
};

const NAMES: OptionNames<RedisPublisherOptions> = {
  ...CONNECTION_NAMES,
  name: true,
  uniqueName: true,
  sender: true,
  deadlineMs: true,
  maxPendingBytes: true,
  lease: true,
  validate: true,
  replicas: true,
  clock: true,
};

/**
 * Publishes messages on channels.
 *
 * @example
 * const publisher = new RedisPublisher({ host: CONFIG.HOST, port: CONFIG.PORT });
 * await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'AAPL', price: 50000.0, timestamp: 1650123456 });
 */
export class RedisPublisher extends PublisherBase {
  readonly #connection: Connection;
  readonly #ownsConnection: boolean;
  readonly #member: Membership | undefined;
  readonly #asks: Asks;

  /** @throws TickbusError `TICKBUS_INVALID_OPTION` for invalid options or environment variables */
  constructor(options: RedisPublisherOptions = {}) {
    checkOptionNames('RedisPublisher', options, NAMES);
    const {
      name,
      sender,
      clock = systemClock,
      lease,
      deadlineMs,
      maxPendingBytes,
      validate,
      replicas,
    } = options;
    checkType('sender', sender, 'string');
    checkType('validate', validate, 'boolean');
    checkType('replicas', replicas, 'number');
    const { connection, isOwned } = connectionFrom(options);
    if (lease !== undefined) checkLease(lease, connection);
    const logger = containedLogger(options.logger);
    const member = memberOf({ connection, clock, logger }, options);
    super({
      transport: connection.publishing,
      onConflict: (conflict) => {
        const level = conflict.severity === 'error' ? 'error' : 'warn';
        logger[level](conflict, `${conflictText(conflict)} See docs/definitions.md.`);
      },
      clock,
      sender: sender ?? name ?? defaultSender(),
      ...(member && {
        onConnected: () => member.start(),
        onChannel: (channel) => member.addPublished(channel),
      }),
      ...(lease === undefined ? {} : { lease }),
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      ...(maxPendingBytes === undefined ? {} : { maxPendingBytes }),
      ...(validate === undefined ? {} : { validate }),
      ...(replicas === undefined ? {} : { replicas }),
    });
    this.#connection = connection;
    this.#ownsConnection = isOwned;
    this.#member = member;
    const own = { clock, logger, sender: sender ?? name ?? defaultSender() };
    const newSubscriber = () =>
      new SubscriberBase({ transport: connection.subscribing, ...own, name: own.sender });
    this.#asks = new Asks({
      clock,
      check: (...args) => void this.encode(...args),
      publish: (...args) => this.publish(...args),
      newSubscriber,
      presence: new PresenceWatch({ transport: connection.publishing, ...own, newSubscriber }),
    });
  }

  /**
   * Publishes a command and resolves with the answer of its receiver, such as `{ outcome: 'done', ... }`. The command
   * takes effect at most once: while it is unknown whether it was published, it is published again under its id.
   *
   * The first call subscribes to the channel of the answers, and `close` ends that subscription. All asks of a
   * publisher share it.
   *
   * @param channel a channel of kind `command` with `answers`, such as `CHANNELS.TRADE_COMMANDS`
   * @throws AskError, with the id of the command in `messageId` and the answer, if any, in `answer`:
   *   - `TICKBUS_ABSENT`: nobody of that name listens, so nobody has received it. See docs/bots.md
   *   - `TICKBUS_REJECTED`, `TICKBUS_EXPIRED`: the receiver has done nothing
   *   - `TICKBUS_FAILED`: the receiver has tried without success
   *   - `TICKBUS_NO_ANSWER`: it was published, and whether it was carried out is unknown. At once if PRESENCE reports
   *     that everybody of that name has ended
   *   - `TICKBUS_OUTCOME_UNKNOWN`: whether it was published is unknown
   *   - `TICKBUS_NOT_SENT`: the subscription to the answers was not ready in time; or the receiver is there, and its
   *     link was down when the command was published. Nobody has received it
   * @throws TickbusError as `publish`, and as `startListening` of a subscriber. Nothing was published
   *
   * @example
   * await publisher.ask(CHANNELS.TRADE_COMMANDS, { bot: 'momentum' }, { type: 'pause', timeoutMs: 2_000 });
   */
  ask<C extends AskableChannel, T extends MessageType<C> = DefaultType<C>>(
    channel: C,
    data: PayloadInput<C, T> | DeepReadonly<PayloadInput<C, T>>,
    options: AskOptions<T, DeepReadonly<Answer<C>>> = {},
  ): Promise<DeepReadonly<Answer<C>>> {
    return this.#asks.ask(channel, data, options) as Promise<unknown> as Promise<DeepReadonly<Answer<C>>>;
  }

  /** The `instance` under which PRESENCE shows this publisher; undefined without a name, and until it is shown. */
  get instance(): string | undefined {
    return this.#member?.isSeen ? this.#member.instance : undefined;
  }

  /** Asks in flight reject with `TICKBUS_CLOSED`. */
  override async close(): Promise<void> {
    await this.#asks.close();
    await super.close();
    await this.#member?.leave();
    if (this.#ownsConnection) await this.#connection.close();
  }
}

/** A lease of another namespace would publish there. */
function checkLease({ channel, namespace }: Fence, connection: Connection): void {
  if (channel === undefined || namespace === connection.namespace) return;
  const inWords = (name: string | undefined) =>
    name === undefined ? 'no namespace' : `the namespace "${name}"`;
  const [ofLease, ofPublisher] = [namespace, connection.namespace].map(inWords);
  const text =
    `The lease of ${channel.name} is in ${ofLease}, and the publisher in ${ofPublisher}. ` +
    'Create both with one connection, or with the same `namespace`.';
  throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field: 'lease' });
}
