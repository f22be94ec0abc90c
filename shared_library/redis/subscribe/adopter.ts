// Keeps messages of plain clients as last values, on the channels that say so.

import type { Channel } from '../channel/channel.ts';
import { PartitionsChangedError } from '../channel/partitions.ts';
import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import { LogLimiter } from '../runtime/log-limiter.ts';
import type { Logger } from '../runtime/logger.ts';
import { microtask } from '../runtime/turns.ts';
import { type Adoption, MAX_ADOPTION_DELAY_MS, type PlainMessage } from '../transport/adoption-port.ts';
import type { Transport } from '../transport/port.ts';
import { adoptableText } from '../wire/adopted-prefix.ts';
import type { Envelope } from '../wire/envelope.ts';
import { keyOfPayload, validatePayload } from '../wire/payload-schema.ts';
import { ORIGIN, type Position } from '../wire/position.ts';

export interface AdopterOptions {
  /** The link for publishing. */
  readonly transport: Pick<Transport, 'connect' | 'adopt'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Where the server keeps the last value of a key. See `ChannelParts.placeOf`. */
export type PlaceOf = (key: string) => { readonly channel: Channel; readonly position: Position | undefined };

/** A message that waits to be adopted. */
interface Waiting extends Omit<PlainMessage, 'agoMs'> {
  /** Monotonic. */
  readonly heardAt: number;
}

/** The messages that wait for one channel or partition: the newest of each key. */
interface Queue {
  readonly channel: Channel;
  readonly waiting: Map<string, Waiting>;
  isSending: boolean;
  /** Until when nothing is sent, for lack of a permission (monotonic). */
  deniedUntil: number;
}

/** Milliseconds before a failed call is repeated. */
const RETRY_MS = 500;
/** Milliseconds before another attempt if the user lacks a permission. */
const DENIED_RETRY_MS = 60_000;
/** The maximum number of messages, and UTF-16 units of their texts, of one call: it blocks the server. */
const MAX_BATCH = 100;
const MAX_BATCH_UNITS = 256 * 1024;
/** The maximum number of keys that wait. Beyond it, messages are not kept. */
const MAX_WAITING = 10_000;

const REFUSALS: readonly (readonly [Adoption, string])[] = [
  ['full', 'the channel has too many keys for another one'],
  ['leased', 'its lease is held, so the holder alone writes last values'],
  ['redefined', 'another program defines it with another kind or key. Use one definition in all programs'],
];

/**
 * Any number of processes can adopt the same messages. Repetition changes nothing, so none of them has to be elected,
 * and a standby needs no takeover. A message is given up after `MAX_ADOPTION_DELAY_MS`.
 */
export class Adopter {
  readonly #options: AdopterOptions;
  readonly #log: LogLimiter;
  /** By the name of the channel or partition. */
  readonly #queues = new Map<string, Queue>();
  #cancelRetry: Unsubscribe | undefined;
  #isClosed = false;

  constructor(options: AdopterOptions) {
    this.#options = options;
    this.#log = new LogLimiter(options.logger, options.clock);
  }

  /**
   * Called with each message of a plain client as it arrives. Invalid ones are left out: the subscriber reports them.
   */
  hear(channel: Channel, message: Envelope, placeOf: PlaceOf): void {
    const { clock } = this.#options;
    const heardAt = clock.monotonic();
    if (this.#isClosed) return;
    try {
      const key = keyOfPayload(channel, message.message_type, message.data);
      if (key === undefined) return;
      validatePayload(channel, message.message_type, message.data);
      const place = placeOf(key);
      const text = adoptableText(message);
      this.#add(place.channel, { ...text, key, after: place.position ?? ORIGIN, heardAt });
    } catch {
      // Invalid, or too large with the fields that are added.
    }
  }

  /** Sends nothing more. */
  close(): void {
    this.#isClosed = true;
    this.#cancelRetry?.();
    this.#log.flush();
  }

  #add(channel: Channel, message: Waiting): void {
    let queue = this.#queues.get(channel.name);
    if (queue === undefined) {
      queue = { channel, waiting: new Map(), isSending: false, deniedUntil: 0 };
      this.#queues.set(channel.name, queue);
    }
    const { waiting } = queue;
    if (message.heardAt < queue.deniedUntil) return;
    if (waiting.size >= MAX_WAITING && !waiting.has(message.key)) return;
    waiting.set(message.key, message);
    this.#send(queue);
  }

  /** One call at a time for each channel, in a microtask: messages that arrive together are one batch. */
  #send(queue: Queue): void {
    if (queue.isSending || this.#isClosed) return;
    queue.isSending = true;
    microtask(() => void this.#sendAll(queue));
  }

  async #sendAll(queue: Queue): Promise<void> {
    const { transport } = this.#options;
    while (queue.waiting.size > 0 && !this.#isClosed) {
      const batch = this.#takeBatch(queue);
      try {
        await transport.connect();
        // Connecting can take long.
        const messages = this.#recent(batch);
        if (messages.length > 0) this.#report(queue.channel, await transport.adopt(queue.channel, messages));
      } catch (error) {
        queue.isSending = false;
        return this.#onError(queue, batch, error);
      }
    }
    queue.isSending = false;
  }

  #takeBatch({ waiting }: Queue): Waiting[] {
    const batch: Waiting[] = [];
    let units = 0;
    for (const [key, message] of waiting) {
      units += message.tail.length;
      if (batch.length > 0 && (batch.length >= MAX_BATCH || units > MAX_BATCH_UNITS)) break;
      waiting.delete(key);
      batch.push(message);
    }
    return batch;
  }

  #recent(batch: readonly Waiting[]): PlainMessage[] {
    const now = this.#options.clock.monotonic();
    return batch
      .map(({ heardAt, ...message }) => ({ ...message, agoMs: now - heardAt }))
      .filter(({ agoMs }) => agoMs <= MAX_ADOPTION_DELAY_MS);
  }

  #onError(queue: Queue, batch: readonly Waiting[], error: unknown): void {
    const { clock, logger } = this.#options;
    const { channel, waiting } = queue;
    const { name } = channel;
    // The next message of each key goes to its present partition.
    if (error instanceof PartitionsChangedError) return waiting.clear();
    if (error instanceof TickbusError && error.code === 'TICKBUS_DENIED') {
      queue.deniedUntil = clock.monotonic() + DENIED_RETRY_MS;
      waiting.clear();
      const text = 'Messages of plain clients are not kept as last values: this user may not write them.';
      return this.#log.write('warn', name, { channel: name, err: error }, text);
    }
    logger.debug({ channel: name, err: error }, 'Adopting messages of plain clients failed.');
    for (const message of batch) if (!waiting.has(message.key)) waiting.set(message.key, message);
    this.#cancelRetry ??= clock.after(RETRY_MS, () => {
      this.#cancelRetry = undefined;
      for (const each of this.#queues.values()) if (each.waiting.size > 0) this.#send(each);
    });
  }

  #report({ name }: Channel, adoptions: readonly Adoption[]): void {
    for (const [adoption, reason] of REFUSALS)
      if (adoptions.includes(adoption))
        this.#log.write(
          'warn',
          name,
          { channel: name },
          `Messages of plain clients are not kept as last values: ${reason}.`,
        );
  }
}
