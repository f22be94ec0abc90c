// What gateways tell of their feeds and instruments, read silently beside the channels that they fill.

import type { Channel } from '../channel/channel.ts';

import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { ChannelReader } from '../subscribe/channel-reader.ts';
import { Tap } from '../subscribe/tap.ts';
import type { FenceToken, Transport } from '../transport/port.ts';
import type { Message } from '../wire/message.ts';

/** Where gateways tell. The schemas of these channels are in `schemas/`; what is read here is in `FeedStatus` and `InstrumentStatus`. */
export interface FeedChannels {
  readonly feedStatus: Channel;
  readonly instrumentStatus: Channel;
  /** The channel that is meant where a status names none. */
  readonly defaultChannel: string;
}

export interface GatewayStatusOptions extends FeedChannels {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onAnswer: (sentAt: number, serverAt: number) => void;
  readonly onInstrument: (channel: string, key: string, report: InstrumentReport) => void;
  /** With each status that names a lease. */
  readonly onLeaseClaimed: (channel: string, lease: FenceToken) => void;
}

/** The last word of the gateway that holds the newest lease. */
export interface FeedReport {
  readonly name: string;
  readonly state: string;
  readonly detail: string | undefined;
  /** `NO_LEASE` where the status names none. */
  readonly lease: FenceToken;
  /** When the server stamped it. */
  readonly at: number;
  readonly intervalMs: number;
  /** Both when it was stamped; Infinity and -Infinity: not told. */
  readonly lastFrameAgoMs: number;
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
/** Below every token: what names no lease is ignored as soon as somebody names one. */
export const NO_LEASE: FenceToken = 0;

export class GatewayStatus {
  readonly #options: GatewayStatusOptions;
  readonly #readers: readonly ChannelReader[];
  readonly #feeds = new Map<string, FeedReport>();
  readonly #instruments = new Map<string, Map<string, InstrumentReport>>();
  /** The last word on each instrument that was told; what an older gateway left behind never is. */
  readonly #told = new Map<string, string>();
  #refusal: TickbusError | undefined;

  constructor(options: GatewayStatusOptions) {
    this.#options = options;
    this.#readers = [
      this.#reader(options.feedStatus, (message) => this.#onFeed(message)),
      this.#reader(options.instrumentStatus, (message) => this.#onInstrument(message)),
    ];
  }

  /** Why nothing can be read; undefined while it can. */
  get refusal(): TickbusError | undefined {
    return this.#refusal;
  }

  get isRecovering(): boolean {
    return this.#refusal === undefined && this.#readers.some(({ mode }) => mode !== 'live');
  }

  feed(channel: string): FeedReport | undefined {
    return this.#feeds.get(channel);
  }

  /** What an older gateway said of an instrument does not bind the one that holds the lease now. */
  instrument(channel: string, key: string): InstrumentReport | undefined {
    const report = this.#instruments.get(channel)?.get(key);
    return report !== undefined && report.lease >= (this.feed(channel)?.lease ?? 0) ? report : undefined;
  }

  /** On every new connection. A user who may not read these channels is told so in the log, once. */
  start(): void {
    for (const reader of this.#readers) reader.start().catch((error: unknown) => this.#failed(error));
  }

  suspend(): void {
    for (const reader of this.#readers) reader.suspend();
  }

  stop(): void {
    for (const reader of this.#readers) reader.stop();
  }

  clockWasSet(byMs: number): void {
    for (const reports of [this.#feeds, ...this.#instruments.values()] as Map<string, { at: number }>[])
      for (const [key, report] of reports) reports.set(key, { ...report, at: report.at + byMs });
  }

  #reader(channel: Channel, onMessage: (message: Message) => void): ChannelReader {
    const { transport, clock, logger, onAnswer } = this.#options;
    const reader = new ChannelReader({
      channel,
      transport,
      clock,
      hooks: {
        // Losses here are losses of what is old: the newest of each key is read again, or the next one comes.
        onStatus: (status) => status.type === 'recovery_failed' && this.#failed(status.error),
        onInvalid: () => {},
        onAnswer,
      },
    });
    reader.add(
      new Tap(
        ({ message, position }) => position !== undefined && onMessage(message),
        (err) => logger.error({ err, channel: channel.name }, 'Status ignored: it could not be processed.'),
      ),
    );
    return reader;
  }

  #onFeed({ data, at }: Message): void {
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

  #onInstrument({ data, at }: Message): void {
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
    const word = JSON.stringify([state, detail]);
    if (this.#told.get(instrument) === word) return;
    this.#told.set(instrument, word);
    this.#options.onInstrument(channel, symbol, report);
  }

  #failed(error: unknown): void {
    if (!(error instanceof TickbusError) || error.code !== 'TICKBUS_DENIED') return;
    if (this.#refusal === undefined)
      this.#options.logger.warn(
        { err: error },
        'What gateways tell cannot be read, so that no value can be called fresh.',
      );
    this.#refusal = error;
  }
}
