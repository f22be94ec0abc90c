// Publishing: validate, encode, batch, send. Knows ports only.

import { v7 as uuidv7 } from 'uuid';
import type { Channel, DefaultType, MessageType, PayloadInput } from '../channel/channel.ts';
import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Fence, IdempotencyKey, Outgoing, Transport } from '../transport/port.ts';
import { type Envelope, encodeEnvelope, encodeTrusted } from '../wire/envelope.ts';
import { keyOfPayload, schemaOf, validatePayload } from '../wire/payload-schema.ts';
import type { Published } from './batch.ts';
import { Batcher } from './batcher.ts';
import { UnsettledCommands } from './unsettled-commands.ts';

export type { Published } from './batch.ts';

export interface PublishOptions<T extends string = string> {
  /** The message type. Default: the channel's `defaultType`. */
  type?: T | undefined;
  /** Who says it. Default: the publisher's `sender`. */
  sender?: string | undefined;
  /** Milliseconds until a command expires (kind `command`). Default: the channel's `expiresInMs`. */
  expiresInMs?: number | undefined;
  /**
   * The id of a command (kind `command`), 1 to 128 printable characters without blanks. Publishing again under the same id has one
   * effect, as long as the server remembers it: until the command expires, but at least a minute; 10 minutes if it never does.
   * Default: a new UUIDv7.
   */
  id?: string | undefined;
}

export interface PublisherSettings {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Written in every message unless `publish` says otherwise. */
  readonly sender: string;
  /** Milliseconds until a publish settles at the latest. Default 2,000. */
  readonly deadlineMs?: number;
  /** The most bytes of messages that may wait for their turn on one channel. Default 32 MiB. */
  readonly maxPendingBytes?: number;
  /** Without it, or while it is not held, nothing is published on its channel. */
  readonly lease?: Fence;
  /** Whether payloads are checked before they are sent; see `RedisPublisherOptions`. Default true. */
  readonly validate?: boolean;
}

const DEFAULT_DEADLINE_MS = 2_000;
const DEFAULT_MAX_PENDING = 32 * 1024 * 1024;

export class PublisherBase implements AsyncDisposable {
  readonly #settings: PublisherSettings;
  readonly #batchers = new Map<string, Batcher>();
  readonly #unsettled = new UnsettledCommands();
  #closed = false;
  #connecting: Promise<void> | undefined;
  #isConnected = false;

  constructor(settings: PublisherSettings) {
    checkAbove(0, settings.deadlineMs, 'deadlineMs', 'milliseconds');
    checkAbove(0, settings.maxPendingBytes, 'maxPendingBytes', 'bytes');
    if (settings.lease !== undefined && settings.lease.channel === undefined) {
      const text = 'The lease is of a job and not of a channel. Make it with `channel`, or leave it out.';
      throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field: 'lease' });
    }
    this.#settings = settings;
  }

  /**
   * Connects, which the first `publish` does by itself. Also begins anew after a link that is not re-established
   * (`reconnect: false`, or refused credentials), which `publish` does not.
   *
   * @throws TickbusError `TICKBUS_CONNECT_FAILED` or `TICKBUS_AUTH_FAILED`, at once, saying what to try.
   */
  async connect(): Promise<void> {
    this.#assertOpen();
    await this.#settings.transport.connect();
  }

  /**
   * Publishes one message. Three outcomes:
   *
   * - It resolves: the server has published it, at this position, to so many receivers.
   * - It rejects with any code but `TICKBUS_OUTCOME_UNKNOWN`: it was not published. `error.retryable` tells whether to try again.
   * - It rejects with `TICKBUS_OUTCOME_UNKNOWN`: it was sent, and whether it was published cannot be known. A command can be
   *   published again with `{ id: error.messageId }`: it has one effect, and the result says where it was published. If the server
   *   has forgotten since, the retry is unknown too and is not published.
   *
   * Messages of one publisher on one channel are published in the order of the calls. While the link is down nothing is kept for
   * later: the call rejects at once with `TICKBUS_NOT_CONNECTED`.
   *
   * On the channel of the publisher's `lease` a message is published under the token that was held when this was called, or rejects
   * with `TICKBUS_FENCED`. On a `state` or `event` channel the outcome is known even if the link drops: what was not executed is sent
   * again in order. A message waits for the link until its deadline, and then rejects with `TICKBUS_NOT_SENT`.
   *
   * @param data the payload; what is sent is the input as given, checked against the schema unless the publisher has `validate: false`
   * @throws TickbusError `TICKBUS_INVALID_MESSAGE` (its `field` names the place), before anything is sent
   */
  publish<C extends Channel, T extends MessageType<C> = DefaultType<C>>(
    channel: C,
    data: PayloadInput<C, T>,
    options: PublishOptions<T> = {},
  ): Promise<Published> {
    try {
      this.#assertOpen();
      return this.#publish(channel, this.#encode(channel, data, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Which keys of a gateway's channel subscribers want now, and how many of them want each. Subscribers that died count for 15 s at
   * most. A server that lost its memory knows of none, for 5 s at most.
   *
   * @throws TickbusError `TICKBUS_NOT_CONNECTED`, `TICKBUS_DENIED`, or what connecting throws
   */
  async wanted(channel: Channel): Promise<ReadonlyMap<string, number>> {
    this.#assertOpen();
    if (!channel.gateway) {
      const text = `The channel ${channel} is not fed by a gateway, so nobody declares what is wanted of it. Define it with \`gateway: true\`.`;
      throw new TickbusError('TICKBUS_INVALID_OPTION', text);
    }
    await this.#connectOnce();
    return this.#settings.transport.demand(channel).wanted();
  }

  /** Waits for what is on its way, each message up to its deadline, and ends. Publishing afterwards rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    // What was published while connecting is handed to its batcher first.
    await this.#connecting?.catch(() => {});
    await Promise.all(Array.from(this.#batchers.values(), (batcher) => batcher.settled()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** One promise a message, once connected: everything here is paid for by every message. */
  #publish(channel: Channel, message: Outgoing): Promise<Published> {
    const batcher = this.#batcher(channel);
    // An exclusive writer has a link of its own.
    const published =
      this.#isConnected || batcher.hasWriter ? batcher.add(message) : this.#addConnected(batcher, message);
    if (message.idempotency === undefined) return published;
    const { id } = message.idempotency;
    return published.then(
      (outcome) => {
        this.#unsettled.delete(id);
        return outcome;
      },
      (error: unknown) => {
        if (!isUnknown(error) || error.messageId !== undefined) throw error;
        this.#unsettled.add(id, batcher.epoch);
        throw withMessageId(error, id);
      },
    );
  }

  #addConnected(batcher: Batcher, message: Outgoing): Promise<Published> {
    const { fence } = batcher;
    return this.#connectOnce().then(() => batcher.addAccepted(message, fence));
  }

  #connectOnce(): Promise<void> {
    this.#connecting ??= this.#settings.transport.connect().then(
      () => {
        this.#isConnected = true;
      },
      (error: unknown) => {
        this.#connecting = undefined;
        throw error;
      },
    );
    return this.#connecting;
  }

  #encode(channel: Channel, data: unknown, options: PublishOptions): Outgoing {
    const type = options.type ?? channel.defaultType;
    schemaOf(channel, type);
    const now = this.#settings.clock.now();
    const command = channel.kind === 'command' ? this.#commandFields(channel, options, now) : undefined;
    if (command === undefined) rejectCommandOptions(channel, options);
    const envelope: Envelope = {
      message_type: type,
      data: data as Envelope['data'],
      timestamp: now,
      sender: options.sender ?? this.#settings.sender,
    };
    if (command !== undefined) Object.assign(envelope, command.fields);
    const isTrusted = this.#settings.validate === false;
    // The limits before the schema: some schemas cannot survive a payload that is nested without end.
    const json = isTrusted ? encodeTrusted(envelope) : encodeEnvelope(envelope);
    if (!isTrusted) validatePayload(channel, type, data);
    const key = keyOfPayload(channel, type, envelope.data);
    if (command === undefined) return key === undefined ? { json } : { json, key };
    return { json, ...(key === undefined ? {} : { key }), idempotency: command.idempotency };
  }

  /** What a command has that other messages do not. */
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

  #batcher(channel: Channel): Batcher {
    let batcher = this.#batchers.get(channel.name);
    if (batcher === undefined) {
      const { transport, clock, lease, deadlineMs, maxPendingBytes } = this.#settings;
      batcher = new Batcher({
        channel,
        lease: lease?.channel?.name === channel.name ? lease : undefined,
        transport,
        clock,
        deadlineMs: deadlineMs ?? DEFAULT_DEADLINE_MS,
        maxPending: maxPendingBytes ?? DEFAULT_MAX_PENDING,
      });
      this.#batchers.set(channel.name, batcher);
    }
    return batcher;
  }

  #assertOpen(): void {
    if (this.#closed)
      throw new TickbusError('TICKBUS_CLOSED', 'This publisher was closed. Make a new one to publish again.');
  }
}

function checkAbove(limit: number, value: number | undefined, field: string, unit: string): void {
  if (value === undefined || (value > limit && Number.isFinite(value))) return;
  const text = `${field} is ${value}. Use a number of ${unit} above ${limit}.`;
  throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field });
}

const MIN_REMEMBER_MS = 60_000;
const DEFAULT_REMEMBER_MS = 600_000;

function checkId(id: string): void {
  if (typeof id === 'string' && /^[!-~]{1,128}$/.test(id)) return;
  const text = 'The id of a command must have 1 to 128 printable ASCII characters without blanks.';
  throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field: 'id' });
}

function rejectCommandOptions(channel: Channel, options: PublishOptions): void {
  for (const field of ['expiresInMs', 'id'] as const) {
    if (options[field] === undefined) continue;
    const text = `${field} is given, and ${channel} is no channel of commands. Leave it out.`;
    throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field });
  }
}

/** A batch fails as one; each command in it is to know its own id. */
function withMessageId(error: TickbusError, id: string): TickbusError {
  const text = `${error.message} To publish it again with one effect, use { id: '${id}' }.`;
  return new TickbusError(error.code, text, { cause: error, messageId: id });
}

function isUnknown(error: unknown): error is TickbusError {
  return error instanceof TickbusError && error.code === 'TICKBUS_OUTCOME_UNKNOWN';
}
