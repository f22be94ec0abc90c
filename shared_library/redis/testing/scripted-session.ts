// One tenure of the scripted gateway: its lease, and what it publishes under it, as `services/price-gateway` does.

import type { FeedStatus } from '../channel/schemas/feed-status.ts';
import type { InstrumentStatus } from '../channel/schemas/instrument-status.ts';
import type { Price } from '../channel/schemas/price-data.ts';
import type { PriceChannel } from '../channel/venue-channels.ts';
import { CHANNELS } from '../constants.ts';
import { RedisLease } from '../lease.ts';
import { RedisPublisher } from '../publisher.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Logger } from '../runtime/logger.ts';
import type { MemoryConnection } from './memory-connection.ts';

/** `silent` also comes by itself, after 15 s without a price. */
export type ScriptedFeedState = 'connecting' | 'live' | 'silent' | 'degraded' | 'down';

/** What the gateway knows about an instrument. */
export interface ScriptedInstrument {
  readonly state: InstrumentStatus['state'];
  readonly detail?: string | undefined;
  /** `at`: Unix milliseconds. */
  readonly halt?: { readonly detail: string | undefined; readonly at: number } | undefined;
  readonly isUnpriced?: boolean;
}

export interface ScriptedSessionOptions {
  /** A link of its own, which it closes. */
  readonly link: MemoryConnection;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly channel: PriceChannel;
  readonly feed: string;
  readonly leaseTtlMs: number;
}

/** As of the gateway: three missed heartbeats are half of a TTL. */
const HEARTBEATS_PER_TTL = 6;
/** The default of SILENT_AFTER_MS of the gateway. */
const SILENT_AFTER_MS = 15_000;

export class ScriptedSession {
  readonly lease: RedisLease;
  readonly #options: ScriptedSessionOptions;
  readonly #publisher: RedisPublisher;
  readonly #intervalMs: number;
  readonly #instruments = new Map<string, ScriptedInstrument>();
  /** By symbol, the state that was published last, and the monotonic time since when. */
  readonly #published = new Map<string, { readonly state: string; readonly since: number }>();
  #state: FeedStatus['state'] = 'live';
  #detail: string | undefined;
  #token: number | undefined;
  /** Monotonic times: of the last price, and since when the feed has been live. */
  #lastFrame: { readonly at: number; readonly unixMs: number } | undefined;
  #liveSince: number | undefined;
  #isEnded = false;
  #cancelHeartbeat: Unsubscribe = () => {};

  constructor(options: ScriptedSessionOptions) {
    const { link: connection, channel, clock, logger, feed, leaseTtlMs } = options;
    this.#options = options;
    this.#intervalMs = leaseTtlMs / HEARTBEATS_PER_TTL;
    this.lease = new RedisLease({ connection, channel, ttlMs: leaseTtlMs, clock, logger });
    this.#publisher = new RedisPublisher({ connection, lease: this.lease, clock, logger, sender: feed });
  }

  /** Resolves when it holds the lease and has reported that the feed is live. */
  async start(): Promise<void> {
    const gained = new Promise<number>((resolve) => this.lease.on('gained', ({ token }) => resolve(token)));
    await this.#skipHoldOff();
    await this.lease.start();
    this.#token = await gained;
    await this.setFeed('live');
  }

  get state(): FeedStatus['state'] {
    return this.#state;
  }

  /** Whether prices of the venue arrive and are published. */
  get canPublish(): boolean {
    return !this.#isEnded && isConnected(this.#state);
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  async setFeed(state: ScriptedFeedState, detail?: string): Promise<void> {
    const was = this.#state;
    this.#enter(state, detail);
    await this.#heartbeat();
    // The venue confirms each subscription again.
    if (state !== 'live' || isConnected(was)) return;
    this.#published.clear();
    for (const [symbol, { state: reported }] of this.#instruments)
      if (reported === 'subscribed') await this.#publishInstrument(symbol);
  }

  /** Reports that the feed delivers an instrument. Returns whether that is new. */
  async subscribe(symbol: string): Promise<boolean> {
    if (this.#instruments.get(symbol)?.state === 'subscribed') return false;
    await this.setInstrument(symbol, { state: 'subscribed', detail: undefined });
    return true;
  }

  async publishPrice(price: Price): Promise<void> {
    await this.#onFrame();
    await this.#publisher.publish(this.#options.channel, price);
    if (this.#instruments.get(price.symbol)?.isUnpriced)
      await this.setInstrument(price.symbol, { isUnpriced: false });
  }

  /** The venue has withdrawn the price of an instrument. */
  async withdrawPrice(symbol: string): Promise<void> {
    await this.#onFrame();
    await this.setInstrument(symbol, { isUnpriced: true });
  }

  async setInstrument(symbol: string, change: Partial<ScriptedInstrument>): Promise<void> {
    const before = this.#instruments.get(symbol) ?? { state: 'subscribed' };
    this.#instruments.set(symbol, { ...before, ...change });
    await this.#publishInstrument(symbol);
  }

  /** Ends orderly: reports it, and releases the lease. */
  async stop(): Promise<void> {
    this.#enter('stopping');
    await this.#heartbeat();
    this.#enter('stopped');
    await this.#heartbeat();
    await this.end();
  }

  /** Loses its link: the heartbeats end, and the lease expires on the server. */
  crash(): void {
    this.#isEnded = true;
    this.#cancelHeartbeat();
    this.#options.link.disconnect();
  }

  /** Releases the lease without a report. */
  async end(): Promise<void> {
    this.#isEnded = true;
    this.#cancelHeartbeat();
    await this.lease.close();
    await this.#publisher.close();
    await this.#options.link.close();
  }

  /** A server without a record of a lease grants none for one TTL, because it may have lost it. This one is new. */
  async #skipHoldOff(): Promise<void> {
    const { link, channel } = this.#options;
    await link.publishing.connect();
    const { position, lease } = await link.publishing.head(channel);
    if (position.epoch === 0 && lease === undefined) await link.publishing.lease(channel).acquire(0);
  }

  #enter(state: FeedStatus['state'], detail?: string): void {
    if (state === 'live' && this.#state === 'live') this.#liveSince ??= this.#options.clock.monotonic();
    else this.#liveSince = state === 'live' ? this.#options.clock.monotonic() : undefined;
    this.#state = state;
    this.#detail = detail;
  }

  /** A frame of the venue ends a silence. Prices may have been lost in it, so `live_for_ms` starts again at 0. */
  async #onFrame(): Promise<void> {
    const { clock } = this.#options;
    this.#lastFrame = { at: clock.monotonic(), unixMs: clock.now() };
    if (this.#state === 'silent') await this.setFeed('live');
  }

  async #heartbeat(): Promise<void> {
    this.#cancelHeartbeat();
    if (this.#isEnded) return;
    this.#cancelHeartbeat = this.#options.clock.after(this.#intervalMs, () => void this.#beat());
    await this.#publisher.publish(CHANNELS.FEED_STATUS, this.#status());
  }

  async #beat(): Promise<void> {
    const { clock } = this.#options;
    const isExpected = this.#state === 'live' && this.#lastFrame !== undefined;
    if (isExpected && clock.monotonic() - (this.#lastFrame?.at ?? 0) >= SILENT_AFTER_MS)
      this.#enter('silent', `No frame received for ${SILENT_AFTER_MS} ms.`);
    await this.#heartbeat().catch(() => {});
  }

  #status(): FeedStatus {
    const { clock, feed } = this.#options;
    const now = clock.monotonic();
    return {
      feed,
      ...this.#about(),
      state: this.#state,
      ...(this.#detail !== undefined && { detail: this.#detail }),
      ...(this.#lastFrame && {
        last_frame_at: this.#lastFrame.unixMs,
        last_frame_ago_ms: now - this.#lastFrame.at,
      }),
      ...(this.#liveSince !== undefined && { live_for_ms: now - this.#liveSince }),
      instruments: [...this.#instruments.values()].filter(({ state }) => state === 'subscribed').length,
      holder: feed,
      interval_ms: this.#intervalMs,
      reports_instruments: true,
    };
  }

  async #publishInstrument(symbol: string): Promise<void> {
    const instrument = this.#instruments.get(symbol);
    if (instrument === undefined) return;
    const { clock, feed } = this.#options;
    const { state } = instrument;
    const now = clock.monotonic();
    const before = this.#published.get(symbol);
    const isSameState = before?.state === state;
    if (!isSameState) this.#published.set(symbol, { state, since: now });
    await this.#publisher.publish(CHANNELS.INSTRUMENT_STATUS, {
      symbol,
      ...statusOf(instrument),
      feed,
      ...this.#about(),
      ...(isSameState && { state_for_ms: now - before.since }),
    });
  }

  /** Statuses for PRICE_DATA name no channel. */
  #about(): Pick<FeedStatus, 'channel' | 'lease'> {
    const { name } = this.#options.channel;
    const channel = name === CHANNELS.PRICE_DATA.name ? {} : { channel: name };
    return { ...channel, ...(this.#token !== undefined && { lease: this.#token }) };
  }
}

/** The connection to the venue is open, and its subscriptions are confirmed. */
function isConnected(state: FeedStatus['state']): boolean {
  return state === 'live' || state === 'silent' || state === 'degraded';
}

/** A halt comes before a missing price. */
function statusOf({
  state,
  detail,
  halt,
  isUnpriced,
}: ScriptedInstrument): Pick<InstrumentStatus, 'state' | 'market' | 'detail' | 'halted_at'> {
  const isServed = state === 'subscribed';
  const market = isServed && halt ? 'halted' : isServed && isUnpriced ? 'no_price' : undefined;
  const text = market === 'halted' ? halt?.detail : detail;
  return {
    state,
    ...(market !== undefined && { market }),
    ...(text !== undefined && { detail: text }),
    ...(market === 'halted' && halt && { halted_at: halt.at }),
  };
}
