// Subscribing: which handlers want what, one channel reader each channel, and everything that is told about them.

import type { Channel, MessageType } from '../core/channel.ts';
import { Emitter } from '../core/emitter.ts';
import type { Message, MessageOf } from '../core/message.ts';
import type { Clock, Logger, Transport, Unsubscribe } from '../core/ports.ts';
import { printable } from '../core/printable.ts';
import type { Position } from '../core/sequence.ts';
import type { Gap, SubscriberStatus } from '../core/status.ts';
import { TickbusError } from '../errors.ts';
import { ChannelReader } from './channel-reader.ts';
import { MessageStream } from './message-stream.ts';
import { type Dropped, Subscription, type SubscriptionOptions } from './subscription.ts';
import { Turn } from './turn.ts';

export interface SubscribeOptions<C extends Channel, T extends MessageType<C> = MessageType<C>> {
  /** Only these message types. Default: all of the channel. */
  types?: readonly T[];
  /** Only messages with one of these keys (the symbol on PRICE_DATA). Default: all. */
  keys?: readonly string[];
  /** Only messages for which this returns true. Called once a message as it arrives, so keep it cheap. Default: all. */
  where?: (message: MessageOf<C, T>) => boolean;
  /**
   * The most messages that may wait for the handler. Past it the oldest is dropped and reported as a gap (cause `overflow`).
   * Default 10,000; on a `state` channel unlimited, as only the newest of each key waits.
   */
  queueLimit?: number;
}

/** Called with one message at a time; a returned promise is awaited before the next. */
export type MessageHandler<C extends Channel, T extends MessageType<C> = MessageType<C>> = (
  message: MessageOf<C, T>,
) => unknown;

/** An inbound message that was not delivered. */
export interface InvalidMessage {
  readonly channel: string;
  /** Says what is wrong; `error.field` names the place. */
  readonly error: TickbusError;
  /** The beginning of the message, escaped and cut. */
  readonly preview: string;
}

/** A handler, or a `where`, that threw or rejected. The other handlers got the message all the same. */
export interface HandlerError {
  readonly channel: string;
  readonly error: unknown;
  readonly message: Message;
}

/** A command that was not handled because its time was over. */
export interface ExpiredMessage {
  readonly channel: string;
  readonly message: Message;
}

export interface SubscriberEvents {
  status: SubscriberStatus;
  invalid_message: InvalidMessage;
  handler_error: HandlerError;
  expired: ExpiredMessage;
}

/** One channel, as this subscriber has it. Counted since the first subscription of the channel. */
export interface ChannelReport {
  readonly mode: 'idle' | 'recovering' | 'live' | 'closed';
  /** Where the reader stands; undefined before it is known, and on `plain` channels. */
  readonly position: Position | undefined;
  /** Messages that arrived. */
  readonly received: number;
  /** Messages handed to handlers, counted once a handler. */
  readonly delivered: number;
  /** Messages that stand merged in a newer one of their key, once a handler. */
  readonly conflated: number;
  readonly invalid: number;
  readonly expired: number;
  readonly gaps: number;
  /** Messages known to be lost and not repaired; what a change of epoch hides is not in it. */
  readonly lost: number;
  readonly repaired: number;
  readonly handlerErrors: number;
  /** Messages that wait for handlers now. */
  readonly queueDepth: number;
}

export interface SubscriberSettings {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
}

const DEFAULT_QUEUE_LIMIT = 10_000;
const DEFAULT_DRAIN_MS = 5_000;
const PREVIEW_BYTES = 1_000;

/** The options of a subscription when its channel's types no longer matter. */
type Filters = SubscribeOptions<Channel>;

interface Entry {
  readonly channel: Channel;
  readonly reader: ChannelReader;
  readonly counters: {
    delivered: number;
    conflated: number;
    expired: number;
    handlerErrors: number;
    dropped: number;
  };
}

export class Subscriber implements AsyncDisposable {
  readonly #settings: SubscriberSettings;
  readonly #turn: Turn;
  readonly #events: Emitter<SubscriberEvents>;
  readonly #entries = new Map<string, Entry>();
  readonly #streams = new Map<Subscription, MessageStream>();
  readonly #stopWatching: Unsubscribe;
  #state: 'new' | 'listening' | 'closed' = 'new';
  #starting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(settings: SubscriberSettings) {
    this.#settings = settings;
    this.#turn = new Turn(settings.clock);
    this.#events = new Emitter<SubscriberEvents>((error, event) =>
      settings.logger.error({ err: error, event }, 'A listener of the subscriber threw.'),
    );
    this.#stopWatching = settings.transport.onStatus((status) => {
      this.#events.emit('status', status);
      if (status.type === 'connected' && this.#state === 'listening') this.#restartAll();
    });
  }

  /**
   * Calls `handler` with the messages of a channel, before or after `startListening()`, any number of handlers a channel.
   * Filters are applied before the queue of the subscription, so what is not wanted never takes a place in it.
   *
   * @returns a function that ends the subscription; no message is handled after it was called
   * @throws TickbusError `TICKBUS_INVALID_OPTION` for filters that the channel cannot serve
   */
  subscribe<C extends Channel, T extends MessageType<C> = MessageType<C>>(
    channel: C,
    handler: MessageHandler<C, T>,
    options: SubscribeOptions<C, T> = {},
  ): Unsubscribe {
    const { entry, subscription } = this.#add(
      channel,
      handler as (message: Message) => unknown,
      options as unknown as Filters,
    );
    return () => this.#remove(entry, subscription);
  }

  /**
   * The messages of a channel for a `for await` loop. The loop's body is the handler: while it works, messages wait in the
   * subscription's bounded queue. Leaving the loop, or `close()`, ends the subscription.
   */
  messages<C extends Channel, T extends MessageType<C> = MessageType<C>>(
    channel: C,
    options: SubscribeOptions<C, T> = {},
  ): AsyncIterableIterator<MessageOf<C, T>> {
    const handler = (message: Message) => stream.push(message);
    const { entry, subscription } = this.#add(channel, handler, options as unknown as Filters);
    const stream = new MessageStream(() => {
      this.#remove(entry, subscription);
      this.#streams.delete(subscription);
    });
    this.#streams.set(subscription, stream);
    return stream as AsyncIterableIterator<unknown> as AsyncIterableIterator<MessageOf<C, T>>;
  }

  /**
   * Connects and subscribes; resolves when the server has acknowledged every subscription. From then on nothing that is
   * published is missed without being reported.
   *
   * @throws TickbusError `TICKBUS_CONNECT_FAILED`, `TICKBUS_AUTH_FAILED` or `TICKBUS_DENIED`, at once, saying what to try
   */
  startListening(): Promise<void> {
    this.#starting ??= this.#listen().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  /** Listens to what is told; returns a function that stops it. A listener that throws is contained. */
  on<K extends keyof SubscriberEvents>(
    event: K,
    listener: (event: SubscriberEvents[K]) => void,
  ): Unsubscribe {
    return this.#events.on(event, listener);
  }

  /** How a channel is doing; undefined when nothing subscribes to it. */
  status(channel: Channel): ChannelReport | undefined {
    const entry = this.#entries.get(channel.name);
    if (entry === undefined) return undefined;
    const { reader, counters } = entry;
    const { dropped, ...own } = counters;
    const queueDepth = [...reader.subscriptions].reduce((sum, { depth }) => sum + depth, 0);
    const { mode, position } = reader;
    return { mode, position, ...reader.counters, ...own, lost: reader.counters.lost + dropped, queueDepth };
  }

  /**
   * Stops listening, lets the handlers finish what was received, and ends. What is not handled within `timeoutMs`
   * (default 5,000) is dropped and reported as a gap (cause `overflow`). A `messages()` loop still gets what was received,
   * at its own pace, and then ends.
   */
  close({ timeoutMs = DEFAULT_DRAIN_MS }: { timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #listen(): Promise<void> {
    this.#assertOpen();
    await this.#settings.transport.connect();
    this.#assertOpen();
    // What is subscribed to while these are being acknowledged is started by itself.
    this.#state = 'listening';
    await Promise.all([...this.#entries.values()].map(({ reader }) => reader.start()));
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#state = 'closed';
    this.#stopWatching();
    const entries = [...this.#entries.values()];
    const { promise: timedOut, cancel } = timeout(this.#settings.clock, timeoutMs);
    await Promise.race([Promise.all(entries.map(({ reader }) => reader.settled())), timedOut]);
    for (const { reader } of entries) reader.stop();
    for (const [subscription, stream] of this.#streams) subscription.drained().then(() => stream.end());
    const handlers = entries
      .flatMap(({ reader }) => [...reader.subscriptions])
      .filter((subscription) => !this.#streams.has(subscription));
    await Promise.race([Promise.all(handlers.map((subscription) => subscription.drained())), timedOut]);
    cancel();
    for (const subscription of handlers) subscription.abandon();
    this.#entries.clear();
  }

  #add(channel: Channel, handler: (message: Message) => unknown, options: Filters) {
    this.#assertOpen();
    const filters = checkedOptions(channel, options);
    const entry = this.#entry(channel);
    const subscription = this.#subscription(entry, handler, filters);
    entry.reader.add(subscription);
    if (this.#state === 'listening' && entry.reader.mode === 'idle') this.#start(entry);
    return { entry, subscription };
  }

  /** The last subscription of a channel takes its reader with it. */
  #remove(entry: Entry, subscription: Subscription): void {
    subscription.close();
    entry.reader.remove(subscription);
    if (entry.reader.subscriptions.size > 0 || this.#entries.get(entry.channel.name) !== entry) return;
    entry.reader.stop();
    this.#entries.delete(entry.channel.name);
  }

  #entry(channel: Channel): Entry {
    const known = this.#entries.get(channel.name);
    if (known?.channel === channel) return known;
    if (known !== undefined) {
      throw invalidOption(
        `The channel ${channel} is subscribed to already with another definition. Share one definition of it.`,
      );
    }
    const { transport, clock } = this.#settings;
    const hooks = {
      onStatus: (status: SubscriberStatus) => this.#tell(status),
      onInvalid: (error: TickbusError, frame: Uint8Array) => this.#invalid(channel, error, frame),
    };
    const reader = new ChannelReader({ channel, transport, clock, hooks });
    const counters = { delivered: 0, conflated: 0, expired: 0, handlerErrors: 0, dropped: 0 };
    const entry: Entry = { channel, reader, counters };
    this.#entries.set(channel.name, entry);
    return entry;
  }

  #subscription(
    entry: Entry,
    handler: (message: Message) => unknown,
    filters: SubscriptionOptions,
  ): Subscription {
    const { counters } = entry;
    return new Subscription(
      filters,
      {
        handle: (message) => {
          counters.delivered++;
          counters.conflated += message.conflated ?? 0;
          return handler(message);
        },
        onOverflow: (dropped) => this.#overflow(entry, dropped),
        onError: (error, message) => this.#handlerError(entry, error, message),
        isCurrent: (message) => this.#isCurrent(entry, message),
      },
      this.#turn,
    );
  }

  /** After `startListening`; what fails here is told, not thrown, and a lost link brings the next try by itself. */
  #start(entry: Entry): void {
    entry.reader.start().catch((error: TickbusError) => {
      if (error.code === 'TICKBUS_NOT_CONNECTED' || this.#state === 'closed') return;
      this.#tell({ type: 'recovery_failed', channel: entry.channel.name, error });
    });
  }

  #restartAll(): void {
    for (const entry of this.#entries.values()) this.#start(entry);
  }

  #isCurrent({ channel, counters }: Entry, message: Message): boolean {
    if (message.expires_at === undefined || message.expires_at > this.#settings.clock.now()) return true;
    counters.expired++;
    this.#settings.logger.warn(
      { channel: channel.name, id: printable(message.id ?? ''), expires_at: message.expires_at },
      'A command was not delivered: its time is over.',
    );
    this.#events.emit('expired', { channel: channel.name, message });
    return false;
  }

  #overflow({ channel, counters }: Entry, dropped: Dropped): void {
    counters.dropped += dropped.lost;
    this.#tell({ type: 'gap', channel: channel.name, cause: 'overflow', ...dropped, repaired: false });
  }

  #handlerError({ channel, counters }: Entry, error: unknown, message: Message): void {
    counters.handlerErrors++;
    this.#settings.logger.error(
      { channel: channel.name, err: error },
      'A message handler failed; the other handlers go on.',
    );
    this.#events.emit('handler_error', { channel: channel.name, error, message });
  }

  #invalid(channel: Channel, error: TickbusError, frame: Uint8Array): void {
    const preview = printable(new TextDecoder().decode(frame.subarray(0, PREVIEW_BYTES)));
    this.#settings.logger.warn(
      { channel: channel.name, reason: error.message, preview },
      'An invalid message was not delivered.',
    );
    this.#events.emit('invalid_message', { channel: channel.name, error, preview });
  }

  #tell(status: SubscriberStatus): void {
    this.#log(status);
    this.#events.emit('status', status);
  }

  #log(status: SubscriberStatus): void {
    const { logger } = this.#settings;
    if (status.type === 'gap') logger[status.repaired ? 'info' : 'warn'](status, gapSentence(status));
    else if (status.type === 'recovery_failed') {
      logger.error(
        { channel: status.channel, err: status.error },
        'The channel could not be read; trying again.',
      );
    } else logger.debug(status, 'The channel changed its state.');
  }

  #assertOpen(): void {
    if (this.#state === 'closed')
      throw new TickbusError('TICKBUS_CLOSED', 'This subscriber was closed. Make a new one to listen again.');
  }
}

function checkedOptions(channel: Channel, options: Filters): SubscriptionOptions {
  const { types, keys, where, queueLimit } = options;
  for (const type of types ?? []) {
    if (!Object.hasOwn(channel.messages, type)) {
      const known = Object.keys(channel.messages).join(', ');
      throw invalidOption(
        `The channel ${channel} has no message type "${printable(type)}". It has ${known}.`,
      );
    }
  }
  if (keys !== undefined && !channel.keyed) {
    throw invalidOption(
      `The channel ${channel} has no key, so \`keys\` cannot filter it. Use \`where\`, or define the channel with a key.`,
    );
  }
  if (queueLimit !== undefined && !(queueLimit >= 1)) {
    throw invalidOption(`queueLimit is ${queueLimit}. Use a number of messages, 1 or above.`);
  }
  const conflate = channel.kind === 'state';
  return {
    types,
    keys,
    where,
    queueLimit: queueLimit ?? (conflate ? Number.POSITIVE_INFINITY : DEFAULT_QUEUE_LIMIT),
    conflate,
  };
}

function gapSentence({ repaired, cause }: Gap): string {
  if (repaired) return 'Messages were missed, fetched and delivered in order.';
  return cause === 'overflow' ? 'The handler is too slow; messages were dropped.' : 'Messages were lost.';
}

function timeout(clock: Clock, ms: number): { promise: Promise<void>; cancel: Unsubscribe } {
  let cancel: Unsubscribe = () => {};
  const promise = new Promise<void>((resolve) => {
    cancel = clock.after(ms, resolve);
  });
  return { promise, cancel };
}

function invalidOption(message: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', message);
}
