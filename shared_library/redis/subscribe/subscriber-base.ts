// Subscribing: which handlers want what, and one channel reader for each channel that any of them wants.

import type { Channel, MessageType } from '../channel/channel.ts';
import { TickbusError } from '../errors.ts';
import { Freshness, type Judged } from '../freshness/freshness.ts';
import type { FeedChannels } from '../freshness/gateway-status.ts';
import type { FreshnessTimes, Latest } from '../freshness/latest.ts';
import { type VerdictChange, VerdictPoller } from '../freshness/verdict-poller.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Transport } from '../transport/port.ts';
import type { Message, MessageOf } from '../wire/message.ts';
import { EventLoopTurn } from './event-loop-turn.ts';
import { LagMonitor, type Watched } from './lag-monitor.ts';
import { MessageStream } from './message-stream.ts';
import { type ChannelReport, Reports, type SubscriberEvents } from './reports.ts';
import type { SubscriberStatus } from './status.ts';
import { StatusStream } from './status-stream.ts';
import { SubscribedChannel } from './subscribed-channel.ts';
import type { Subscription } from './subscription.ts';
import {
  checkedOptions,
  type Filters,
  type MessageHandler,
  type SubscribeOptions,
} from './subscription-options.ts';
import type { Observer } from './tap.ts';

export interface SubscriberSettings {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How it is called on the server, for the operator; made unlike any other by a number behind it. Default `subscriber`. */
  readonly name?: string;
  /** Where gateways tell how their feeds are; without it nothing that they feed is ever fresh. */
  readonly feeds?: FeedChannels | undefined;
  readonly freshness?: FreshnessTimes | undefined;
}

const DEFAULT_DRAIN_MS = 5_000;

const LINK_IS_DOWN = 'The link to Redis is down.';

export class SubscriberBase implements AsyncDisposable {
  readonly #settings: SubscriberSettings;
  readonly #turn: EventLoopTurn;
  readonly #reports: Reports;
  readonly #entries = new Map<string, SubscribedChannel>();
  readonly #streams = new Map<Subscription, MessageStream>();
  readonly #statusStreams = new Set<StatusStream>();
  readonly #lagMonitor: LagMonitor;
  readonly #freshness: Freshness;
  readonly #verdictPoller: VerdictPoller;
  readonly #stopWatching: Unsubscribe;
  #state: 'new' | 'listening' | 'closed' = 'new';
  #starting: Promise<void> | undefined;
  #onLinkFailed: (error: TickbusError) => void = () => {};
  #closing: Promise<void> | undefined;

  constructor(settings: SubscriberSettings) {
    this.#settings = settings;
    this.#turn = new EventLoopTurn(settings.clock);
    this.#reports = new Reports(settings.logger);
    this.#lagMonitor = new LagMonitor({
      clock: settings.clock,
      watched: () => this.#watched(),
      onSlow: (slow) => this.#reports.status(slow),
    });
    this.#freshness = new Freshness({
      ...settings.freshness,
      transport: settings.transport,
      clock: settings.clock,
      logger: settings.logger,
      feeds: settings.feeds,
      onInstrument: (change) => this.#reports.instrument(change),
      subscriptionsOf: (channel) => this.#entries.get(channel)?.reader.subscriptions ?? [],
      onLeaseClaimed: (channel, lease) => {
        const reader = this.#entries.get(channel)?.reader;
        if (reader?.lease !== lease) reader?.checkHead();
      },
    });
    this.#verdictPoller = new VerdictPoller({
      clock: settings.clock,
      look: () => this.#verdicts(),
      onChange: (change) => this.#reports.verdict(change),
    });
    this.#stopWatching = settings.transport.onStatus((status) => {
      this.#reports.link(status);
      if (this.#state !== 'listening') return;
      if (status.type === 'stale') this.#freshness.linkDown(LINK_IS_DOWN);
      if (status.type === 'connected') this.#restartAll();
      if (status.type === 'disconnected' || status.type === 'failed') this.#suspendAll();
      // The link does not come back by itself: `startListening` begins anew.
      if (status.type === 'failed') {
        this.#starting = undefined;
        this.#onLinkFailed(status.error);
      }
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
    handler: NoInfer<MessageHandler<C, T>>,
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
   * Shows `observer` every valid message of a channel, before or after `startListening()`: for metrics, audits and tests. It is
   * called synchronously as each message arrives, before the filters and queues of subscriptions. It sees what their `types`, `keys`
   * and `where` reject, what conflation merges for a slow handler, and commands that arrive twice. Messages of an older position
   * and payloads that their schema rejects are not shown.
   *
   * The observer gets `{ message, position, delivery }`. `position` is `{ epoch, seq }`, undefined for a message without a number.
   * `delivery` is `live`, `recovered` or `snapshot`. A new tap of a `state` channel sees the last value of each key first.
   *
   * A tap subscribes to the channel by itself. It is no handler: it has no queue, declares no demand for keys, feeds no `latest()`
   * and counts in no report, but for `handlerErrors`. It runs in the receive path, so keep it short. Each message is validated, also
   * one that no subscription wants. An error that it throws, or a promise that it rejects, is reported as `handler_error`; delivery
   * continues.
   *
   * @returns a function that removes the tap; the observer is not called after that
   * @throws TickbusError `TICKBUS_INVALID_OPTION` for an observer that is not a function, or a channel that is known under another
   *   definition; `TICKBUS_CLOSED` after `close()`
   * @example
   * const stop = subscriber.tap(CHANNELS.PRICE_DATA, ({ message, position, delivery }) => {
   *   console.log(message.data.symbol, position?.seq, delivery);
   * });
   */
  tap<C extends Channel>(channel: C, observer: Observer<C>): Unsubscribe {
    this.#assertOpen();
    if (typeof observer !== 'function') {
      const text = `The observer of ${channel} is not a function, so nothing is tapped. Pass a function.`;
      throw new TickbusError('TICKBUS_INVALID_OPTION', text);
    }
    const entry = this.#entry(channel);
    const tap = entry.tap(observer as unknown as Observer);
    this.#startIfListening(entry);
    return () => {
      if (!entry.reader.taps.has(tap)) return;
      entry.reader.remove(tap);
      this.#endIfUnused(entry);
    };
  }

  /**
   * Connects and subscribes; resolves when the server has acknowledged every subscription and the place in every channel is
   * known. From then on nothing that is published is missed without being reported. Also begins anew after a link that is not re-established (`reconnect: false`, or
   * refused credentials).
   *
   * @throws TickbusError `TICKBUS_CONNECT_FAILED`, `TICKBUS_AUTH_FAILED` or `TICKBUS_DENIED`, at once, saying what to try
   */
  async startListening(): Promise<void> {
    this.#assertOpen();
    this.#starting ??= this.#listen().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    await this.#starting;
  }

  /** Listens to what is told; returns a function that stops it. A listener that throws is contained. */
  on<K extends keyof SubscriberEvents>(
    event: K,
    listener: (event: SubscriberEvents[K]) => void,
  ): Unsubscribe {
    const remove = this.#reports.on(event, listener);
    if (event !== 'verdict' || this.#state === 'closed') return remove;
    const stop = this.#verdictPoller.listen();
    return () => {
      remove();
      stop();
    };
  }

  /**
   * The newest value of a key, and whether it may be believed at this instant. Of what is not subscribed to there is none. The message is
   * read and validated anew when it is asked for, once until the next one comes; a handler that has it takes its own.
   *
   * @param bounds milliseconds. `maxAgeMs`: default the subscription's, else 5,000. `maxQuietMs`, for how long the key may be quiet while
   *   its feed is confirmed within `maxAgeMs`: default the subscription's, else the channel's, else no longer than `maxAgeMs`
   * @throws TickbusError `TICKBUS_INVALID_OPTION` for bounds that are none, and channels not of kind `state`
   */
  latest<C extends Channel>(
    channel: C,
    key: string,
    bounds: { maxAgeMs?: number | undefined; maxQuietMs?: number | undefined } = {},
  ): Latest<MessageOf<C>> {
    return this.#freshness.latest(this.#judged(channel), key, bounds) as Latest<unknown> as Latest<
      MessageOf<C>
    >;
  }

  /**
   * The newest value of a key, if it is proved to be fresh at this instant. Judged by clocks when it is called: a process that hangs, or
   * a loop that lets nothing else run, gets the error in time.
   *
   * @param bounds as for `latest`
   * @throws StaleDataError in every other case: its `verdict` says why
   * @throws TickbusError `TICKBUS_INVALID_OPTION` as `latest`
   */
  requireFresh<C extends Channel>(
    channel: C,
    key: string,
    bounds: { maxAgeMs: number; maxQuietMs?: number | undefined },
  ): MessageOf<C> {
    const message = this.#freshness.requireFresh(this.#judged(channel), channel, key, bounds);
    return message as unknown as MessageOf<C>;
  }

  /**
   * Everything that `on('status')` tells from now on, for a `for await` loop. `close()` ends the loop. One that is more than
   * 1,000 statuses behind misses the oldest.
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

  /** How a channel is doing, and after `close()` how it did; undefined when nothing subscribed to it. */
  status(channel: Channel): ChannelReport | undefined {
    return this.#entries.get(channel.name)?.report;
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
    this.#freshness.connecting();
    await this.#settings.transport.connect().catch((error: unknown) => {
      this.#freshness.notConnected();
      throw error;
    });
    this.#assertOpen();
    // What is subscribed to while these are being acknowledged is started by itself.
    this.#state = 'listening';
    this.#lagMonitor.start();
    this.#freshness.linkUp();
    for (const { demand } of this.#entries.values()) demand?.start();
    const readers = [...this.#entries.values()].map(({ reader }) => reader);
    await Promise.all(readers.map((reader) => reader.start()));
    await Promise.race([Promise.all(readers.map((reader) => reader.placed)), this.#linkFailure()]);
  }

  /** Rejects when the link fails for good; a link that only drops comes back, and is waited for. */
  #linkFailure(): Promise<never> {
    return new Promise((_, reject) => {
      this.#onLinkFailed = reject;
    });
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#state = 'closed';
    this.#stopWatching();
    this.#lagMonitor.stop();
    this.#freshness.close();
    this.#verdictPoller.close();
    const entries = [...this.#entries.values()];
    const { promise: timedOut, cancel } = timeout(this.#settings.clock, timeoutMs);
    const withdrawn = Promise.all(entries.map(({ demand }) => demand?.close()));
    await Promise.race([Promise.all(entries.map(({ reader }) => reader.settled)), timedOut]);
    for (const { reader } of entries) reader.stop();
    for (const [subscription, stream] of this.#streams) subscription.drained().then(() => stream.end());
    const handlers = entries
      .flatMap(({ reader }) => [...reader.subscriptions])
      .filter((subscription) => !this.#streams.has(subscription));
    await Promise.race([Promise.all(handlers.map((subscription) => subscription.drained())), timedOut]);
    await Promise.race([withdrawn, timedOut]);
    cancel();
    for (const subscription of handlers) subscription.abandon();
    for (const stream of this.#statusStreams) stream.end();
  }

  #add(channel: Channel, handler: (message: Message) => unknown, options: Filters) {
    this.#assertOpen();
    if (typeof handler !== 'function') {
      throw new TickbusError('TICKBUS_INVALID_OPTION', `The handler for ${channel} is not a function.`);
    }
    const filters = checkedOptions(channel, options);
    const entry = this.#entry(channel);
    const subscription = entry.add(handler, filters);
    const { keys = [] } = subscription;
    if (channel.gateway) queueMicrotask(() => this.#freshness.asked(channel.name, keys));
    this.#startIfListening(entry);
    return { entry, subscription };
  }

  #startIfListening(entry: SubscribedChannel): void {
    if (this.#state === 'listening' && entry.reader.mode === 'idle') this.#start(entry);
  }

  #remove(entry: SubscribedChannel, subscription: Subscription): void {
    if (!entry.reader.subscriptions.has(subscription)) return;
    entry.remove(subscription);
    this.#endIfUnused(entry);
  }

  /** The last subscription or tap of a channel ends its reader. */
  #endIfUnused(entry: SubscribedChannel): void {
    if (!entry.isUnused || this.#entries.get(entry.channel.name) !== entry) return;
    entry.reader.stop();
    void entry.demand?.close();
    if (entry.values !== undefined) this.#freshness.remove(entry.values);
    this.#entries.delete(entry.channel.name);
  }

  #entry(channel: Channel): SubscribedChannel {
    const known = this.#entries.get(channel.name);
    if (known?.channel === channel) return known;
    if (known !== undefined) {
      const text = `The channel ${channel} is subscribed to already with another definition. Share one definition of it.`;
      throw new TickbusError('TICKBUS_INVALID_OPTION', text);
    }
    const { transport, clock, name = 'subscriber' } = this.#settings;
    const entry = new SubscribedChannel({
      channel,
      transport,
      clock,
      reports: this.#reports,
      freshness: this.#freshness,
      turn: this.#turn,
      name,
    });
    if (this.#state === 'listening') entry.demand?.start();
    if (entry.values !== undefined) this.#freshness.add(channel, entry.values);
    this.#entries.set(channel.name, entry);
    return entry;
  }

  /** After `startListening`; what fails here is told, not thrown, and a lost link brings the next try by itself. */
  #start(entry: SubscribedChannel): void {
    entry.reader.start().catch((error: TickbusError) => {
      if (error.code === 'TICKBUS_NOT_CONNECTED' || this.#state === 'closed') return;
      this.#reports.status({ type: 'recovery_failed', channel: entry.channel.name, error });
    });
  }

  *#watched(): Iterable<Watched> {
    for (const { channel, behindMs } of this.#entries.values()) yield { channel: channel.name, behindMs };
  }

  *#verdicts(): Iterable<Omit<VerdictChange, 'was'>> {
    for (const { channel, reader, judged } of this.#entries.values()) {
      const isJudged =
        channel.gateway || [...reader.subscriptions].some(({ bounds }) => bounds.maxAgeMs !== undefined);
      if (judged === undefined || !isJudged) continue;
      const keys = new Set(judged.values.keys());
      for (const subscription of reader.subscriptions)
        for (const key of subscription.keys ?? []) keys.add(key);
      for (const key of keys) {
        const { verdict, reason, changedAgoMs, confirmedAgoMs } = this.#freshness.judgement(judged, key);
        yield { channel: channel.name, key, verdict, reason, changedAgoMs, confirmedAgoMs };
      }
    }
  }

  #judged(channel: Channel): Judged | undefined {
    if (channel.kind !== 'state') {
      const text = `The channel ${channel} is of kind "${channel.kind}". Only the values of kind "state" can be fresh or stale.`;
      throw new TickbusError('TICKBUS_INVALID_OPTION', text);
    }
    return this.#entries.get(channel.name)?.judged;
  }

  #suspendAll(): void {
    this.#freshness.linkDown(LINK_IS_DOWN);
    for (const { reader, demand } of this.#entries.values()) {
      reader.suspend();
      demand?.suspend();
    }
  }

  #restartAll(): void {
    this.#freshness.linkUp();
    for (const entry of this.#entries.values()) {
      entry.demand?.start();
      this.#start(entry);
    }
  }

  #assertOpen(): void {
    if (this.#state === 'closed')
      throw new TickbusError('TICKBUS_CLOSED', 'This subscriber was closed. Make a new one to listen again.');
  }
}

function timeout(clock: Clock, ms: number): { promise: Promise<void>; cancel: Unsubscribe } {
  let cancel: Unsubscribe = () => {};
  const promise = new Promise<void>((resolve) => {
    cancel = clock.after(ms, resolve);
  });
  return { promise, cancel };
}
