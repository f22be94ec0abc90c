// Whether the values of a subscriber may be believed, judged when it is asked, from clocks and not from timers.

import type { Channel } from '../channel/channel.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Subscription } from '../subscribe/subscription.ts';
import type { FenceToken, Transport } from '../transport/port.ts';
import type { Message } from '../wire/message.ts';
import { type FeedChannels, GatewayStatus, type InstrumentReport, NO_LEASE } from './gateway-status.ts';
import type { FreshnessTimes, InstrumentChange, Latest } from './latest.ts';
import type { LatestValues } from './latest-values.ts';
import { ServerClock, type ServerNow } from './server-clock.ts';
import { StaleDataError } from './stale-data-error.ts';
import { type Bounds, checkedBound, type Facts, type FeedFacts, judge } from './verdict.ts';

type Judgement = Omit<Latest<Message>, 'message'>;

export interface FreshnessSettings extends FreshnessTimes {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Undefined: what gateways tell is not read, and nothing they feed is ever fresh. */
  readonly feeds: FeedChannels | undefined;
  /** Told only of keys that subscriptions name. */
  readonly onInstrument: (change: InstrumentChange) => void;
  /** The subscriptions of a channel. */
  readonly subscriptionsOf: (channel: string) => Iterable<Subscription>;
  /** A gateway claims the lease of a channel under this token: look who holds it, unless it is known to be this one. */
  readonly onLeaseClaimed: (channel: string, lease: FenceToken) => void;
}

/** What is judged: one channel of a subscriber. */
export interface Judged {
  readonly channel: Channel;
  readonly values: LatestValues;
  readonly isCurrent: boolean;
  /** By the monotonic clock; undefined: never. */
  readonly confirmedAt: number | undefined;
  /** The token under which the lease of the channel was held at the last look at it; undefined: nobody held it. */
  readonly lease: FenceToken | undefined;
  readonly behindMs: number;
  readonly subscriptions: Iterable<Subscription>;
}

/** What was asked for; the rest comes from the subscriptions and the channel. */
export interface AskedBounds {
  readonly maxAgeMs?: number | undefined;
  readonly maxQuietMs?: number | undefined;
}

const DEFAULT_MAX_AGE_MS = 5_000;
const DEFAULT_MISSED_HEARTBEATS = 3;
const DEFAULT_LINK_TIMEOUT_MS = 2_000;

const NOT_LISTENING = 'The subscriber is not listening. Call startListening().';
const CONNECTING = 'The subscriber is connecting to Redis.';
const OFF = 'What gateways tell is not read: the subscriber was made with `freshness: false`.';

export class Freshness {
  readonly #settings: FreshnessSettings;
  readonly #missedHeartbeats: number;
  readonly #linkTimeoutMs: number;
  readonly #serverClock = new ServerClock();
  readonly #feeds: GatewayStatus | undefined;
  readonly #values = new Set<LatestValues>();
  #linkFault: string | undefined = NOT_LISTENING;
  #isWatching = false;

  constructor(settings: FreshnessSettings) {
    this.#settings = settings;
    const { missedHeartbeats = DEFAULT_MISSED_HEARTBEATS, linkTimeoutMs = DEFAULT_LINK_TIMEOUT_MS } =
      settings;
    this.#missedHeartbeats = checkedBound('missedHeartbeats', missedHeartbeats);
    this.#linkTimeoutMs = checkedBound('linkTimeoutMs', linkTimeoutMs);
    const { feeds, transport, clock, logger } = settings;
    this.#feeds =
      feeds &&
      new GatewayStatus({
        ...feeds,
        transport,
        clock,
        logger,
        onAnswer: (sentAt, serverAt) => this.answered(sentAt, serverAt),
        onInstrument: (channel, key, report) => this.#tellInstrument(channel, key, report),
        onLeaseClaimed: settings.onLeaseClaimed,
      });
  }

  // --- what the subscriber tells ---

  /** A channel is read from now on. */
  add(channel: Channel, values: LatestValues): void {
    this.#values.add(values);
    if (channel.gateway && !this.#isWatching) {
      this.#isWatching = true;
      if (this.#linkFault === undefined) this.#feeds?.start();
    }
  }

  remove(values: LatestValues): void {
    this.#values.delete(values);
  }

  /** `startListening` was called. */
  connecting(): void {
    this.#linkFault = CONNECTING;
  }

  /** The first connection failed. */
  notConnected(): void {
    if (this.#linkFault === CONNECTING) this.#linkFault = NOT_LISTENING;
  }

  /** On every new connection. */
  linkUp(): void {
    this.#linkFault = undefined;
    if (this.#isWatching) this.#feeds?.start();
  }

  linkDown(why: string): void {
    this.#linkFault = why;
    this.#feeds?.suspend();
  }

  close(): void {
    this.#linkFault = 'The subscriber was closed.';
    this.#feeds?.stop();
  }

  /** The server answered now what was asked at `sentAt`. */
  answered(sentAt: number, serverAt: number): void {
    const setBy = this.#serverClock.add(sentAt, this.#settings.clock.monotonic(), serverAt);
    if (setBy === undefined) return;
    for (const values of this.#values) values.clockWasSet(setBy);
    this.#feeds?.clockWasSet(setBy);
  }

  /** A subscription names these keys: what is known to be amiss with them is told. */
  asked(channel: string, keys: Iterable<string>): void {
    for (const key of keys) {
      const report = this.#feeds?.instrument(channel, key);
      if (report !== undefined && report.state !== 'subscribed') this.#tellInstrument(channel, key, report);
    }
  }

  // --- what is asked ---

  /** Undefined before the server's first answer. */
  get serverNow(): ServerNow | undefined {
    return this.#serverClock.at(this.#settings.clock.monotonic());
  }

  latest(judged: Judged | undefined, key: string, asked: AskedBounds): Latest<Message> {
    if (judged === undefined) return NOT_SUBSCRIBED;
    const { values } = judged;
    const covering = coveringOf(judged, key);
    // A key that no subscription asks for is not received any more, whatever was received of it before.
    const message = covering.length === 0 ? undefined : values.get(key);
    const stamp = message && values.stampOf(key);
    return { message, ...this.#judgement(judged, key, covering, stamp, asked) };
  }

  /** The same without the message, which is not read for it. */
  judgement(judged: Judged, key: string): Judgement {
    const covering = coveringOf(judged, key);
    const stamp = covering.length === 0 ? undefined : judged.values.stampOf(key);
    return this.#judgement(judged, key, covering, stamp, {});
  }

  #judgement(
    judged: Judged,
    key: string,
    covering: readonly Subscription[],
    stamp: number | undefined,
    asked: AskedBounds,
  ): Judgement {
    const facts = this.#facts(judged, key, stamp);
    const judgement = judge(facts, boundsOf(judged.channel, covering, asked));
    const instrument = facts.feed?.instrument;
    // The verdict uses exact ages. Reported ages are rounded up here, and nowhere else.
    return {
      ...judgement,
      confirmedAgoMs: Math.ceil(judgement.confirmedAgoMs),
      changedAgoMs: Math.ceil(facts.changedAgoMs),
      errorMs: Math.ceil(facts.errorMs),
      instrument: instrument && { state: instrument.state, detail: instrument.detail, feed: instrument.feed },
    };
  }

  /** @throws StaleDataError unless the value is proved to be fresh */
  requireFresh(judged: Judged | undefined, channel: Channel, key: string, asked: AskedBounds): Message {
    checkedBound('maxAgeMs', asked.maxAgeMs ?? Number.NaN);
    const { message, verdict, reason, changedAgoMs, confirmedAgoMs } = this.latest(judged, key, asked);
    if (verdict === 'fresh' && message !== undefined) return message;
    throw new StaleDataError(
      `The value of "${key}" on ${channel} is not proved to be fresh (${verdict}): ${reason}`,
      {
        channel: channel.name,
        key,
        verdict: verdict === 'fresh' ? 'quiet_market' : verdict,
        changedAgoMs,
        confirmedAgoMs,
      },
    );
  }

  #facts(judged: Judged, key: string, stamp: number | undefined): Facts {
    const { channel, values, isCurrent, confirmedAt, behindMs } = judged;
    const monotonic = this.#settings.clock.monotonic();
    const now = this.serverNow;
    const ago = (stamp: number | undefined) => agoOf(stamp, now);
    return {
      linkFault: this.#linkFault,
      isRecovering: !isCurrent || (channel.gateway && this.#feeds?.isRecovering === true),
      linkConfirmedAgoMs: confirmedAt === undefined ? Number.POSITIVE_INFINITY : monotonic - confirmedAt,
      linkTimeoutMs: this.#linkTimeoutMs,
      behindMs,
      feed: channel.gateway ? this.#feedFacts(judged, key, ago) : undefined,
      changedAgoMs: ago(stamp),
      channelChangedAgoMs: ago(values.newestStamp),
      errorMs: now?.errorMs ?? Number.POSITIVE_INFINITY,
    };
  }

  #feedFacts(
    { channel: { name: channel }, lease }: Judged,
    key: string,
    ago: (stamp: number | undefined) => number,
  ): FeedFacts {
    const feed = this.#feeds?.feed(channel);
    const instrument = this.#feeds?.instrument(channel, key);
    const heartbeatAgoMs = ago(feed?.at);
    return {
      fault: this.#faultOfFeeds(channel, lease),
      name: feed?.name ?? channel,
      state: feed?.state ?? 'unknown',
      detail: feed?.detail,
      heartbeatAgoMs,
      heartbeatTimeoutMs: this.#missedHeartbeats * (feed?.intervalMs ?? 0),
      lastFrameAgoMs: heartbeatAgoMs + (feed?.lastFrameAgoMs ?? 0),
      liveForMs: heartbeatAgoMs + (feed?.liveForMs ?? 0),
      instrument: instrument && { ...instrument, forMs: ago(instrument.at) },
    };
  }

  /** A status that names a lease counts only while the server says that this very lease is held. */
  #faultOfFeeds(channel: string, lease: FenceToken | undefined): string | undefined {
    if (this.#feeds === undefined) return OFF;
    const { refusal } = this.#feeds;
    if (refusal !== undefined) return `What gateways tell cannot be read: ${refusal.message}`;
    const feed = this.#feeds.feed(channel);
    if (feed === undefined) return `No gateway has published a status for ${channel}.`;
    if (feed.lease === NO_LEASE || feed.lease === lease) return undefined;
    return `The gateway of ${feed.name} does not hold the lease of ${channel} on this Redis.`;
  }

  #tellInstrument(channel: string, key: string, { state, detail, feed }: InstrumentReport): void {
    for (const { keys } of this.#settings.subscriptionsOf(channel))
      if (keys?.has(key)) return this.#settings.onInstrument({ channel, key, state, detail, feed });
  }
}

const NOT_SUBSCRIBED: Latest<never> = Object.freeze({
  message: undefined,
  verdict: 'link_down',
  reason: 'Nothing of this channel is subscribed to.',
  changedAgoMs: Number.POSITIVE_INFINITY,
  confirmedAgoMs: Number.POSITIVE_INFINITY,
  errorMs: Number.POSITIVE_INFINITY,
  instrument: undefined,
});

function coveringOf({ subscriptions }: Judged, key: string): readonly Subscription[] {
  return [...subscriptions].filter(({ keys }) => keys === undefined || keys.has(key));
}

/** A stamp of the future was not made by the clock that we know: it tells nothing. */
function agoOf(stamp: number | undefined, now: ServerNow | undefined): number {
  if (stamp === undefined || now === undefined) return Number.POSITIVE_INFINITY;
  const ago = now.time - stamp;
  return ago < -(now.errorMs + 1) ? Number.POSITIVE_INFINITY : Math.max(0, ago);
}

/** What was asked for, else the strictest of the subscriptions, else the channel's, else the default. */
function boundsOf(channel: Channel, subscriptions: readonly Subscription[], asked: AskedBounds): Bounds {
  const strictest = (of: 'maxAgeMs' | 'maxQuietMs') =>
    subscriptions.reduce<number | undefined>((least, { bounds }) => {
      const value = bounds[of];
      return value === undefined || (least !== undefined && least <= value) ? least : value;
    }, undefined);
  const { maxAgeMs = strictest('maxAgeMs') ?? DEFAULT_MAX_AGE_MS, maxQuietMs } = asked;
  checkedBound('maxAgeMs', maxAgeMs);
  const quiet = maxQuietMs ?? strictest('maxQuietMs') ?? channel.maxQuietMs ?? maxAgeMs;
  return { maxAgeMs, maxQuietMs: checkedBound('maxQuietMs', quiet) };
}
