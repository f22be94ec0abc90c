// Publishing: validate, encode, batch, send. Knows ports only.

import { v7 as uuidv7 } from 'uuid';
import type { Channel, DefaultType, MessageType, PayloadInput } from '../core/channel.ts';
import { type Envelope, encodeEnvelope } from '../core/envelope.ts';
import type { Clock, Outgoing, Transport } from '../core/ports.ts';
import { keyOfPayload, schemaOf, validatePayload } from '../core/validate.ts';
import { TickbusError } from '../errors.ts';
import { Batcher, type Published } from './batcher.ts';

export type { Published } from './batcher.ts';

export interface PublishOptions<T extends string = string> {
  /** The message type. Default: the channel's `defaultType`. */
  type?: T | undefined;
  /** Who says it. Default: the publisher's `sender`. */
  sender?: string | undefined;
  /** Milliseconds until a command expires (kind `command`). Default: the channel's `expiresInMs`. */
  expiresInMs?: number | undefined;
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
}

const DEFAULT_DEADLINE_MS = 2_000;
const DEFAULT_MAX_PENDING = 32 * 1024 * 1024;

export class Publisher implements AsyncDisposable {
  readonly #settings: PublisherSettings;
  readonly #batchers = new Map<string, Batcher>();
  #closed = false;
  #connected: Promise<void> | undefined;
  #pending = 0;
  readonly #onSettled: (() => void)[] = [];

  constructor(settings: PublisherSettings) {
    checkAbove(0, settings.deadlineMs, 'deadlineMs', 'milliseconds');
    checkAbove(0, settings.maxPendingBytes, 'maxPendingBytes', 'bytes');
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
   * - It rejects with `TICKBUS_OUTCOME_UNKNOWN`: it was sent, and whether it was published cannot be known.
   *
   * Messages of one publisher on one channel are published in the order of the calls. Nothing is kept for later while the
   * link is down: the call rejects at once with `TICKBUS_NOT_CONNECTED`.
   *
   * @param data the payload; what is sent is the input as given, checked against the schema
   * @throws TickbusError `TICKBUS_INVALID_MESSAGE` (its `field` names the place), before anything is sent
   */
  async publish<C extends Channel, T extends MessageType<C> = DefaultType<C>>(
    channel: C,
    data: PayloadInput<C, T>,
    options: PublishOptions<T> = {},
  ): Promise<Published> {
    this.#assertOpen();
    const message = this.#outgoing(channel, data, options);
    this.#pending++;
    try {
      await this.#connectOnce();
      return await this.#batcher(channel).add(message);
    } finally {
      this.#pending--;
      if (this.#pending === 0) for (const resolve of this.#onSettled.splice(0)) resolve();
    }
  }

  /** Waits for what is on its way, each message up to its deadline, and ends. Publishing afterwards rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#pending === 0) return;
    await new Promise<void>((resolve) => this.#onSettled.push(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #connectOnce(): Promise<void> {
    this.#connected ??= this.#settings.transport.connect().catch((error: unknown) => {
      this.#connected = undefined;
      throw error;
    });
    return this.#connected;
  }

  #outgoing(channel: Channel, data: unknown, options: PublishOptions): Outgoing {
    const type = options.type ?? channel.defaultType;
    schemaOf(channel, type);
    if (options.expiresInMs !== undefined && channel.kind !== 'command') {
      const text = `expiresInMs is given, and ${channel} is no channel of commands. Leave it out.`;
      throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field: 'expiresInMs' });
    }
    const now = this.#settings.clock.now();
    const envelope: Envelope = {
      message_type: type,
      data: data as Envelope['data'],
      timestamp: now,
      sender: options.sender ?? this.#settings.sender,
      ...(channel.kind === 'command' ? commandFields(channel, options, now) : {}),
    };
    // The limits before the schema: some schemas cannot survive a payload that is nested without end.
    const json = encodeEnvelope(envelope);
    validatePayload(channel, type, data);
    const key = keyOfPayload(channel, type, envelope.data);
    return key === undefined ? { json } : { json, key };
  }

  #batcher(channel: Channel): Batcher {
    let batcher = this.#batchers.get(channel.name);
    if (batcher === undefined) {
      const { transport, clock, deadlineMs, maxPendingBytes } = this.#settings;
      batcher = new Batcher({
        channel,
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

function commandFields(
  channel: Channel,
  options: PublishOptions,
  now: number,
): Pick<Envelope, 'id' | 'expires_at'> {
  const expiresInMs = options.expiresInMs ?? channel.expiresInMs;
  const id = uuidv7({ msecs: now });
  if (expiresInMs === undefined) return { id };
  checkAbove(0, expiresInMs, 'expiresInMs', 'milliseconds');
  return { id, expires_at: Math.round(now + expiresInMs) };
}
