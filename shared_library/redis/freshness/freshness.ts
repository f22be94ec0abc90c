// Judges the freshness of a subscriber's values on request. It reads clocks and needs no timers.

import type { Channel } from '../channel/channel.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { FenceToken, Transport } from '../transport/port.ts';
import type { Message } from '../wire/message.ts';
import { checkedBound, effectiveBounds, type RequestedBounds, type SubscribedKeys } from './age-bounds.ts';
import { type FeedChannels, GatewayStatus, type InstrumentReport, NO_LEASE } from './gateway-status.ts';
import {
  type FreshnessTimes,
  type InstrumentChange,
  isTrading,
  type Latest,
  NOT_SUBSCRIBED,
  publicInstrument,
} from './latest.ts';
import type { LatestValues } from './latest-values.ts';
import { LinkFaults } from './link-faults.ts';
import { ageOf, type ServerNow } from './server-clock.ts';
import { ServerClocks } from './server-clocks.ts';
import { StaleDataError } from './stale-data-error.ts';
import { type Facts, type FeedFacts, judge } from './verdict.ts';

export interface FreshnessSettings extends FreshnessTimes {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  /** If undefined, gateway status is not read, and values that a gateway publishes are never fresh. */
  readonly feeds: FeedChannels | undefined;
  /** Called only for keys that a subscription names. */
  readonly onInstrument: (change: InstrumentChange) => void;
  readonly subscriptionsOf: (channel: string) => Iterable<SubscribedKeys>;
  /**
   * Called when the status of a gateway claims the lease of a channel with this token. If the server's last answer
   * showed another token, the callee checks the head to learn the present one.
   */
  readonly onLeaseClaimed: (channel: string, lease: FenceToken) => void;
  readonly leaseOf: (channel: string) => FenceToken | undefined;
}

/** The state of one part of a subscribed channel from which the freshness of its values is judged. */
export interface FreshnessInput {
  readonly channel: Channel;
  /** The part of the channel that the key belongs to: the channel itself, or a partition. */
  readonly part: string;
  readonly values: LatestValues;
  /** True if live, or while recovered messages are delivered. */
  readonly isUpToDate: boolean;
  /** The monotonic time at which the last query that found no loss was sent; undefined before the first. */
  readonly confirmedAt: number | undefined;
  /** The token of the channel's lease at the last answer of the server; undefined if nobody held it. */
  readonly lease: FenceToken | undefined;
  /** Milliseconds that the oldest message has been waiting for a handler. */
  readonly behindMs: number;
  readonly subscriptions: Iterable<SubscribedKeys>;
}

type KeyVerdict = Omit<Latest<Message>, 'message'>;

const DEFAULT_MISSED_HEARTBEATS = 3;
const DEFAULT_LINK_TIMEOUT_MS = 2_000;

const DISABLED = 'Gateway status is not read: the subscriber was created with `freshness: false`.';

export class Freshness {
  readonly #settings: FreshnessSettings;
  readonly #missedHeartbeats: number;
  readonly #linkTimeoutMs: number;
  readonly #serverClocks: ServerClocks;
  readonly #gatewayStatus: GatewayStatus | undefined;
  /** By part of a channel. */
  readonly #values = new Map<string, LatestValues>();
  readonly #linkFaults = new LinkFaults();
  /** The verdicts on a channel of a gateway depend on the links of these channels, too. */
  readonly #statusChannels: readonly string[];
  /** True once a channel of a gateway has been added. */
  #needsGatewayStatus = false;

  constructor(settings: FreshnessSettings) {
    this.#settings = settings;
    const { missedHeartbeats = DEFAULT_MISSED_HEARTBEATS, linkTimeoutMs = DEFAULT_LINK_TIMEOUT_MS } =
      settings;
    this.#missedHeartbeats = checkedBound('missedHeartbeats', missedHeartbeats);
    this.#linkTimeoutMs = checkedBound('linkTimeoutMs', linkTimeoutMs);
    const { feeds, transport, clock, logger } = settings;
    this.#statusChannels = feeds === undefined ? [] : [feeds.feedStatus.name, feeds.instrumentStatus.name];
    this.#serverClocks = new ServerClocks(transport.byChannel === true);
    this.#gatewayStatus =
      feeds &&
      new GatewayStatus({
        ...feeds,
        transport,
        clock,
        logger,
        onAnswer: (channel, sentAt, serverAt) => this.recordServerTime(channel, sentAt, serverAt),
        onInstrument: (channel, key, report) => this.#reportInstrument(channel, key, report),
        isNamed: (channel, key) => this.#isNamed(channel, key),
        onLeaseClaimed: settings.onLeaseClaimed,
        leaseOf: settings.leaseOf,
      });
  }

  /** Adds a part of a channel. The first channel of a gateway starts the readers of gateway status. */
  add(channel: Channel, part: string, values: LatestValues): void {
    this.#values.set(part, values);
    if (channel.gateway && !this.#needsGatewayStatus) {
      this.#needsGatewayStatus = true;
      if (this.#linkFaults.shared === undefined) this.#gatewayStatus?.start();
    }
  }

  remove(part: string): void {
    this.#values.delete(part);
  }

  /** `startListening` was called. */
  connecting(): void {
    this.#linkFaults.connecting();
  }

  /** The first connection failed. */
  notConnected(): void {
    this.#linkFaults.notConnected();
  }

  /** Called when listening starts and on every later connection: of all channels, or of one with its own link. */
  linkUp(channel?: string): void {
    this.#linkFaults.up(channel);
    if (this.#needsGatewayStatus) this.#gatewayStatus?.start(channel);
  }

  linkDown(reason: string, channel?: string): void {
    this.#linkFaults.down(reason, channel);
    this.#gatewayStatus?.suspend(channel);
  }

  close(): void {
    this.#linkFaults.down('The subscriber was closed.');
    this.#gatewayStatus?.stop();
  }

  /** The server of a channel answered a query that was sent at `sentAt` (monotonic); its clock showed `serverAt`. */
  recordServerTime(channel: string, sentAt: number, serverAt: number): void {
    const shift = this.#serverClocks.add(channel, sentAt, this.#settings.clock.monotonic(), serverAt);
    if (shift === undefined) return;
    for (const [name, values] of this.#values) if (shift.isAbout(name)) values.shiftStamps(shift.shiftMs);
    this.#gatewayStatus?.shiftStamps(shift);
  }

  /** Reports the keys of a new subscription that the feed does not deliver. */
  reportInstruments(channel: string, keys: Iterable<string>): void {
    for (const key of keys) {
      const report = this.#gatewayStatus?.instrument(channel, key);
      if (report !== undefined && (report.state !== 'subscribed' || !isTrading(report)))
        this.#reportInstrument(channel, key, report);
    }
  }

  /** The estimated time of the clock of a channel's server; undefined before its first answer. */
  serverNow(channel: string): ServerNow | undefined {
    return this.#serverClocks.at(channel, this.#settings.clock.monotonic());
  }

  /** @param input undefined if the channel has no subscription */
  latest(input: FreshnessInput | undefined, key: string, requested: RequestedBounds): Latest<Message> {
    if (input === undefined) return NOT_SUBSCRIBED;
    const { values } = input;
    const subscriptions = subscriptionsTo(input, key);
    // Without a subscription to the key, its value is no longer updated, so it is not returned.
    const message = subscriptions.length === 0 ? undefined : values.get(key);
    const stamp = message && values.stampOf(key);
    return { message, ...this.#verdictOn(input, key, subscriptions, stamp, requested) };
  }

  /** The result of `latest` without the message, which is not decoded. */
  verdictOn(input: FreshnessInput, key: string): KeyVerdict {
    const subscriptions = subscriptionsTo(input, key);
    const stamp = subscriptions.length === 0 ? undefined : input.values.stampOf(key);
    return this.#verdictOn(input, key, subscriptions, stamp, {});
  }

  #verdictOn(
    input: FreshnessInput,
    key: string,
    subscriptions: readonly SubscribedKeys[],
    stamp: number | undefined,
    requested: RequestedBounds,
  ): KeyVerdict {
    const facts = this.#facts(input, key, stamp);
    const judged = judge(facts, effectiveBounds(input.channel, subscriptions, requested));
    const instrument = facts.feed?.instrument;
    // The verdict uses exact ages. Reported ages are rounded up here, and nowhere else.
    return {
      ...judged,
      confirmedAgoMs: Math.ceil(judged.confirmedAgoMs),
      changedAgoMs: Math.ceil(facts.changedAgoMs),
      errorMs: Math.ceil(facts.errorMs),
      instrument: instrument && publicInstrument(instrument, judged.verdict),
    };
  }

  /** @throws StaleDataError unless the value is proved to be fresh */
  requireFresh(
    input: FreshnessInput | undefined,
    channel: Channel,
    key: string,
    requested: RequestedBounds,
  ): Message {
    checkedBound('maxAgeMs', requested.maxAgeMs ?? Number.NaN);
    const { message, verdict, reason, changedAgoMs, confirmedAgoMs } = this.latest(input, key, requested);
    if (verdict === 'fresh' && message !== undefined) return message;
    throw new StaleDataError(
      `The value of "${key}" on ${channel} is not proved to be fresh (${verdict}), so it is not returned: ${reason}`,
      {
        channel: channel.name,
        key,
        verdict: verdict === 'fresh' ? 'quiet_market' : verdict,
        changedAgoMs,
        confirmedAgoMs,
      },
    );
  }

  #facts(input: FreshnessInput, key: string, stamp: number | undefined): Facts {
    const { channel, part, values, isUpToDate, confirmedAt, behindMs } = input;
    const monotonic = this.#settings.clock.monotonic();
    const now = this.serverNow(part);
    const ago = (stamp: number | undefined) => ageOf(stamp, now);
    return {
      linkFault: this.#linkFaults.of(
        part,
        channel.gateway ? [channel.name, ...this.#statusChannels] : [channel.name],
      ),
      isRecovering: !isUpToDate || (channel.gateway && this.#gatewayStatus?.isRecovering === true),
      linkConfirmedAgoMs: confirmedAt === undefined ? Number.POSITIVE_INFINITY : monotonic - confirmedAt,
      linkTimeoutMs: this.#linkTimeoutMs,
      behindMs,
      feed: channel.gateway ? this.#feedFacts(input, key) : undefined,
      changedAgoMs: ago(stamp),
      channelChangedAgoMs: ago(values.newestStamp),
      errorMs: now?.errorMs ?? Number.POSITIVE_INFINITY,
    };
  }

  #feedFacts({ channel: { name: channel }, lease }: FreshnessInput, key: string): FeedFacts {
    const feed = this.#gatewayStatus?.feed(channel);
    const instrument = this.#gatewayStatus?.instrument(channel, key);
    const { feedStatus, instrumentStatus } = this.#settings.feeds ?? {};
    const heartbeatAgoMs = this.#agoOn(feedStatus, feed?.at);
    return {
      fault: this.#statusFault(channel, lease),
      name: feed?.name ?? channel,
      state: feed?.state ?? 'unknown',
      detail: feed?.detail,
      heartbeatAgoMs,
      heartbeatTimeoutMs: this.#missedHeartbeats * (feed?.intervalMs ?? 0),
      lastFrameAgoMs: heartbeatAgoMs + (feed?.lastFrameAgoMs ?? 0),
      liveForMs: heartbeatAgoMs + (feed?.liveForMs ?? 0),
      reportsInstruments: feed?.reportsInstruments,
      instrument: instrument && { ...instrument, forMs: this.#agoOn(instrumentStatus, instrument.at) },
    };
  }

  /** The age of a timestamp by the clock of the server of a channel. */
  #agoOn(channel: Channel | undefined, stamp: number | undefined): number {
    return ageOf(stamp, channel && this.serverNow(channel.name));
  }

  /**
   * Why the status of the gateway cannot be trusted; undefined if it can. A status with a lease token must match
   * `lease`, the token of the lease in the last answer of the server.
   */
  #statusFault(channel: string, lease: FenceToken | undefined): string | undefined {
    if (this.#gatewayStatus === undefined) return DISABLED;
    const { accessError } = this.#gatewayStatus;
    if (accessError !== undefined) return `Gateway status cannot be read: ${accessError.message}`;
    const feed = this.#gatewayStatus.feed(channel);
    if (feed === undefined) return `No gateway has published a status for ${channel}.`;
    if (feed.lease === NO_LEASE || feed.lease === lease) return undefined;
    return `The gateway of ${feed.name} does not hold the lease of ${channel} on this Redis.`;
  }

  #isNamed(channel: string, key: string | undefined): boolean {
    for (const { keys } of this.#settings.subscriptionsOf(channel))
      if (key === undefined || keys?.has(key)) return true;
    return false;
  }

  #reportInstrument(channel: string, key: string, report: InstrumentReport): void {
    for (const { keys } of this.#settings.subscriptionsOf(channel))
      if (keys?.has(key)) return this.#settings.onInstrument({ channel, key, ...publicInstrument(report) });
  }
}

function subscriptionsTo({ subscriptions }: FreshnessInput, key: string): readonly SubscribedKeys[] {
  return [...subscriptions].filter(({ keys }) => keys === undefined || keys.has(key));
}
