// The latest status of feeds and instruments, as published by their gateways. Gaps in these channels are not reported.

import type { Channel } from '../channel/channel.ts';
import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { ChannelReader } from '../subscribe/channel-reader.ts';
import { Tap } from '../subscribe/tap.ts';
import type { FenceToken, Transport } from '../transport/port.ts';
import type { Message } from '../wire/message.ts';

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
  readonly onAnswer: (sentAt: number, serverAt: number) => void;
  readonly onInstrument: (channel: string, key: string, report: InstrumentReport) => void;
  /** Called for each feed status that names a lease. */
  readonly onLeaseClaimed: (channel: string, lease: FenceToken) => void;
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
}

export interface InstrumentReport {
  readonly state: string;
  readonly detail: string | undefined;
  readonly feed: string;
  readonly lease: number;
  readonly at: number;
}

interface FeedStatusData {
  readonly feed: string;
  readonly state: string;
  readonly detail?: string;
  readonly channel?: string;
  readonly lease?: number;
  readonly interval_ms?: number;
  readonly last_frame_ago_ms?: number;
  readonly live_for_ms?: number;
}

interface InstrumentStatusData {
  readonly symbol: string;
  readonly state: string;
  readonly detail?: string;
  readonly feed: string;
  readonly channel?: string;
  readonly lease?: number;
}

const DEFAULT_INTERVAL_MS = 1_000;
/** Below every token, so a status without a lease is ignored once a status with a lease has arrived. */
export const NO_LEASE: FenceToken = 0;

export class GatewayStatus {
  readonly #options: GatewayStatusOptions;
  readonly #readers: readonly ChannelReader[];
  readonly #feeds = new Map<string, FeedReport>();
  readonly #instruments = new Map<string, Map<string, InstrumentReport>>();
  /** The last reported state of each instrument. A status of an older gateway is never reported. */
  readonly #reported = new Map<string, string>();
  #accessError: TickbusError | undefined;

  constructor(options: GatewayStatusOptions) {
    this.#options = options;
    this.#readers = [
      this.#createReader(options.feedStatus, this.#feeds, (message) => this.#recordFeed(message)),
      this.#createReader(options.instrumentStatus, this.#instruments, (message) =>
        this.#recordInstrument(message),
      ),
    ];
  }

  /** Set once the server has denied access to these channels. */
  get accessError(): TickbusError | undefined {
    return this.#accessError;
  }

  get isRecovering(): boolean {
    return this.#accessError === undefined && this.#readers.some(({ mode }) => mode !== 'live');
  }

  feed(channel: string): FeedReport | undefined {
    return this.#feeds.get(channel);
  }

  /** The status of an instrument, unless it is from a gateway with an older lease than the feed's. */
  instrument(channel: string, key: string): InstrumentReport | undefined {
    const report = this.#instruments.get(channel)?.get(key);
    return report !== undefined && report.lease >= (this.feed(channel)?.lease ?? 0) ? report : undefined;
  }

  /** Called on every new connection. A denied access is logged once. */
  start(): void {
    for (const reader of this.#readers) reader.start().catch((error: unknown) => this.#readFailed(error));
  }

  suspend(): void {
    for (const reader of this.#readers) reader.suspend();
  }

  stop(): void {
    for (const reader of this.#readers) reader.stop();
  }

  /** Adjusts all timestamps after the server's clock was set. */
  shiftStamps(byMs: number): void {
    for (const reports of [this.#feeds, ...this.#instruments.values()] as Map<string, { at: number }>[])
      for (const [key, report] of reports) reports.set(key, { ...report, at: report.at + byMs });
  }

  #createReader(
    channel: Channel,
    reports: Map<string, unknown>,
    onMessage: (message: Message) => void,
  ): ChannelReader {
    const { transport, clock, logger, onAnswer } = this.#options;
    const reader = new ChannelReader({
      channel,
      transport,
      clock,
      hooks: {
        // Losses are not reported: a recovery reads the newest status of each key, which replaces the older ones.
        onStatus: (status) => status.type === 'recovery_failed' && this.#readFailed(status.error),
        onInvalid: () => {},
        onDistrust: () => reports.clear(),
        onAnswer,
      },
    });
    reader.add(
      new Tap(
        ({ message, position }) => position !== undefined && onMessage(message),
        (err) =>
          logger.error({ err, channel: channel.name }, 'Gateway status ignored: it could not be processed.'),
      ),
    );
    return reader;
  }

  #recordFeed({ data, at }: Message): void {
    const status = data as FeedStatusData;
    const { channel = this.#options.defaultChannel, lease = NO_LEASE } = status;
    if (at === undefined || lease < (this.#feeds.get(channel)?.lease ?? 0)) return;
    this.#feeds.set(channel, {
      name: status.feed,
      state: status.state,
      detail: status.detail,
      lease,
      at,
      intervalMs: status.interval_ms ?? DEFAULT_INTERVAL_MS,
      lastFrameAgoMs: status.last_frame_ago_ms ?? Number.POSITIVE_INFINITY,
      liveForMs: status.live_for_ms ?? Number.NEGATIVE_INFINITY,
    });
    if (lease !== NO_LEASE) this.#options.onLeaseClaimed(channel, lease);
  }

  #recordInstrument({ data, at }: Message): void {
    const {
      symbol,
      state,
      detail,
      feed,
      channel = this.#options.defaultChannel,
      lease = 0,
    } = data as InstrumentStatusData;
    const ofChannel = this.#instruments.get(channel) ?? new Map<string, InstrumentReport>();
    this.#instruments.set(channel, ofChannel);
    const before = ofChannel.get(symbol);
    if (at === undefined || lease < (before?.lease ?? 0)) return;
    const report = { state, detail, feed, lease, at };
    ofChannel.set(symbol, report);
    if (this.instrument(channel, symbol) !== report) return;
    const instrument = JSON.stringify([channel, symbol]);
    const current = JSON.stringify([state, detail]);
    if (this.#reported.get(instrument) === current) return;
    this.#reported.set(instrument, current);
    this.#options.onInstrument(channel, symbol, report);
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
