// The channels of one subscriber, each with one reader, and the monitors of freshness, verdict changes and lag.

import type { Channel } from '../channel/channel.ts';
import { parsePartitionName } from '../channel/partitions.ts';
import { TickbusError } from '../errors.ts';
import { Freshness, type FreshnessInput } from '../freshness/freshness.ts';
import type { FeedChannels } from '../freshness/gateway-status.ts';
import type { FreshnessTimes } from '../freshness/latest.ts';
import { type VerdictChange, VerdictPoller } from '../freshness/verdict-poller.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Logger } from '../runtime/logger.ts';
import { microtask } from '../runtime/turns.ts';
import type { ChannelLinkStatus, LinkStatus } from '../transport/link-status.ts';
import type { Transport } from '../transport/port.ts';
import type { Message } from '../wire/message.ts';
import type { Adopter } from './adopter.ts';
import { EventLoopTurn } from './event-loop-turn.ts';
import { type ChannelLag, LagMonitor } from './lag-monitor.ts';
import type { Reports } from './reports.ts';
import { SubscribedChannel } from './subscribed-channel.ts';
import type { Subscription, SubscriptionOptions } from './subscription.ts';
import { checkedOptions, type Filters } from './subscription-options.ts';
import type { Observer } from './tap.ts';

export interface SubscriberSettings {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Names the subscriber in its demand for keys; a UUID is appended. Default `subscriber`. */
  readonly name?: string;
  /** The name of the subscriber for other programs. Default: `name`. */
  readonly author?: string | undefined;
  /** The channels on which gateways publish their status. Without them no value of a gateway is ever fresh. */
  readonly feeds?: FeedChannels | undefined;
  readonly freshness?: FreshnessTimes | undefined;
  /** Awaited after connecting, before anything is received. If it rejects, so does `startListening`. */
  readonly onConnected?: (() => Promise<void>) | undefined;
  /** Called with the names of all channels when a channel is added or removed. */
  readonly onChannels?: ((names: Iterable<string>) => void) | undefined;
  /** Keeps messages of plain clients as last values, on channels with `adopt`. The caller closes it. */
  readonly adopter?: Pick<Adopter, 'hear'> | undefined;
}

const LINK_IS_DOWN = 'The link to Redis is down.';

/** A subscription that was added, and how to remove it. */
interface Added {
  readonly subscription: Subscription;
  readonly remove: Unsubscribe;
}

export class SubscribedChannels {
  readonly #settings: SubscriberSettings;
  readonly #reports: Reports;
  readonly #turn: EventLoopTurn;
  readonly #byName = new Map<string, SubscribedChannel>();
  readonly #lagMonitor: LagMonitor;
  readonly #verdictPoller: VerdictPoller;
  readonly freshness: Freshness;
  #isListening = false;

  constructor(settings: SubscriberSettings, reports: Reports) {
    const { transport, clock, logger, feeds, freshness } = settings;
    this.#settings = settings;
    this.#reports = reports;
    this.#turn = new EventLoopTurn(clock);
    this.#lagMonitor = new LagMonitor({
      clock,
      channels: () => this.#channelLags(),
      onSlow: (slow) => reports.status(slow),
    });
    this.freshness = new Freshness({
      ...freshness,
      transport,
      clock,
      logger,
      feeds,
      onInstrument: (change) => reports.instrument(change),
      subscriptionsOf: (channel) => this.#byName.get(channel)?.parts.subscriptions ?? [],
      onLeaseClaimed: (channel, lease) => {
        const parts = this.#byName.get(channel)?.parts;
        if (parts?.lease !== lease) parts?.checkHead();
      },
      leaseOf: (channel) => this.#byName.get(channel)?.parts.lease,
    });
    this.#verdictPoller = new VerdictPoller({
      clock,
      verdicts: () => this.#verdicts(),
      onChange: (change) => reports.verdict(change),
    });
  }

  get(channel: Channel): SubscribedChannel | undefined {
    return this.#byName.get(channel.name);
  }

  /** The state by which the value of a key is judged; undefined if nothing subscribes to the channel. */
  freshnessInput(channel: Channel, key: string): FreshnessInput | undefined {
    if (channel.kind !== 'state') {
      const text = `The freshness of ${channel} is undefined: its kind is "${channel.kind}". Use kind "state".`;
      throw new TickbusError('TICKBUS_INVALID_OPTION', text);
    }
    return this.get(channel)?.freshnessInput(key);
  }

  subscribe(channel: Channel, handler: (message: Message) => unknown, options: Filters): Added {
    const filters = checkedOptions(channel, options);
    const subscribed = this.#open(channel);
    const subscription = this.#add(subscribed, handler, filters);
    const { keys = [] } = subscription;
    if (channel.gateway) microtask(() => this.freshness.reportInstruments(channel.name, keys));
    this.#startIfIdle(subscribed);
    const remove = () => {
      if (!subscribed.parts.subscriptions.has(subscription)) return;
      subscribed.remove(subscription);
      this.#endIfUnused(subscribed);
    };
    return { subscription, remove };
  }

  /** @throws TickbusError `TICKBUS_LIMIT_EXCEEDED` as `SubscriberDemand.add`; nothing is added then */
  #add(subscribed: SubscribedChannel, handler: (message: Message) => unknown, filters: SubscriptionOptions) {
    try {
      return subscribed.add(handler, filters);
    } catch (error) {
      this.#endIfUnused(subscribed);
      throw error;
    }
  }

  tap(channel: Channel, observer: Observer): Unsubscribe {
    const subscribed = this.#open(channel);
    const tap = subscribed.tap(observer);
    this.#startIfIdle(subscribed);
    return () => {
      if (!subscribed.parts.taps.has(tap)) return;
      subscribed.parts.remove(tap);
      this.#endIfUnused(subscribed);
    };
  }

  /** Polls the verdicts, and passes each change to `reports.verdict`, until the returned function is called. */
  watchVerdicts(): Unsubscribe {
    return this.#verdictPoller.listen();
  }

  /**
   * Called when the link is up. Resolves when the position in every channel is known. A channel that is added later
   * starts on its own.
   *
   * @param linkFailure rejects when the link does not reconnect any more
   */
  async start(linkFailure: () => Promise<never>): Promise<void> {
    this.#isListening = true;
    this.#lagMonitor.start();
    this.freshness.linkUp();
    for (const { demand } of this.#all) demand?.start();
    const all = this.#all.map(({ parts }) => parts);
    await Promise.all(all.map((parts) => parts.start()));
    await Promise.race([Promise.all(all.map((parts) => parts.placed())), linkFailure()]);
  }

  /** A status with a channel concerns only that one. */
  linkChanged(status: LinkStatus | ChannelLinkStatus): void {
    const { type } = status;
    const channel = 'channel' in status ? status.channel : undefined;
    if (type === 'stale') this.freshness.linkDown(LINK_IS_DOWN, channel);
    if (type === 'connected') this.#restart(channel);
    if (type === 'disconnected' || type === 'failed') this.#suspend(channel);
  }

  /**
   * Delivers what was received, and resolves when the handlers are idle or `timedOut` resolves. Messages that are not
   * handled by then are dropped and reported.
   *
   * @param isHandled false for a subscription of a `messages()` loop, which is not waited for
   * @param onStopped called when the last message has been delivered to the queues
   */
  async close(
    timedOut: Promise<void>,
    isHandled: (subscription: Subscription) => boolean,
    onStopped: () => void,
  ): Promise<void> {
    this.#isListening = false;
    this.#lagMonitor.stop();
    this.freshness.close();
    this.#verdictPoller.close();
    const all = this.#all;
    const withdrawn = Promise.all(all.map(({ demand }) => demand?.close()));
    await Promise.race([Promise.all(all.map(({ parts }) => parts.settled)), timedOut]);
    for (const { parts } of all) parts.stop();
    onStopped();
    const handled = all.flatMap(({ parts }) => [...parts.subscriptions]).filter(isHandled);
    await Promise.race([Promise.all(handled.map((subscription) => subscription.drained())), timedOut]);
    await Promise.race([withdrawn, timedOut]);
    for (const subscription of handled) subscription.abandon();
  }

  get #all(): SubscribedChannel[] {
    return [...this.#byName.values()];
  }

  #open(channel: Channel): SubscribedChannel {
    const known = this.#byName.get(channel.name);
    if (known?.channel === channel) return known;
    if (known !== undefined) {
      const text = `The channel ${channel} is already subscribed with another definition. Share one definition of it.`;
      throw new TickbusError('TICKBUS_INVALID_OPTION', text);
    }
    const { transport, clock, adopter, name = 'subscriber', author = name } = this.#settings;
    const subscribed = new SubscribedChannel({
      channel,
      transport,
      clock,
      reports: this.#reports,
      freshness: this.freshness,
      turn: this.#turn,
      adopter,
      name,
      author,
    });
    if (this.#isListening) subscribed.demand?.start();
    this.#byName.set(channel.name, subscribed);
    this.#settings.onChannels?.(this.#byName.keys());
    return subscribed;
  }

  /** Stops the reader of a channel that has no subscription and no tap left. */
  #endIfUnused(subscribed: SubscribedChannel): void {
    if (!subscribed.isUnused || this.get(subscribed.channel) !== subscribed) return;
    subscribed.parts.stop();
    void subscribed.demand?.close();
    this.#byName.delete(subscribed.channel.name);
    this.#settings.onChannels?.(this.#byName.keys());
  }

  #startIfIdle(subscribed: SubscribedChannel): void {
    if (this.#isListening && subscribed.parts.mode === 'idle') this.#start(subscribed);
  }

  /** A failure is reported, not thrown. A lost link leads to a retry on the next connection. */
  #start({ channel, parts }: SubscribedChannel, part?: string): void {
    const started = part === undefined ? parts.start() : parts.startPart(part);
    started.catch((error: TickbusError) => {
      if (error.code === 'TICKBUS_NOT_CONNECTED' || !this.#isListening) return;
      this.#reports.status({ type: 'recovery_failed', channel: channel.name, error });
    });
  }

  #suspend(channel: string | undefined): void {
    this.freshness.linkDown(LINK_IS_DOWN, channel);
    for (const subscribed of this.#linkedBy(channel)) {
      subscribed.parts.suspend(channel);
      if (channel === undefined || channel === subscribed.channel.name) subscribed.demand?.suspend();
    }
  }

  #restart(channel: string | undefined): void {
    this.freshness.linkUp(channel);
    for (const subscribed of this.#linkedBy(channel)) {
      if (channel === undefined || channel === subscribed.channel.name) subscribed.demand?.start();
      this.#start(subscribed, channel);
    }
  }

  /** The channels of one link: all of them, or the one that has its own for itself or for a partition. */
  #linkedBy(channel: string | undefined): SubscribedChannel[] {
    if (channel === undefined) return this.#all;
    const subscribed = this.#byName.get(parsePartitionName(channel)?.channel ?? channel);
    return subscribed === undefined ? [] : [subscribed];
  }

  *#channelLags(): Iterable<ChannelLag> {
    for (const { channel, behindMs } of this.#all) yield { channel: channel.name, behindMs };
  }

  *#verdicts(): Iterable<Omit<VerdictChange, 'was'>> {
    for (const subscribed of this.#all) {
      const { channel, parts } = subscribed;
      const isJudged =
        channel.gateway || [...parts.subscriptions].some(({ bounds }) => bounds.maxAgeMs !== undefined);
      if (channel.kind !== 'state' || !isJudged) continue;
      const keys = new Set(parts.keys());
      for (const subscription of parts.subscriptions)
        for (const key of subscription.keys ?? []) keys.add(key);
      for (const key of keys) {
        const input = subscribed.freshnessInput(key);
        if (input === undefined) continue;
        const { verdict, reason, changedAgoMs, confirmedAgoMs } = this.freshness.verdictOn(input, key);
        yield { channel: channel.name, key, verdict, reason, changedAgoMs, confirmedAgoMs };
      }
    }
  }
}
