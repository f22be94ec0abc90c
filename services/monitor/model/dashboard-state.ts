// The content of the page, computed from bus messages. Does no I/O: the caller supplies time, verdicts and reports.

import type {
  Channel,
  ChannelReport,
  Envelope,
  InstrumentStatus,
  InvalidMessage,
  Message,
  SubscriberStatus,
} from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type {
  About,
  Delta,
  Dropped,
  Indicator,
  IndicatorName,
  IndicatorState,
  Indicators,
  InstrumentDetails,
  Severity,
  Snapshot,
  Totals,
} from '../page-protocol.ts';
import { BotBoard } from './bot-board.ts';
import { ChannelBoard } from './channel-board.ts';
import { CommandLog } from './command-log.ts';
import { EventLog } from './event-log.ts';
import * as eventTexts from './event-texts.ts';
import { FeedStatusTracker } from './feed-status-tracker.ts';
import type { PriceUpdate, PriceVerdict } from './instrument-record.ts';
import { LinkStates } from './link-states.ts';
import { PriceBoard } from './price-board.ts';
import { rowName, rowSentence } from './row-text.ts';
import { brokerIndicator, dataIndicator, type IndicatorStatus } from './status-indicators.ts';

export interface DashboardSources {
  readonly latestOf: (symbol: string) => PriceVerdict;
  readonly reportOf: (channel: Channel) => ChannelReport | undefined;
}

const TITLES: Readonly<Record<IndicatorName, string>> = {
  redis: 'Redis link',
  broker: 'Broker link',
  data: 'Data',
};
const STARTING: IndicatorStatus = { state: 'unknown', text: 'starting', detail: 'The monitor is starting.' };

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
  #indicators: Indicators;
  #totals: Totals = { rate: 0, p50: null, p99: null, gaps: 0, lost: 0, invalid: 0 };
  #ratesChanged = false;
  #indicatorsChanged = true;
  #frame = 0;
  #now: number;

  constructor(about: About, channels: readonly Channel[], sources: DashboardSources, now: number) {
    this.#about = about;
    this.#sources = sources;
    this.#now = now;
    this.#channels = new ChannelBoard(channels);
    this.#prices = new PriceBoard((change) =>
      this.#events.add('instrument', ...eventTexts.describeDeliveryChange(change), this.#now),
    );
    this.#bots = new BotBoard((change) =>
      this.#events.add('bot', ...eventTexts.describeBotChange(change), this.#now),
    );
    this.#feed = new FeedStatusTracker(
      (kind, severity, text) => this.#events.add(kind, severity, text, this.#now),
      () => sources.reportOf(CHANNELS.PRICE_DATA)?.lease,
    );
    const since = { since: now };
    this.#indicators = {
      redis: { ...STARTING, ...since },
      broker: { ...STARTING, ...since },
      data: { ...STARTING, ...since },
    };
  }

  /** @param heardAt when the message was published, by the local clock; equals `now` for a live message */
  onMessage(channel: Channel, message: Message, heardAt: number, now: number): void {
    this.#now = now;
    this.#channels.record(channel.name, message, now);
    switch (channel.name) {
      case CHANNELS.PRICE_DATA.name:
        return this.#prices.record(message as PriceUpdate, now);
      case CHANNELS.BOT_STATUS.name:
        return this.#bots.recordStatus(message as Parameters<BotBoard['recordStatus']>[0], heardAt, now);
      case CHANNELS.FEED_STATUS.name:
        return this.#feed.record(message as Parameters<FeedStatusTracker['record']>[0], heardAt, now);
      case CHANNELS.INSTRUMENT_STATUS.name:
        return this.#onInstrumentStatus(message.data as InstrumentStatus, now);
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
    this.#totals = { ...totals, ...this.#channels.latencyOf(CHANNELS.PRICE_DATA.name) };
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
  }

  /** Returns undefined for an unknown instrument. */
  instrument(symbol: string): InstrumentDetails | undefined {
    const record = this.#prices.instrument(symbol);
    if (record === undefined) return undefined;
    const { verdict, reason } = this.#sources.latestOf(record.symbol);
    return { ...record, symbol, verdict, reason: rowSentence(reason) };
  }

  snapshot(): Snapshot {
    return {
      now: this.#now,
      frame: this.#frame,
      about: this.#about,
      lamps: this.#indicators,
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
    const lampsChanged = this.#indicatorsChanged;
    this.#ratesChanged = false;
    this.#indicatorsChanged = false;
    return {
      now: this.#now,
      frame: ++this.#frame,
      ...(lampsChanged && { lamps: this.#indicators }),
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

  /** Ignores other price channels: the page shows PRICE_DATA only. */
  #onInstrumentStatus({ symbol, channel = CHANNELS.PRICE_DATA.name }: InstrumentStatus, now: number): void {
    if (channel === CHANNELS.PRICE_DATA.name) this.#prices.addSymbol(symbol, now);
  }

  #onCommand(message: Envelope, now: number): void {
    const { bot, type, text, sender, at } = this.#commands.recordCommand(message, now);
    this.#bots.recordCommand(bot, { text: text === '' ? type : `${type} ${text}`, sender, at });
  }

  #updateIndicators(now: number): void {
    const feed = this.#feed.newest;
    const { redis, maxAgeMs } = this.#about;
    this.#setIndicator('redis', this.#links.indicator(redis), now);
    const { name } = CHANNELS.FEED_STATUS;
    const [link, restoredAt] = [this.#links.stateOf(name), this.#links.restoredAt(name)];
    const broker = brokerIndicator(link, feed, now, restoredAt, this.#feed.heldLease());
    this.#setIndicator('broker', broker, now);
    const activity = { ...this.#prices.freshness(), maxAgeMs, brokerSince: this.#indicators.broker.since };
    const dataLink = this.#links.stateOf(CHANNELS.PRICE_DATA.name);
    this.#setIndicator('data', dataIndicator(dataLink, broker.state, feed, activity, now), now);
  }

  #reportIndicator(
    name: IndicatorName,
    before: IndicatorState,
    { state, text, detail }: IndicatorStatus,
    now: number,
  ): void {
    const severity = EVENT_SEVERITY[state];
    const isNormalStart = before === 'unknown' && state === 'ok';
    if (name === 'redis' || severity === undefined || isNormalStart) return;
    this.#events.add(
      name === 'broker' ? 'feed' : 'data',
      severity,
      `${TITLES[name]}: ${text}. ${detail}`,
      now,
    );
  }

  #setIndicator(name: IndicatorName, found: IndicatorStatus, now: number): void {
    const status = { ...found, detail: rowSentence(found.detail) };
    const before = this.#indicators[name];
    if (before.state === status.state && before.text === status.text && before.detail === status.detail)
      return;
    const isSame = before.state === status.state;
    if (!isSame) this.#reportIndicator(name, before.state, status, now);
    const indicator: Indicator = { ...status, since: isSame ? before.since : Math.round(now) };
    this.#indicators = { ...this.#indicators, [name]: indicator };
    this.#indicatorsChanged = true;
  }
}

/** Severity of the event for each new state. The Redis link reports its own events. */
const EVENT_SEVERITY: Readonly<Record<IndicatorState, Severity | undefined>> = {
  ok: 'info',
  warn: 'warn',
  bad: 'bad',
  unknown: undefined,
};

function nonEmpty<Name extends string, Row>(
  name: Name,
  rows: readonly Row[],
): { [K in Name]?: readonly Row[] } {
  return (rows.length > 0 ? { [name]: rows } : {}) as { [K in Name]?: readonly Row[] };
}
