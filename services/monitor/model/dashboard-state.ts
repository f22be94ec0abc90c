// The content of the page, computed from bus messages. Does no I/O: the caller supplies time, verdicts and reports.

import { programsOfBots } from '@tickbus/operator-kit/bot-programs';
import type {
  Channel,
  ChannelReport,
  Envelope,
  InstrumentStatus,
  InvalidMessage,
  Message,
  Presence,
  PriceChannel,
  SubscriberStatus,
} from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { InstrumentDetails } from '../api-protocol.ts';
import type { About, Delta, Dropped, Snapshot, Totals } from '../page-protocol.ts';
import { BotBoard } from './bot-board.ts';
import { ChannelBoard } from './channel-board.ts';
import { CommandLog } from './command-log.ts';
import { EventLog } from './event-log.ts';
import * as eventTexts from './event-texts.ts';
import { feedIndicators, type ShownFeed } from './feed-indicators.ts';
import { FeedStatusTracker } from './feed-status-tracker.ts';
import { IndicatorBoard } from './indicator-board.ts';
import type { PriceUpdate } from './instrument-record.ts';
import { LinkStates } from './link-states.ts';
import { type LatestOf, PriceBoard } from './price-board.ts';
import { rowName, rowSentence } from './row-text.ts';
import { dataIndicator } from './status-indicators.ts';
import { StatusLine } from './status-line.ts';

export interface DashboardSources {
  readonly latestOf: LatestOf;
  readonly reportOf: (channel: Channel) => ChannelReport | undefined;
}

const { PRICE_DATA } = CHANNELS;
export class DashboardState {
  readonly #about: About;
  readonly #sources: DashboardSources;
  readonly #prices: PriceBoard;
  readonly #bots: BotBoard;
  readonly #channels: ChannelBoard;
  readonly #commands = new CommandLog();
  readonly #events = new EventLog();
  readonly #feed: FeedStatusTracker;
  readonly #links = new LinkStates();
  readonly #statusLine = new StatusLine();
  readonly #observed: Channel[];
  readonly #priceChannels = new Map<string, PriceChannel>([[PRICE_DATA.name, PRICE_DATA]]);
  readonly #indicators: IndicatorBoard;
  #totals: Totals = { rate: 0, p50: null, p99: null, gaps: 0, lost: 0, invalid: 0 };
  #ratesChanged = false;
  #frame = 0;
  #now: number;

  constructor(about: About, channels: readonly Channel[], sources: DashboardSources, now: number) {
    this.#about = about;
    this.#sources = sources;
    this.#now = now;
    this.#observed = [...channels];
    this.#channels = new ChannelBoard(channels);
    this.#prices = new PriceBoard((change) =>
      this.#events.add('instrument', ...eventTexts.describeDeliveryChange(change), this.#now),
    );
    this.#bots = new BotBoard((change) =>
      this.#events.add('bot', ...eventTexts.describeBotChange(change), this.#now),
    );
    this.#feed = new FeedStatusTracker(
      (kind, severity, text) => this.#events.add(kind, severity, text, this.#now),
      (name) => {
        const channel = this.#priceChannels.get(name);
        return channel && sources.reportOf(channel)?.lease;
      },
    );
    this.#indicators = new IndicatorBoard(
      (kind, severity, text) => this.#events.add(kind, severity, text, this.#now),
      now,
    );
  }

  /** Shows the prices of a further venue. Called once, before its first message. */
  addVenue(channel: PriceChannel): void {
    this.#priceChannels.set(channel.name, channel);
    this.#observed.push(channel);
    this.#channels.add(channel);
  }

  /** @param heardAt when the message was published, by the local clock; equals `now` for a live message */
  onMessage(channel: Channel, message: Message, heardAt: number, now: number): void {
    this.#now = now;
    this.#channels.record(channel.name, message, now);
    const prices = this.#priceChannels.get(channel.name);
    if (prices !== undefined) return this.#prices.record(message as PriceUpdate, now, prices);
    switch (channel.name) {
      case CHANNELS.BOT_STATUS.name:
        return this.#bots.recordStatus(message as Parameters<BotBoard['recordStatus']>[0], heardAt, now);
      case CHANNELS.FEED_STATUS.name:
        return this.#feed.record(message as Parameters<FeedStatusTracker['record']>[0], heardAt, now);
      case CHANNELS.INSTRUMENT_STATUS.name:
        return this.#onInstrumentStatus(message.data as InstrumentStatus, now);
      case CHANNELS.PRESENCE.name:
        return this.#statusLine.recordPresence(message.data as Presence, now);
      case CHANNELS.TRADE_COMMANDS.name:
        return this.#onCommand(message as Envelope, now);
      case CHANNELS.COMMAND_RESULTS.name:
        return this.#commands.recordResult(message.data as Parameters<CommandLog['recordResult']>[0], now);
      case CHANNELS.AUDIT.name:
        return this.#events.add(
          'audit',
          ...eventTexts.describeAudit(message.data as Parameters<typeof eventTexts.describeAudit>[0]),
          now,
        );
    }
  }

  onStatus(status: SubscriberStatus, now: number): void {
    this.#now = now;
    this.#links.record(status, now);
    const event = eventTexts.describeStatus(status);
    if (event !== undefined) this.#events.add(...event, now);
  }

  /** Programs that are there, as far as PRESENCE has said. */
  get programs(): readonly Presence[] {
    return this.#statusLine.programs;
  }

  forgetPrograms(programs: readonly Presence[], now: number): void {
    this.#statusLine.forgetPrograms(programs, now);
  }

  onInvalidMessage({ channel, error, preview }: InvalidMessage, now: number): void {
    this.#events.add('invalid', 'warn', `${channel}: ${error.message} ${preview}`, now);
  }

  onExpired(channel: string, { data, sender }: Message, now: number): void {
    const { bot } = data as { bot?: string };
    this.#events.add(
      'expired',
      'warn',
      `A command from ${rowName(sender)} for ${rowName(String(bot))} on ${channel} expired before delivery.`,
      now,
    );
  }

  /** @param server statistics polled from the server; undefined after a failed poll */
  onServerStats(server: { readonly subscribers: ReadonlyMap<string, number> } | undefined): void {
    this.#channels.setSubscriberCounts(server?.subscribers ?? new Map());
  }

  /** Call about once per second, before `update`. @param seconds since the previous call */
  updateRates(seconds: number): void {
    const totals = this.#channels.updateRates(this.#sources.reportOf, seconds);
    this.#prices.updateRates(seconds, this.#now);
    this.#totals = { ...totals, ...this.#channels.latencyOf(PRICE_DATA.name) };
    this.#ratesChanged = true;
  }

  /** Re-evaluates verdicts, indicators and timeouts. Call before `takeDelta`. */
  update(now: number): void {
    this.#now = now;
    this.#prices.updateVerdicts(this.#sources.latestOf, now);
    this.#updateIndicators(now);
    const bots = CHANNELS.BOT_STATUS.name;
    this.#bots.markOverdue(
      now,
      this.#links.stateOf(bots) === 'ok' ? this.#links.restoredAt(bots) : undefined,
    );
    this.#commands.expireUnanswered(now);
    if (this.#ratesChanged) this.#updateStatusLine(now);
  }

  /** Returns undefined for an unknown instrument. */
  instrument(symbol: string): InstrumentDetails | undefined {
    const record = this.#prices.instrument(symbol);
    if (record === undefined) return undefined;
    const { channel, ...history } = record;
    const { verdict, reason } = this.#sources.latestOf(record.symbol, channel);
    return { ...history, symbol, verdict, reason: rowSentence(reason) };
  }

  snapshot(): Snapshot {
    return {
      now: this.#now,
      frame: this.#frame,
      about: this.#about,
      status: this.#statusLine.shown,
      lamps: this.#indicators.all,
      totals: this.#totals,
      prices: this.#prices.rows(),
      sparks: this.#prices.sparks(),
      bots: this.#bots.rows(),
      channels: this.#channels.rows(),
      rates: this.#channels.rates(),
      commands: this.#commands.rows(),
      events: this.#events.rows(),
      dropped: this.#dropped(),
    };
  }

  /** Returns the changes since the previous call. */
  takeDelta(): Delta {
    const isSecond = this.#ratesChanged;
    const status = this.#statusLine.takeChanged();
    const lamps = this.#indicators.takeChanged();
    this.#ratesChanged = false;
    return {
      now: this.#now,
      frame: ++this.#frame,
      ...(status && { status }),
      ...(lamps && { lamps }),
      ...nonEmpty('prices', this.#prices.takeChanged()),
      ...nonEmpty('bots', this.#bots.takeChanged()),
      ...nonEmpty('channels', this.#channels.takeChanged()),
      ...nonEmpty('commands', this.#commands.takeChanged()),
      ...nonEmpty('events', this.#events.takeChanged()),
      ...this.#takeRemoved(),
      ...(isSecond && {
        totals: this.#totals,
        dropped: this.#dropped(),
        sparks: this.#prices.sparkPoints(),
        rates: this.#channels.ratePoints(),
      }),
    };
  }

  #dropped(): Dropped {
    return {
      prices: this.#prices.dropped,
      bots: this.#bots.dropped,
      commands: this.#commands.dropped,
      events: this.#events.dropped,
    };
  }

  #takeRemoved(): Pick<Delta, 'removed'> {
    const removed = {
      ...nonEmpty('prices', this.#prices.takeRemoved()),
      ...nonEmpty('bots', this.#bots.takeRemoved()),
      ...nonEmpty('commands', this.#commands.takeRemoved()),
      ...nonEmpty('events', this.#events.takeRemoved()),
    };
    return Object.keys(removed).length > 0 ? { removed } : {};
  }

  #onInstrumentStatus(status: InstrumentStatus, now: number): void {
    const { symbol, channel: name = PRICE_DATA.name } = status;
    this.#statusLine.recordInstrument(status, now);
    const channel = this.#priceChannels.get(name);
    if (channel !== undefined) this.#prices.addSymbol(symbol, now, channel);
  }

  #onCommand(message: Envelope, now: number): void {
    const { bot, type, text, sender, at } = this.#commands.recordCommand(message, now);
    this.#bots.recordCommand(bot, { text: text === '' ? type : `${type} ${text}`, sender, at });
  }

  #shownFeeds(): readonly ShownFeed[] {
    return this.#feed.feeds.filter(({ channel }) => this.#priceChannels.has(channel));
  }

  #updateStatusLine(now: number): void {
    const { redis } = this.#about;
    this.#bots.markCopies(programsOfBots(this.#statusLine.programs));
    const bots = this.#bots.rows();
    const conflicts = this.#observed.flatMap((channel) => this.#sources.reportOf(channel)?.conflict ?? []);
    const parts = { links: this.#links, redis, feeds: this.#shownFeeds(), bots, conflicts };
    this.#statusLine.update(parts, now);
  }

  #updateIndicators(now: number): void {
    const { redis, maxAgeMs } = this.#about;
    this.#indicators.set('redis', this.#links.indicator(redis), now);
    const { name } = CHANNELS.FEED_STATUS;
    const [link, restoredAt] = [this.#links.stateOf(name), this.#links.restoredAt(name)];
    const { broker, best, bestState } = feedIndicators(this.#shownFeeds(), link, now, restoredAt);
    this.#indicators.set('broker', broker, now);
    const activity = {
      ...this.#prices.freshness(),
      maxAgeMs,
      brokerSince: this.#indicators.all.broker.since,
    };
    const dataLink = this.#links.stateOf(best?.channel ?? PRICE_DATA.name);
    this.#indicators.set('data', dataIndicator(dataLink, bestState, best?.heartbeat, activity, now), now);
  }
}

function nonEmpty<Name extends string, Row>(
  name: Name,
  rows: readonly Row[],
): { [K in Name]?: readonly Row[] } {
  return (rows.length > 0 ? { [name]: rows } : {}) as { [K in Name]?: readonly Row[] };
}
