// The latest status of feeds and instruments, as published by their gateways. Gaps in these channels are not reported.

import type { Channel } from '../channel/channel.ts';
import { TickbusError } from '../errors.ts';
import { BoundedMap } from '../runtime/bounded-map.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { ChannelReader } from '../subscribe/channel-reader.ts';
import { Tap } from '../subscribe/tap.ts';
import type { FenceToken, Transport } from '../transport/port.ts';
import type { Message } from '../wire/message.ts';
import { isTrading } from './latest.ts';
import { LeaseClaims } from './lease-claims.ts';
import type { ClockShift } from './server-clocks.ts';
import type { FeedStatusData, InstrumentStatusData } from './status-data.ts';

/** The channels on which gateways publish their status; their schemas are in `channel/schemas/`. */
export interface FeedChannels {
  readonly feedStatus: Channel;
  readonly instrumentStatus: Channel;
  /** The channel that a status is about if the status names no channel. */
  readonly defaultChannel: string;
}

export interface GatewayStatusOptions extends FeedChannels {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onAnswer: (channel: string, sentAt: number, serverAt: number) => void;
  readonly onInstrument: (channel: string, key: string, report: InstrumentReport) => void;
  /** True for a channel that is subscribed to, or a key that a subscription names: their status is never evicted. */
  readonly isNamed: (channel: string, key: string | undefined) => boolean;
  /** Called when a feed status of a subscribed channel names a lease. At most 10 calls in 100 ms, the last included. */
  readonly onLeaseClaimed: (channel: string, lease: FenceToken) => void;
  /** The token of the channel's lease at the last answer of the server; undefined if nobody held it. */
  readonly leaseOf: (channel: string) => FenceToken | undefined;
}

/** The last status of the feed of a channel, from the gateway with the newest lease. */
export interface FeedReport {
  readonly name: string;
  readonly state: string;
  readonly detail: string | undefined;
  /** `NO_LEASE` if the status names no lease. */
  readonly lease: FenceToken;
  /** The server timestamp of the status. */
  readonly at: number;
  /** The maximum time until the next status. */
  readonly intervalMs: number;
  /** Time from the last frame from the broker to `at`; Infinity if unknown. */
  readonly lastFrameAgoMs: number;
  /** How long the feed had been live at `at`; -Infinity if unknown. */
  readonly liveForMs: number;
  /** True if the gateway reports every instrument, so that an instrument without a status may not be delivered. */
  readonly reportsInstruments: boolean;
}

export interface InstrumentReport {
  readonly state: string;
  readonly market: string | undefined;
  readonly limitDown: number | undefined;
  readonly limitUp: number | undefined;
  readonly detail: string | undefined;
  readonly feed: string;
  readonly lease: number;
  /** The server timestamp of the last status that changed more than the market and the price band, or a later one. */
  readonly at: number;
}

interface StoredFeed extends FeedReport {
  readonly channel: string;
}

interface StoredInstrument extends InstrumentReport {
  readonly channel: string;
  readonly symbol: string;
  /** The last state passed to `onInstrument`. A status of an older gateway is never reported. */
  readonly reported: string | undefined;
  /** True after a loss of messages: the gateway may have ended this status. It is ignored until it is read again. */
  readonly isDoubtful?: true;
}

const DEFAULT_INTERVAL_MS = 1_000;
/** The maximum number of channels with a feed, and of instruments of all channels. The stalest are evicted. */
const MAX_FEEDS = 256;
const MAX_INSTRUMENTS = 50_000;
/** Below every token, so a status without a lease is ignored once a status with a lease has arrived. */
export const NO_LEASE: FenceToken = 0;

export class GatewayStatus {
  readonly #options: GatewayStatusOptions;
  /** By channel. */
  readonly #readers: ReadonlyMap<string, ChannelReader>;
  /** By channel. */
  readonly #feeds: BoundedMap<StoredFeed>;
  readonly #instruments: BoundedMap<StoredInstrument>;
  readonly #claims: LeaseClaims;
  #accessError: TickbusError | undefined;

  constructor(options: GatewayStatusOptions) {
    this.#options = options;
    const { isNamed } = options;
    this.#claims = new LeaseClaims(options.clock, options.onLeaseClaimed);
    this.#feeds = new BoundedMap({
      limit: MAX_FEEDS,
      isKept: ({ channel }) => isNamed(channel, undefined),
      onEvicted: (count) => this.#logEvicted(count, 'channels'),
    });
    this.#instruments = new BoundedMap({
      limit: MAX_INSTRUMENTS,
      isKept: ({ channel, symbol }) => isNamed(channel, symbol),
      onEvicted: (count) => this.#logEvicted(count, 'instruments'),
    });
    const { feedStatus, instrumentStatus } = options;
    const feedReader = this.#createReader(feedStatus, this.#feeds, (message) => this.#recordFeed(message));
    const instrumentReader = this.#createReader(instrumentStatus, this.#instruments, (message) =>
      this.#recordInstrument(message),
    );
    this.#readers = new Map([
      [feedStatus.name, feedReader],
      [instrumentStatus.name, instrumentReader],
    ]);
  }

  /** Set once the server has denied access to these channels. */
  get accessError(): TickbusError | undefined {
    return this.#accessError;
  }

  get isRecovering(): boolean {
    return this.#accessError === undefined && [...this.#readers.values()].some(({ mode }) => mode !== 'live');
  }

  feed(channel: string): FeedReport | undefined {
    return this.#feeds.get(channel);
  }

  /**
   * The status of an instrument, unless it is from a gateway with an older lease than the feed's. That it is halted or
   * has no price holds until the gateway that took over reports the instrument.
   */
  instrument(channel: string, key: string): InstrumentReport | undefined {
    const report = this.#instruments.get(instrumentId(channel, key));
    if (report === undefined || report.isDoubtful) return undefined;
    const { lease = NO_LEASE, reportsInstruments = false } = this.feed(channel) ?? {};
    return report.lease >= lease || (reportsInstruments && !isTrading(report)) ? report : undefined;
  }

  /** Called on every new connection: of both channels, or of one. Denied access is logged once. */
  start(channel?: string): void {
    for (const reader of this.#readersOf(channel))
      reader.start().catch((error: unknown) => this.#readFailed(error));
  }

  suspend(channel?: string): void {
    for (const reader of this.#readersOf(channel)) reader.suspend();
  }

  stop(): void {
    for (const reader of this.#readers.values()) reader.stop();
  }

  #readersOf(channel: string | undefined): ChannelReader[] {
    return [...this.#readers].filter(([name]) => name === (channel ?? name)).map(([, reader]) => reader);
  }

  /** Adjusts all timestamps of a server whose clock was set. */
  shiftStamps({ shiftMs, isAbout }: ClockShift): void {
    const { feedStatus, instrumentStatus } = this.#options;
    const shifted = <T extends { readonly at: number }>(report: T) => ({
      ...report,
      at: report.at + shiftMs,
    });
    if (isAbout(feedStatus.name)) this.#feeds.update(shifted);
    if (isAbout(instrumentStatus.name)) this.#instruments.update(shifted);
  }

  #createReader(
    channel: Channel,
    reports: { clear(): void },
    onMessage: (message: Message) => void,
  ): ChannelReader {
    const { transport, clock, logger, onAnswer } = this.#options;
    const reader = new ChannelReader({
      channel,
      transport,
      clock,
      hooks: {
        // Losses are not reported: a recovery reads the newest status of each key, which replaces the older ones.
        onStatus: (status) => {
          if (status.type === 'recovery_failed') this.#readFailed(status.error);
          else if (status.type === 'gap' && !status.repaired) onLoss();
        },
        onInvalid: () => {},
        onDistrust: () => reports.clear(),
        onAnswer: (sentAt, { at }) => onAnswer(channel.name, sentAt, at),
      },
    });
    const newTap = () =>
      new Tap(
        ({ message, position }) => position !== undefined && onMessage(message),
        (err) =>
          logger.error({ err, channel: channel.name }, 'Gateway status ignored: it could not be processed.'),
      );
    let tap = newTap();
    // The newer statuses do not show which older one has ended, so a new tap reads all of them again.
    const onLoss = () => {
      if (channel !== this.#options.instrumentStatus) return;
      this.#instruments.update((report) => ({ ...report, isDoubtful: true as const }));
      reader.remove(tap);
      tap = newTap();
      reader.add(tap);
    };
    reader.add(tap);
    return reader;
  }

  #recordFeed({ data, at }: Message): void {
    const status = data as FeedStatusData;
    const { channel = this.#options.defaultChannel, lease = NO_LEASE } = status;
    const { lease: known = NO_LEASE } = this.#feeds.get(channel) ?? {};
    // The holder's status replaces one that names a higher lease: anybody who may publish can make a token up.
    if (at === undefined || (lease < known && lease !== this.#options.leaseOf(channel))) return;
    this.#feeds.set(channel, {
      channel,
      name: status.feed,
      state: status.state,
      detail: status.detail,
      lease,
      at,
      intervalMs: status.interval_ms ?? DEFAULT_INTERVAL_MS,
      lastFrameAgoMs: status.last_frame_ago_ms ?? Number.POSITIVE_INFINITY,
      liveForMs: status.live_for_ms ?? Number.NEGATIVE_INFINITY,
      reportsInstruments: status.reports_instruments ?? false,
    });
    if (lease !== NO_LEASE && this.#options.isNamed(channel, undefined)) this.#claims.add(channel, lease);
  }

  #recordInstrument({ data, at }: Message): void {
    const status = data as InstrumentStatusData;
    const {
      symbol,
      state,
      market,
      limit_down: limitDown,
      limit_up: limitUp,
      detail,
      feed,
      lease = 0,
      state_for_ms: forMs = 0,
    } = status;
    const { channel = this.#options.defaultChannel } = status;
    const id = instrumentId(channel, symbol);
    const before = this.#instruments.get(id);
    if (at === undefined || lease < (before?.lease ?? 0)) return;
    // Only the market or the price band has changed: the subscription was not interrupted.
    const isOfMarket =
      lease === before?.lease &&
      state === before.state &&
      (market !== before.market || limitDown !== before.limitDown || limitUp !== before.limitUp);
    // The timestamp of the first status, which a late subscriber has not read, is about that much earlier.
    const stamp = Math.min(at - forMs, isOfMarket ? before.at : at);
    const report = { state, market, limitDown, limitUp, detail, feed, lease, at: stamp };
    const isCurrent = lease >= (this.feed(channel)?.lease ?? 0);
    const reported = isCurrent ? JSON.stringify([state, market, detail]) : before?.reported;
    this.#instruments.set(id, { ...report, channel, symbol, reported });
    if (isCurrent && reported !== before?.reported) this.#options.onInstrument(channel, symbol, report);
  }

  #logEvicted(count: number, what: string): void {
    this.#options.logger.warn(
      { count },
      `Gateway status evicted: too many ${what}. The state of the least recently updated ones is unknown.`,
    );
  }

  #readFailed(error: unknown): void {
    if (!(error instanceof TickbusError) || error.code !== 'TICKBUS_DENIED') return;
    if (this.#accessError === undefined) {
      const { logger, feedStatus, instrumentStatus } = this.#options;
      const advice = `Permit this Redis user to read ${feedStatus} and ${instrumentStatus}.`;
      logger.warn(
        { err: error },
        `Gateway status cannot be read, so no value of a gateway is fresh. ${advice}`,
      );
    }
    this.#accessError = error;
  }
}

function instrumentId(channel: string, symbol: string): string {
  return `${channel}\n${symbol}`;
}
