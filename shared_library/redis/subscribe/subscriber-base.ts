// The subscriber: its public methods, its connection and its shutdown.

import type { Channel, MessageType } from '../channel/channel.ts';
import { checkChannel } from '../channel/check-channel.ts';
import { TickbusError } from '../errors.ts';
import type { Latest } from '../freshness/latest.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import { checkListener, checkOptionNames, checkType } from '../runtime/option-checks.ts';
import { timeout } from '../runtime/timeout.ts';
import type { Message, MessageOf } from '../wire/message.ts';
import { MessageStream } from './message-stream.ts';
import { type ChannelReport, Reports, SUBSCRIBER_EVENTS, type SubscriberEvents } from './reports.ts';
import type { SubscriberStatus } from './status.ts';
import { StatusStream } from './status-stream.ts';
import { SubscribedChannels, type SubscriberSettings } from './subscribed-channels.ts';
import type { Subscription } from './subscription.ts';
import type { Filters, MessageHandler, SubscribeOptions } from './subscription-options.ts';
import type { Observer } from './tap.ts';

const DEFAULT_DRAIN_MS = 5_000;

export class SubscriberBase implements AsyncDisposable {
  readonly #settings: SubscriberSettings;
  readonly #reports: Reports;
  readonly #channels: SubscribedChannels;
  readonly #streams = new Map<Subscription, MessageStream>();
  readonly #statusStreams = new Set<StatusStream>();
  readonly #stopWatching: Unsubscribe;
  #state: 'new' | 'listening' | 'closed' = 'new';
  #starting: Promise<void> | undefined;
  #onLinkFailed: (error: TickbusError) => void = () => {};
  #closing: Promise<void> | undefined;

  constructor(settings: SubscriberSettings) {
    this.#settings = settings;
    this.#reports = new Reports(settings.logger, settings.clock);
    this.#channels = new SubscribedChannels(settings, this.#reports);
    this.#stopWatching = settings.transport.onStatus((status) => {
      this.#reports.link(status);
      if (this.#state !== 'listening') return;
      this.#channels.linkChanged(status);
      // The link does not reconnect any more. The next `startListening` connects again.
      if (status.type === 'failed') {
        this.#starting = undefined;
        this.#onLinkFailed(status.error);
      }
    });
  }

  /**
   * Calls `handler` with the messages of a channel, before or after `startListening()`. A channel can have any number
   * of handlers. Filters are applied before the subscription's queue, so rejected messages take no place in it.
   *
   * @returns a function that ends the subscription; the handler is not called after that
   * @throws TickbusError `TICKBUS_INVALID_OPTION` for filters that the channel does not support;
   *   `TICKBUS_LIMIT_EXCEEDED` for more keys than a subscriber can request from a gateway
   */
  subscribe<C extends Channel, T extends MessageType<C> = MessageType<C>>(
    channel: C,
    handler: NoInfer<MessageHandler<C, T>>,
    options: SubscribeOptions<C, T> = {},
  ): Unsubscribe {
    return this.#subscribe(channel, handler as (message: Message) => unknown, options as unknown as Filters)
      .remove;
  }

  /**
   * The messages of a channel for a `for await` loop. The body of the loop is the handler: while it runs, messages
   * wait in the subscription's bounded queue. Leaving the loop, or `close()`, ends the subscription.
   */
  messages<C extends Channel, T extends MessageType<C> = MessageType<C>>(
    channel: C,
    options: SubscribeOptions<C, T> = {},
  ): AsyncIterableIterator<MessageOf<C, T>> {
    const handler = (message: Message) => stream.push(message);
    const { subscription, remove } = this.#subscribe(channel, handler, options as unknown as Filters);
    const stream = new MessageStream(() => {
      remove();
      this.#streams.delete(subscription);
    });
    this.#streams.set(subscription, stream);
    return stream as AsyncIterableIterator<unknown> as AsyncIterableIterator<MessageOf<C, T>>;
  }

  /**
   * Shows `observer` every valid message of a channel, before or after `startListening()`: for metrics, audits and
   * tests. It is called synchronously as each message arrives, before the filters and queues of subscriptions. So it
   * also sees messages that they reject or merge, and repeated commands; no messages of an older position.
   *
   * The observer gets `{ message, position, delivery }`. `position` is undefined for a message without a number.
   * `delivery` is `live`, `recovered` or `snapshot`: a new tap of a `state` channel sees the last values first.
   *
   * A tap has no queue, declares no demand for keys and does not feed `latest()`. Of the counters, only `handlerErrors`
   * includes it. It runs in the receive path, so keep it short. Every message is validated. If the observer throws or
   * rejects, the error is reported as `handler_error`; delivery continues.
   *
   * @returns a function that removes the tap; the observer is not called after that
   * @throws TickbusError `TICKBUS_INVALID_OPTION` for an observer that is not a function, or a channel that is
   *   subscribed to with another definition; `TICKBUS_CLOSED` after `close()`
   * @example
   * const stop = subscriber.tap(CHANNELS.PRICE_DATA, ({ message, position, delivery }) => {
   *   console.log(message.data.symbol, position?.seq, delivery);
   * });
   */
  tap<C extends Channel>(channel: C, observer: Observer<C>): Unsubscribe {
    this.#assertOpen();
    checkChannel(channel);
    checkCallback(observer, `The observer of ${channel} is not a function, so nothing is tapped.`);
    return this.#channels.tap(channel, observer as unknown as Observer);
  }

  /**
   * Connects and subscribes. Resolves when the server has acknowledged every subscription and the position in every
   * channel is known: from then on each published message is delivered or reported as lost. Call it again to connect
   * after a link has failed for good (`reconnect: false`, or credentials, a subscription or TLS failed several times).
   *
   * @throws TickbusError such as `TICKBUS_CONNECT_FAILED`, `TICKBUS_AUTH_FAILED`, `TICKBUS_TLS_FAILED` or
   *   `TICKBUS_DENIED`, without retrying, with advice; `TICKBUS_INVALID_OPTION` with the field `db` if another database
   *   of the server uses a channel
   */
  async startListening(): Promise<void> {
    this.#assertOpen();
    this.#starting ??= this.#listen().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    await this.#starting;
  }

  /**
   * Adds a listener for an event; returns a function that removes it. An error that a listener throws is logged.
   *
   * @throws TickbusError `TICKBUS_INVALID_OPTION` for an unknown event
   */
  on<K extends keyof SubscriberEvents>(
    event: K,
    listener: (event: SubscriberEvents[K]) => void,
  ): Unsubscribe {
    checkListener('A subscriber', event, listener, SUBSCRIBER_EVENTS);
    const remove = this.#reports.on(event, listener);
    if (event !== 'verdict' || this.#state === 'closed') return remove;
    const stop = this.#channels.watchVerdicts();
    return () => {
      remove();
      stop();
    };
  }

  /**
   * The newest value of a key and the verdict on it at this instant. A channel without a subscription has no values.
   * The message is decoded on the first call. Each call returns a copy of its own.
   *
   * @param bounds in milliseconds. `maxAgeMs` limits the time since the value, or its feed, was confirmed (default: the
   *   subscription's, else 5,000). `maxQuietMs` limits the time without an update of this key while its feed is
   *   confirmed (default: the subscription's, else the channel's, else `maxAgeMs`)
   * @throws TickbusError `TICKBUS_INVALID_OPTION` for invalid bounds, and for a channel that is not of kind `state`
   */
  latest<C extends Channel>(
    channel: C,
    key: string,
    bounds: { maxAgeMs?: number | undefined; maxQuietMs?: number | undefined } = {},
  ): Latest<MessageOf<C>> {
    checkQuery(channel, key, bounds);
    const input = this.#channels.freshnessInput(channel, key);
    return this.#channels.freshness.latest(input, key, bounds) as Latest<unknown> as Latest<MessageOf<C>>;
  }

  /**
   * The newest value of a key, if it is proved to be fresh at this instant. Clocks are read when it is called, so a
   * process that was suspended, or whose event loop was blocked, gets the error and no stale value.
   *
   * @param bounds as for `latest`
   * @throws StaleDataError unless the value is proved to be fresh; its `verdict` says why
   * @throws TickbusError `TICKBUS_INVALID_OPTION` as `latest`
   */
  requireFresh<C extends Channel>(
    channel: C,
    key: string,
    bounds: { maxAgeMs: number; maxQuietMs?: number | undefined },
  ): MessageOf<C> {
    checkQuery(channel, key, bounds);
    const input = this.#channels.freshnessInput(channel, key);
    return this.#channels.freshness.requireFresh(input, channel, key, bounds) as unknown as MessageOf<C>;
  }

  /**
   * The events of `on('status')` from now on, for a `for await` loop. `close()` ends the loop. A loop that is more
   * than 1,000 statuses behind misses the oldest.
   */
  statusChanges(): AsyncIterableIterator<SubscriberStatus, undefined> {
    this.#assertOpen();
    const stop = this.on('status', (status) => stream.push(status));
    const stream = new StatusStream(() => {
      stop();
      this.#statusStreams.delete(stream);
    });
    this.#statusStreams.add(stream);
    return stream;
  }

  /** The counters and the state of a channel, also after `close()`; undefined if nothing subscribes to it. */
  status(channel: Channel): ChannelReport | undefined {
    checkChannel(channel);
    return this.#channels.get(channel)?.report;
  }

  /**
   * Stops listening and waits until the handlers have processed what was received. Messages that are not handled
   * within `timeoutMs` (default 5,000) are dropped and reported as a gap (cause `overflow`). A `messages()` loop
   * still gets what was received and then ends.
   */
  close(options: { timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs = DEFAULT_DRAIN_MS } = options;
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  protected reportNameTaken(error: TickbusError): void {
    this.#reports.link({ type: 'name_taken', error });
  }

  async #listen(): Promise<void> {
    this.#assertOpen();
    const { freshness } = this.#channels;
    freshness.connecting();
    await this.#settings.transport.connect().catch((error: unknown) => {
      freshness.notConnected();
      throw error;
    });
    await this.#settings.onConnected?.();
    this.#assertOpen();
    this.#state = 'listening';
    await this.#channels.start(() => this.#linkFailure());
  }

  /** Rejects when the link does not reconnect any more. Stays pending while the link is only interrupted. */
  #linkFailure(): Promise<never> {
    return new Promise((_, reject) => {
      this.#onLinkFailed = reject;
    });
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#state = 'closed';
    this.#stopWatching();
    const { promise: timedOut, cancel } = timeout(this.#settings.clock, timeoutMs);
    await this.#channels.close(
      timedOut,
      (subscription) => !this.#streams.has(subscription),
      () => this.#endStreams(),
    );
    cancel();
    for (const stream of this.#statusStreams) stream.end();
    this.#reports.close();
  }

  /** Each loop ends once it has consumed its queue. */
  #endStreams(): void {
    for (const [subscription, stream] of this.#streams) subscription.drained().then(() => stream.end());
  }

  #subscribe(channel: Channel, handler: (message: Message) => unknown, options: Filters) {
    this.#assertOpen();
    checkChannel(channel);
    checkCallback(handler, `The handler for ${channel} is not a function, so nothing is subscribed.`);
    return this.#channels.subscribe(channel, handler, options);
  }

  #assertOpen(): void {
    if (this.#state === 'closed') throw new TickbusError('TICKBUS_CLOSED', IS_CLOSED);
  }
}

const IS_CLOSED = 'This subscriber was closed. Create a new one to listen again.';

function checkCallback(callback: unknown, problem: string): void {
  if (typeof callback === 'function') return;
  throw new TickbusError('TICKBUS_INVALID_OPTION', `${problem} Pass a function.`);
}

function checkQuery(channel: Channel, key: string, bounds: object): void {
  checkChannel(channel);
  if (typeof key !== 'string') checkType('key', key ?? null, 'string');
  checkOptionNames('latest', bounds, BOUND_NAMES);
}

const BOUND_NAMES = { maxAgeMs: true, maxQuietMs: true } as const;
