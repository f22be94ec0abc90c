// One channel of a subscriber: its parts, demand, subscriptions, taps and counters.

import { v7 as uuidv7 } from 'uuid';
import type { Channel } from '../channel/channel.ts';
import { SubscriberDemand } from '../demand/subscriber-demand.ts';
import type { Freshness, FreshnessInput } from '../freshness/freshness.ts';
import type { Clock } from '../runtime/clock.ts';
import { Complaints } from '../transport/complaints.ts';
import type { Transport } from '../transport/port.ts';
import type { Message } from '../wire/message.ts';
import { AdoptedValues } from './adopted-values.ts';
import type { Adopter } from './adopter.ts';
import { ChannelParts } from './channel-parts.ts';
import { DefinitionCheck } from './definition-check.ts';
import type { EventLoopTurn } from './event-loop-turn.ts';
import { isExpired } from './expiry.ts';
import type { ChannelReport, ReportOrigin, Reports } from './reports.ts';
import { Subscription, type SubscriptionOptions } from './subscription.ts';
import { type Observer, Tap } from './tap.ts';

export interface SubscribedChannelOptions {
  readonly channel: Channel;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly reports: Reports;
  /** Judges the values, and learns the time of servers from the readers' queries. */
  readonly freshness: Pick<Freshness, 'recordServerTime' | 'serverNow' | 'add' | 'remove'>;
  /** Shared by all handlers of the subscriber. */
  readonly turn: EventLoopTurn;
  readonly adopter?: Pick<Adopter, 'hear'> | undefined;
  /** The name of the subscriber in its demand for keys. */
  readonly name: string;
  /** The name of the subscriber for other programs. */
  readonly author: string;
}

export class SubscribedChannel {
  readonly #options: SubscribedChannelOptions;
  readonly channel: Channel;
  readonly parts: ChannelParts;
  readonly #definition: DefinitionCheck;
  /** Undefined if no gateway feeds the channel. */
  readonly demand: SubscriberDemand | undefined;
  readonly #counters = {
    delivered: 0,
    conflated: 0,
    expired: 0,
    handlerErrors: 0,
    evicted: 0,
    dropped: 0,
    overflows: 0,
  };

  constructor(options: SubscribedChannelOptions) {
    const { channel, transport, clock, reports, freshness, adopter } = options;
    const complaints = new Complaints(options);
    this.#options = options;
    this.channel = channel;
    this.#definition = new DefinitionCheck(channel, (conflict) =>
      reports.status({ type: 'definition_conflict', ...conflict }),
    );
    this.parts = new ChannelParts({
      channel,
      transport,
      clock,
      adopted: new AdoptedValues(channel),
      onPlain: adopter && ((message) => adopter.hear(channel, message, (key) => this.parts.placeOf(key))),
      onStatus: (status) => reports.status(status),
      onInvalid: (error, frame, count) => reports.invalid(channel.name, error, frame, count),
      onAnswer: (part, sentAt, answer) => {
        freshness.recordServerTime(part, sentAt, answer.at);
        const conflict = this.#definition.check(part, answer);
        if (conflict !== undefined) complaints.leave(conflict, sentAt);
      },
      onAdded: (part, values) => values && freshness.add(channel, part, values),
      onRemoved: (part) => {
        freshness.remove(part);
        this.#definition.forget(part);
      },
      isPinned: (key) => {
        for (const { keys } of this.parts.subscriptions) if (keys?.has(key) === true) return true;
        return false;
      },
      onEvicted: (keys) => {
        this.#counters.evicted += keys;
        reports.status({ type: 'values_evicted', channel: channel.name, keys });
      },
    });
    this.demand = channel.gateway ? this.#newDemand() : undefined;
  }

  /** Adds a handler. Its deliveries are counted; its drops and errors are also reported. */
  add(handler: (message: Message) => unknown, filters: SubscriptionOptions): Subscription {
    const { reports, turn } = this.#options;
    const { name } = filters;
    const origin: ReportOrigin = {
      channel: this.channel.name,
      ...(name !== undefined && { subscription: name }),
    };
    const counters = this.#counters;
    const hooks = {
      handle: (message: Message) => {
        counters.delivered++;
        counters.conflated += message.conflated ?? 0;
        return handler(message);
      },
      onOverflow: (dropped: Parameters<Reports['overflow']>[1]) => {
        counters.overflows++;
        counters.dropped += dropped.lost;
        reports.overflow(origin, dropped);
      },
      onError: (error: unknown, message: Message) => {
        counters.handlerErrors++;
        reports.handlerError(origin, error, message);
      },
      shouldHandle: (message: Message) => this.#shouldHandle(message, origin),
    };
    const subscription = new Subscription(filters, hooks, turn);
    // The demand comes first, because it throws if there are too many keys.
    this.demand?.add(subscription.keys ?? []);
    this.parts.add(subscription);
    return subscription;
  }

  /** Adds an observer. Its deliveries are not counted; its errors are reported and counted in `handlerErrors`. */
  tap(observer: Observer): Tap {
    const tap = new Tap(observer, (error, message) => {
      this.#counters.handlerErrors++;
      this.#options.reports.handlerError({ channel: this.channel.name }, error, message);
    });
    this.parts.add(tap);
    return tap;
  }

  /** True if the channel has no subscription and no tap. */
  get isUnused(): boolean {
    return this.parts.subscriptions.size + this.parts.taps.size === 0;
  }

  remove(subscription: Subscription): void {
    subscription.close();
    this.parts.remove(subscription);
    this.demand?.remove(subscription.keys ?? []);
  }

  /** Milliseconds that the oldest message has been waiting for a handler; 0 if none waits. */
  get behindMs(): number {
    const now = this.#options.clock.monotonic();
    return Math.max(0, ...Array.from(this.parts.subscriptions, (subscription) => subscription.behindMs(now)));
  }

  get report(): ChannelReport {
    const { mode, position, partitions, lease, counters, subscriptions } = this.parts;
    const { dropped, overflows, ...own } = this.#counters;
    return {
      mode,
      position,
      partitions,
      lease,
      ...counters,
      ...own,
      gaps: counters.gaps + overflows,
      lost: counters.lost + dropped,
      queueDepth: [...subscriptions].reduce((sum, { depth }) => sum + depth, 0),
      behindMs: this.behindMs,
      conflict: this.#definition.conflict,
    };
  }

  /** The state from which the freshness of a key is judged; undefined unless the channel is of kind `state`. */
  freshnessInput(key: string): FreshnessInput | undefined {
    const { name: part, values, ...state } = this.parts.partOf(key);
    if (values === undefined) return undefined;
    const { channel, behindMs } = this;
    return { channel, part, values, ...state, behindMs, subscriptions: this.parts.subscriptions };
  }

  #shouldHandle(message: Message, origin: ReportOrigin): boolean {
    // Nearly all messages do not expire, so the clocks are not read for them.
    if (message.expires_at === undefined) return true;
    const { clock, freshness, reports } = this.#options;
    if (!isExpired(message, freshness.serverNow(this.channel.name), clock.now())) return true;
    this.#counters.expired++;
    reports.expired(origin, message);
    return false;
  }

  #newDemand(): SubscriberDemand {
    const { channel, transport, clock, reports, name } = this.#options;
    return new SubscriberDemand({
      operations: transport.demand(channel),
      clock,
      subscriberId: `${name}:${uuidv7()}`,
      onRefused: (error) => reports.status({ type: 'demand_refused', channel: channel.name, error }),
    });
  }
}
