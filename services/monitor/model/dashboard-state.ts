// All that the page shows, put together from what was heard. Pure: time and judgements are given to it.

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
  Instrument,
  Lamp,
  LampName,
  LampState,
  Lamps,
  Severity,
  Snapshot,
  Totals,
} from '../protocol.ts';
import { BotBoard } from './bot-board.ts';
import { ChannelBoard } from './channel-board.ts';
import { CommandLog } from './command-log.ts';
import { EventLog } from './event-log.ts';
import { FeedWatch } from './feed-watch.ts';
import type { Judgement, PriceMessage } from './known-price.ts';
import { brokerLamp, dataLamp, type Judged, redisLamp } from './lamps.ts';
import { PriceBoard } from './price-board.ts';
import * as tell from './sentences.ts';

type LinkTold = Parameters<typeof redisLamp>[0];

export interface Judges {
  readonly judgementOf: (symbol: string) => Judgement;
  readonly reportOf: (channel: Channel) => ChannelReport | undefined;
}

const NAMES: Readonly<Record<LampName, string>> = {
  redis: 'Redis link',
  broker: 'Broker link',
  data: 'Data',
};
const UNSEEN: Judged = { state: 'unknown', text: 'starting', detail: 'The monitor is starting.' };

export class DashboardState {
  readonly #about: About;
  readonly #judges: Judges;
  readonly #prices: PriceBoard;
  readonly #bots: BotBoard;
  readonly #channels: ChannelBoard;
  readonly #commands = new CommandLog();
  readonly #events = new EventLog();
  readonly #feed: FeedWatch;
  #link: LinkTold;
  /** When the link came back last; 0 as long as it has not been lost. */
  #backAt = 0;
  #lamps: Lamps;
  #totals: Totals = { rate: 0, p50: null, p99: null, gaps: 0, lost: 0, invalid: 0 };
  #isSecond = false;
  #lampsChanged = true;
  #frame = 0;
  #now: number;

  constructor(about: About, channels: readonly Channel[], judges: Judges, now: number) {
    this.#about = about;
    this.#judges = judges;
    this.#now = now;
    this.#channels = new ChannelBoard(channels);
    this.#prices = new PriceBoard((change) =>
      this.#events.add('instrument', ...tell.instrument(change), this.#now),
    );
    this.#bots = new BotBoard((change) => this.#events.add('bot', ...tell.botChange(change), this.#now));
    this.#feed = new FeedWatch((kind, severity, text) => this.#events.add(kind, severity, text, this.#now));
    const since = { since: now };
    this.#lamps = {
      redis: { ...UNSEEN, ...since },
      broker: { ...UNSEEN, ...since },
      data: { ...UNSEEN, ...since },
    };
  }

  /** @param heardAt when it was published, by our clock; for a live message that is now */
  heard(channel: Channel, message: Message, heardAt: number, now: number): void {
    this.#now = now;
    this.#channels.heard(channel.name, message, now);
    switch (channel.name) {
      case CHANNELS.PRICE_DATA.name:
        return this.#prices.heard(message as PriceMessage, now);
      case CHANNELS.BOT_STATUS.name:
        return this.#bots.heard(message as Parameters<BotBoard['heard']>[0], heardAt);
      case CHANNELS.FEED_STATUS.name:
        return this.#feed.heard(message as Parameters<FeedWatch['heard']>[0], heardAt);
      case CHANNELS.INSTRUMENT_STATUS.name:
        return this.#named(message.data as InstrumentStatus);
      case CHANNELS.TRADE_COMMANDS.name:
        return this.#commanded(message as Envelope, now);
      case CHANNELS.COMMAND_RESULTS.name:
        return this.#commands.answered(message.data as Parameters<CommandLog['answered']>[0], now);
      case CHANNELS.AUDIT.name:
        return this.#events.add(
          'audit',
          ...tell.audit(message.data as Parameters<typeof tell.audit>[0]),
          now,
        );
    }
  }

  told(status: SubscriberStatus, now: number): void {
    this.#now = now;
    const event = tell.status(status);
    if (event !== undefined) this.#events.add(...event, now);
    // Why it went down says more than that it is tried again.
    const isOldNews = status.type === 'reconnecting' && this.#link?.type === 'disconnected';
    if (!('channel' in status) && !isOldNews) this.#link = status;
    if (status.type === 'connected' && status.generation > 1) this.#backAt = now;
  }

  invalid({ channel, error, preview }: InvalidMessage, now: number): void {
    this.#events.add('invalid', 'warn', `${channel}: ${error.message} ${preview}`, now);
  }

  expired(channel: string, { data, sender }: Message, now: number): void {
    const { bot } = data as { bot?: string };
    this.#events.add(
      'expired',
      'warn',
      `A command of ${sender} for ${bot} on ${channel} came too late.`,
      now,
    );
  }

  /** What the server says of itself; undefined when it could not be asked. */
  seen(server: { readonly subscribers: ReadonlyMap<string, number> } | undefined): void {
    this.#channels.subscribed(server?.subscribers ?? new Map());
  }

  /** To be called about once a second, before `judge`. @param seconds since the last call */
  second(seconds: number): void {
    const sums = this.#channels.second(this.#judges.reportOf, seconds);
    this.#prices.second(seconds);
    this.#totals = { ...sums, ...this.#channels.latencyOf(CHANNELS.PRICE_DATA.name) };
    this.#isSecond = true;
  }

  /** Judges everything by the time it is now; to be called before `takeDelta`. */
  judge(now: number): void {
    this.#now = now;
    this.#prices.judge(this.#judges.judgementOf, now);
    this.#judgeLamps(now);
    this.#bots.judge(now, this.#lamps.redis.state === 'ok' ? this.#backAt : undefined);
    this.#commands.judge(now);
  }

  /** Undefined for one that nothing was heard of. */
  instrument(symbol: string): Instrument | undefined {
    const known = this.#prices.instrument(symbol);
    if (known === undefined) return undefined;
    const { verdict, reason } = this.#judges.judgementOf(symbol);
    return { symbol, verdict, reason, ...known };
  }

  snapshot(): Snapshot {
    return {
      now: this.#now,
      frame: this.#frame,
      about: this.#about,
      lamps: this.#lamps,
      totals: this.#totals,
      prices: this.#prices.rows(),
      sparks: this.#prices.sparks(),
      bots: this.#bots.rows(),
      channels: this.#channels.rows(),
      rates: this.#channels.rates(),
      commands: this.#commands.rows(),
      events: this.#events.rows(),
    };
  }

  /** What has changed since the last call. */
  takeDelta(): Delta {
    const isSecond = this.#isSecond;
    const lampsChanged = this.#lampsChanged;
    this.#isSecond = false;
    this.#lampsChanged = false;
    return {
      now: this.#now,
      frame: ++this.#frame,
      ...(lampsChanged && { lamps: this.#lamps }),
      ...some('prices', this.#prices.takeChanged()),
      ...some('bots', this.#bots.takeChanged()),
      ...some('channels', this.#channels.takeChanged()),
      ...some('commands', this.#commands.takeChanged()),
      ...some('events', this.#events.takeChanged()),
      ...(isSecond && {
        totals: this.#totals,
        sparks: this.#prices.sparkPoints(),
        rates: this.#channels.ratePoints(),
      }),
    };
  }

  /** Prices are of the one channel that the page shows. */
  #named({ symbol, channel = CHANNELS.PRICE_DATA.name }: InstrumentStatus): void {
    if (channel === CHANNELS.PRICE_DATA.name) this.#prices.named(symbol);
  }

  #commanded(message: Envelope, now: number): void {
    const { bot, type, text, sender, at } = this.#commands.sent(message, now);
    this.#bots.commanded(bot, { text: text === '' ? type : `${type} ${text}`, sender, at });
  }

  #judgeLamps(now: number): void {
    const feed = this.#feed.newest;
    const redis = redisLamp(this.#link, this.#about.redis);
    const broker = brokerLamp(redis.state, feed, now, this.#backAt);
    this.#light('redis', redis, now);
    this.#light('broker', broker, now);
    const { maxAgeMs } = this.#about;
    const seen = { ...this.#prices.freshness(), maxAgeMs, brokerSince: this.#lamps.broker.since };
    this.#light('data', dataLamp(redis.state, broker.state, feed, seen, now), now);
  }

  #tellLamp(name: LampName, before: LampState, { state, text, detail }: Judged, now: number): void {
    const severity = TOLD[state];
    const isFirstWord = before === 'unknown' && state === 'ok';
    if (name === 'redis' || severity === undefined || isFirstWord) return;
    this.#events.add(
      name === 'broker' ? 'feed' : 'data',
      severity,
      `${NAMES[name]}: ${text}. ${detail}`,
      now,
    );
  }

  #light(name: LampName, judged: Judged, now: number): void {
    const before = this.#lamps[name];
    if (before.state === judged.state && before.text === judged.text && before.detail === judged.detail)
      return;
    const isSame = before.state === judged.state;
    if (!isSame) this.#tellLamp(name, before.state, judged, now);
    const lamp: Lamp = { ...judged, since: isSame ? before.since : Math.round(now) };
    this.#lamps = { ...this.#lamps, [name]: lamp };
    this.#lampsChanged = true;
  }
}

/** Worth an event: broken, odd, or well again. The Redis link tells of itself. */
const TOLD: Readonly<Record<LampState, Severity | undefined>> = {
  ok: 'info',
  warn: 'warn',
  bad: 'bad',
  unknown: undefined,
};

function some<Name extends string, Row>(name: Name, rows: readonly Row[]): { [K in Name]?: readonly Row[] } {
  return (rows.length > 0 ? { [name]: rows } : {}) as { [K in Name]?: readonly Row[] };
}
