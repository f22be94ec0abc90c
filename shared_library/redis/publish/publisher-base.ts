// The publisher: validates, encodes and batches messages. Independent of the transport.

import { v7 as uuidv7 } from 'uuid';
import type { Channel, DefaultType, MessageType, PayloadInput } from '../channel/channel.ts';
import { checkChannel } from '../channel/check-channel.ts';
import { type DefinitionConflict, requireSameDefinition } from '../channel/definition.ts';
import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { checkOptionNames } from '../runtime/option-checks.ts';
import type { Fence, IdempotencyKey, Outgoing, Transport } from '../transport/port.ts';
import { type Envelope, encodeEnvelope, encodeTrusted } from '../wire/envelope.ts';
import type { DeepReadonly } from '../wire/message.ts';
import { keyOfPayload, schemaOf, validatePayload } from '../wire/payload-schema.ts';
import type { Published } from './batch.ts';
import { DefinitionWatch } from './definition-watch.ts';
import { PartitionRouter } from './partition-router.ts';
import {
  checkAbove,
  checkedEndsKey,
  checkId,
  checkReplicas,
  PUBLISH_NAMES,
  type PublishOptions,
  rejectCommandOptions,
} from './publish-options.ts';
import { UnsettledCommands } from './unsettled-commands.ts';

export type { Published } from './batch.ts';
export type { PublishOptions } from './publish-options.ts';

export interface PublisherSettings {
  readonly transport: Transport;
  readonly clock: Clock;
  /** The default `sender` of messages. */
  readonly sender: string;
  /** Milliseconds within which a publish settles. Default 2,000. */
  readonly deadlineMs?: number;
  /**
   * Maximum total size in bytes of the messages queued on one channel, where each UTF-16 unit counts as one. Default
   * 32 MiB.
   */
  readonly maxPendingBytes?: number;
  /** While this lease is not held, publishing on its channel is rejected. */
  readonly lease?: Fence;
  /** Whether payloads are checked before they are sent; see `RedisPublisherOptions`. Default true. */
  readonly validate?: boolean;
  /** Number of replicas that must confirm each batch; see `RedisPublisherOptions`. Default 0. */
  readonly replicas?: number;
  /** Awaited after connecting, before the first message. If it rejects, so do `connect` and `publish`. */
  readonly onConnected?: (() => Promise<void>) | undefined;
  /** Called before the first message on a channel. */
  readonly onChannel?: ((name: string) => void) | undefined;
  /** Called once for each program that defines a channel differently. */
  readonly onConflict?: ((conflict: DefinitionConflict) => void) | undefined;
}

const DEFAULT_DEADLINE_MS = 2_000;
const DEFAULT_MAX_PENDING = 32 * 1024 * 1024;
/** The share of the deadline that replicas have. The rest is for the reply. */
const CONFIRMATION_SHARE = 0.9;
const NO_OPTIONS = Object.freeze({});

export class PublisherBase implements AsyncDisposable {
  readonly #settings: PublisherSettings;
  readonly #routers = new Map<string, PartitionRouter>();
  readonly #unsettled = new UnsettledCommands();
  #closed = false;
  #connecting: Promise<void> | undefined;
  #isConnected = false;

  constructor(settings: PublisherSettings) {
    checkAbove(0, settings.deadlineMs, 'deadlineMs', 'milliseconds');
    checkAbove(0, settings.maxPendingBytes, 'maxPendingBytes', 'bytes');
    checkReplicas(settings.replicas);
    if (settings.lease !== undefined && settings.lease.channel === undefined) {
      const text = 'The lease belongs to a job, not to a channel. Create it with `channel`, or omit `lease`.';
      throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field: 'lease' });
    }
    this.#settings = settings;
  }

  /**
   * Connects. The first `publish` also does this. Call it to connect again after a link has failed for good
   * (`reconnect: false`, or the server rejected the credentials, or TLS failed, several times); `publish` does not do
   * that.
   *
   * @throws TickbusError such as `TICKBUS_CONNECT_FAILED`, `TICKBUS_AUTH_FAILED` or `TICKBUS_TLS_FAILED`, without
   *   retrying, with advice
   */
  async connect(): Promise<void> {
    this.#assertOpen();
    await this.#connect();
  }

  /**
   * Publishes one message. There are three outcomes:
   *
   * - Resolves: the server has published it. The result has its position and number of receivers.
   * - Rejects with any code but `TICKBUS_OUTCOME_UNKNOWN`: it was not published. See `error.retryable`.
   * - Rejects with `TICKBUS_OUTCOME_UNKNOWN`: it was sent, but may or may not have been published. Retry a command with
   *   `{ id: error.messageId }`: it takes effect once, and the result has its position. If the server has lost data
   *   since, or if it was the first message here and never arrived, the retry is not published and its outcome is
   *   unknown, too. With `replicas`, also if it was published, but too few replicas have confirmed it.
   *
   * Messages of one publisher on one channel are published in call order. While the link is down nothing is queued: the
   * call rejects at once with `TICKBUS_NOT_CONNECTED`.
   *
   * On the channel of the publisher's `lease`, a message is published under the token held at the time of the call, or
   * rejects with `TICKBUS_FENCED`. On a `state` or `event` channel the outcome is known even if the link drops:
   * messages that were not executed are sent again in order. A message waits for the link until its deadline, then
   * rejects with `TICKBUS_NOT_SENT`.
   *
   * @param data the payload, sent unchanged after validation (unless `validate` is false)
   * @throws TickbusError `TICKBUS_INVALID_MESSAGE` with the path in `field`, before anything is sent
   * @throws TickbusError `TICKBUS_INVALID_OPTION` with the field `db` if another database of the server uses it
   * @throws TickbusError `TICKBUS_LIMIT_EXCEEDED` for a new key of a `state` channel that has 50,000 keys, and for the
   *   messages batched with it. None of them was published
   */
  publish<C extends Channel, T extends MessageType<C> = DefaultType<C>>(
    channel: C,
    data: PayloadInput<C, T> | DeepReadonly<PayloadInput<C, T>>,
    options: PublishOptions<T> = NO_OPTIONS,
  ): Promise<Published> {
    try {
      this.#assertOpen();
      checkChannel(channel);
      if (options !== NO_OPTIONS) checkOptionNames('publish', options, PUBLISH_NAMES);
      return this.#publish(channel, this.encode(channel, data, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * The number of subscribers that request each key of a gateway's channel now. It includes crashed subscribers for at
   * most 15 s. After the server has lost its data, requests are missing for at most 5 s.
   *
   * @throws TickbusError `TICKBUS_NOT_CONNECTED`, `TICKBUS_DENIED`, `TICKBUS_LIMIT_EXCEEDED`, `TICKBUS_INVALID_OPTION`
   *   (channel without a gateway), or an error of `connect`
   */
  async wanted(channel: Channel): Promise<ReadonlyMap<string, number>> {
    this.#assertOpen();
    checkChannel(channel);
    if (!channel.gateway) {
      const text = `The channel ${channel} has no gateway, so it has no demand. Define it with \`gateway: true\`.`;
      throw new TickbusError('TICKBUS_INVALID_OPTION', text);
    }
    await this.#connectOnce();
    return this.#settings.transport.demand(channel).wanted();
  }

  /** Waits for messages in flight, each up to its deadline, then closes. Later publishes reject. */
  async close(): Promise<void> {
    this.#closed = true;
    // Messages published while connecting must reach their batcher first.
    await this.#connecting?.catch(() => {});
    await Promise.all(Array.from(this.#routers.values(), (router) => router.settled()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Runs for every message, so it creates only one promise once connected. */
  #publish(channel: Channel, message: Outgoing): Promise<Published> {
    const router = this.#router(channel);
    // An exclusive writer publishes on its own link, so it need not wait for this one.
    const published =
      this.#isConnected || router.hasWriter ? router.add(message) : this.#addConnected(router, message);
    if (message.idempotency === undefined) return published;
    const [{ id }, { layout }] = [message.idempotency, router];
    return published.then(
      (outcome) => {
        this.#unsettled.delete(id);
        return outcome;
      },
      (error: unknown) => {
        if (!isUnknown(error) || error.messageId !== undefined) throw error;
        // The partitions of another layout do not know the id.
        this.#unsettled.add(id, router.layout === layout ? router.epochOf(message) : undefined);
        throw withMessageId(error, id);
      },
    );
  }

  #addConnected(router: PartitionRouter, message: Outgoing): Promise<Published> {
    const { fence } = router;
    return this.#connectOnce().then(() => router.addAccepted(message, fence));
  }

  #connectOnce(): Promise<void> {
    if (this.#connecting !== undefined) return this.#connecting;
    this.#connecting = this.#connect();
    // Runs before the callbacks of the messages that wait, so that no later message overtakes them.
    this.#connecting.then(
      () => {
        this.#isConnected = true;
      },
      () => {
        this.#connecting = undefined;
      },
    );
    return this.#connecting;
  }

  async #connect(): Promise<void> {
    await this.#settings.transport.connect();
    await this.#settings.onConnected?.();
  }

  protected encode(channel: Channel, data: unknown, options: PublishOptions): Outgoing {
    const type = options.type ?? channel.defaultType;
    schemaOf(channel, type);
    const now = this.#settings.clock.now();
    const command = channel.kind === 'command' ? this.#commandFields(channel, options, now) : undefined;
    if (command === undefined && options !== NO_OPTIONS) rejectCommandOptions(channel, options);
    const endsKey = options !== NO_OPTIONS && checkedEndsKey(channel, options.endsKey);
    const envelope: Envelope = {
      message_type: type,
      data: data as Envelope['data'],
      timestamp: now,
      sender: options.sender ?? this.#settings.sender,
    };
    if (command !== undefined) Object.assign(envelope, command.fields);
    const isTrusted = this.#settings.validate === false;
    // Checks the limits before the schema, because some schemas overflow the stack on deeply nested payloads.
    const json = isTrusted ? encodeTrusted(envelope) : encodeEnvelope(envelope);
    if (!isTrusted) validatePayload(channel, type, data);
    const key = keyOfPayload(channel, type, envelope.data);
    if (endsKey) return { json, key: key ?? '', endsKey };
    if (command === undefined) return key === undefined ? { json } : { json, key };
    return { json, ...(key === undefined ? {} : { key }), idempotency: command.idempotency };
  }

  #commandFields(
    channel: Channel,
    options: PublishOptions,
    now: number,
  ): { fields: Pick<Envelope, 'id' | 'expires_at'>; idempotency: IdempotencyKey } {
    const { id = uuidv7({ msecs: now }), expiresInMs = channel.expiresInMs } = options;
    checkId(id);
    checkAbove(0, expiresInMs, 'expiresInMs', 'milliseconds');
    const firstEpoch = this.#unsettled.epochOf(id);
    const idempotency = { id, ...(firstEpoch === undefined ? {} : { firstEpoch }) };
    if (expiresInMs === undefined)
      return { fields: { id }, idempotency: { ...idempotency, rememberMs: DEFAULT_REMEMBER_MS } };
    const rememberMs = Math.ceil(Math.max(expiresInMs, MIN_REMEMBER_MS));
    return {
      fields: { id, expires_at: Math.round(now + expiresInMs) },
      idempotency: { ...idempotency, rememberMs },
    };
  }

  #router(channel: Channel): PartitionRouter {
    let router = this.#routers.get(channel.name);
    if (router === undefined) {
      const { transport, clock, lease, maxPendingBytes, replicas = 0, sender, onConflict } = this.#settings;
      const { deadlineMs = DEFAULT_DEADLINE_MS } = this.#settings;
      const isLeased = lease?.channel?.name === channel.name;
      if (isLeased && lease.channel) requireSameDefinition(channel, lease.channel);
      router = new PartitionRouter({
        channel,
        lease: isLeased ? lease : undefined,
        transport,
        clock,
        deadlineMs,
        maxPending: maxPendingBytes ?? DEFAULT_MAX_PENDING,
        confirmation: replicas === 0 ? undefined : { replicas, withinMs: deadlineMs * CONFIRMATION_SHARE },
        watch: new DefinitionWatch({ channel, transport, clock, author: sender, onConflict }),
      });
      this.#routers.set(channel.name, router);
      this.#settings.onChannel?.(channel.name);
    } else if (router.channel !== channel) requireSameDefinition(channel, router.channel);
    return router;
  }

  #assertOpen(): void {
    if (this.#closed)
      throw new TickbusError(
        'TICKBUS_CLOSED',
        'This publisher was closed. Create a new one to publish again.',
      );
  }
}

const MIN_REMEMBER_MS = 60_000;
const DEFAULT_REMEMBER_MS = 600_000;

/** A batch fails as a whole. Each command in it gets an error with its own id. */
function withMessageId(error: TickbusError, id: string): TickbusError {
  const text = `${error.message} To retry it safely, publish it again with { id: '${id}' }.`;
  return new TickbusError(error.code, text, { cause: error, messageId: id });
}

function isUnknown(error: unknown): error is TickbusError {
  return error instanceof TickbusError && error.code === 'TICKBUS_OUTCOME_UNKNOWN';
}
