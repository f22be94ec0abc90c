// What the server tells the page: one snapshot, then deltas of what has changed, each row whole. All times are Unix milliseconds by
// the server's clock; `now` of a frame says what that clock shows, so that the page never needs its own.

import type { Verdict } from 'tickbus';

/** `unknown`: it cannot be judged from here, because what it would be heard through is broken itself. */
export type IndicatorState = 'ok' | 'warn' | 'bad' | 'unknown';

export interface Indicator {
  readonly state: IndicatorState;
  /** Two or three words: `connected`, `no gateway`. */
  readonly text: string;
  /** A sentence that says what is known. */
  readonly detail: string;
  /** Since when the lamp is in this state. */
  readonly since: number;
}

/** Three questions, each answered for itself: a broken one makes those behind it `unknown`, never `bad`. */
export interface Indicators {
  readonly redis: Indicator;
  readonly broker: Indicator;
  readonly data: Indicator;
}

export type IndicatorName = keyof Indicators;

export interface Totals {
  /** Messages a second over all channels. */
  readonly rate: number;
  /** From the publisher to here, milliseconds, over the last 10 s of PRICE_DATA; null when nothing was measured. */
  readonly p50: number | null;
  readonly p99: number | null;
  /** Since the monitor was started. */
  readonly gaps: number;
  readonly lost: number;
  readonly invalid: number;
}

/** How a price is to be shown: `aging` is amber, `stale` is struck through. */
export type Look = 'fresh' | 'aging' | 'stale';

/** Why a feed does not deliver an instrument: the broker refuses it, does not know it, or nobody asks for it. */
export type InstrumentState = 'refused' | 'unknown' | 'unsubscribed';

export interface PriceRow {
  readonly symbol: string;
  /** Missing where none ever came, because the feed does not deliver the instrument. */
  readonly price?: number;
  readonly bid?: number;
  readonly ask?: number;
  readonly venue?: string;
  readonly source?: 'trade' | 'midpoint';
  /** When this value was published; missing where that cannot be known. */
  readonly changedAt?: number;
  /** Messages a second. */
  readonly rate: number;
  /** The library's. */
  readonly verdict: Verdict;
  readonly look: Look;
  readonly instrument?: InstrumentState;
  /** What the broker said of the instrument. */
  readonly detail?: string;
}

export interface BotRow {
  readonly bot: string;
  readonly state: string;
  readonly detail?: string;
  /** When it last told its status. */
  readonly heardAt: number;
  /** It should have told its status by now and has not. Never set for a bot that said it has stopped. */
  readonly overdue: boolean;
  readonly startedAt?: number;
  readonly subscriptions?: readonly string[];
  readonly behind?: number;
  readonly pnl?: number;
  readonly position?: number | Readonly<Record<string, number>>;
  readonly lastCommand?: { readonly text: string; readonly sender: string; readonly at: number };
}

export interface ChannelRow {
  readonly name: string;
  readonly kind: string;
  readonly mode: string;
  /** Messages a second, over the last whole second. */
  readonly rate: number;
  readonly received: number;
  /** From the publisher to here, milliseconds, over the last 10 s. */
  readonly p50: number | null;
  readonly p99: number | null;
  /** Subscribed links on the server, this monitor's among them; null where the server does not say. */
  readonly subscribers: number | null;
  readonly gaps: number;
  readonly lost: number;
  readonly invalid: number;
  /** When the last message came. */
  readonly lastAt?: number;
}

export type CommandState = 'sent' | 'accepted' | 'done' | 'rejected' | 'failed' | 'unanswered';

export interface CommandRow {
  /** Its place in the list, growing. */
  readonly n: number;
  readonly at: number;
  readonly sender: string;
  readonly bot: string;
  readonly type: string;
  /** The payload without the bot: `AAPL buy 10`. */
  readonly text: string;
  readonly id?: string;
  readonly state: CommandState;
  /** Who answered, what, and when. */
  readonly result?: string;
  readonly answeredAt?: number;
}

export type Severity = 'info' | 'warn' | 'bad';

export interface EventRow {
  readonly n: number;
  readonly at: number;
  readonly kind:
    | 'link'
    | 'channel'
    | 'gap'
    | 'invalid'
    | 'expired'
    | 'feed'
    | 'instrument'
    | 'data'
    | 'lease'
    | 'bot'
    | 'audit';
  readonly severity: Severity;
  readonly text: string;
  /** How often the same was told in a row. */
  readonly count: number;
}

/** Everything that a page cannot know by itself and that does not change while the server runs. */
export interface About {
  /** Where Redis is, without credentials. */
  readonly redis: string;
  /** Whether commands can be sent with the token. */
  readonly canSend: boolean;
  /** Older than this, a price is no longer fresh. */
  readonly maxAgeMs: number;
  readonly version: string;
}

/** One value a second, oldest first. */
export type Series = readonly number[];

export interface Snapshot {
  readonly now: number;
  readonly frame: number;
  readonly about: About;
  readonly lamps: Indicators;
  readonly totals: Totals;
  readonly prices: readonly PriceRow[];
  /** The last minute of each symbol. */
  readonly sparks: Readonly<Record<string, Series>>;
  readonly bots: readonly BotRow[];
  readonly channels: readonly ChannelRow[];
  /** Messages a second of each channel, the last two minutes. */
  readonly rates: Readonly<Record<string, Series>>;
  readonly commands: readonly CommandRow[];
  readonly events: readonly EventRow[];
}

/** What has changed since the frame before; a member that is missing has not. */
export interface Delta {
  readonly now: number;
  readonly frame: number;
  readonly lamps?: Indicators;
  readonly totals?: Totals;
  readonly prices?: readonly PriceRow[];
  /** Once a second: the newest point of every line. */
  readonly sparks?: Readonly<Record<string, number>>;
  readonly bots?: readonly BotRow[];
  readonly channels?: readonly ChannelRow[];
  readonly rates?: Readonly<Record<string, number>>;
  readonly commands?: readonly CommandRow[];
  readonly events?: readonly EventRow[];
}

export interface Candle {
  /** Unix seconds of its beginning. */
  readonly time: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
}

/** One part of a message's way, in milliseconds. */
export interface Hop {
  readonly name: 'broker to gateway' | 'gateway to Redis' | 'Redis to here';
  readonly last: number;
  readonly p50: number;
  readonly p99: number;
}

/** `GET /api/instruments/:symbol`. */
export interface InstrumentDetails {
  readonly symbol: string;
  readonly verdict: Verdict;
  /** Why, in a sentence. */
  readonly reason: string;
  readonly candleSeconds: number;
  readonly candles: readonly Candle[];
  /** Empty before a price came live. */
  readonly hops: readonly Hop[];
}

export interface TailMessage {
  /** Counts up within one stream. */
  readonly n: number;
  readonly at: number;
  readonly channel: string;
  readonly type: string;
  readonly sender: string;
  readonly seq?: number;
  readonly snapshot?: true;
  /** The payload as JSON, cut when it is long. */
  readonly data: string;
}

/** `GET /api/tail`: one a frame, while something passes the filter. */
export interface TailBatch {
  readonly messages: readonly TailMessage[];
  /** Messages that passed the filter and are not shown, because there were more than a person can read. */
  readonly skipped: number;
}

/** `POST /api/commands`. */
export interface CommandRequest {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface CommandResponse {
  /** A sentence: what became of it, or why it was refused. */
  readonly message: string;
  readonly id?: string;
}
