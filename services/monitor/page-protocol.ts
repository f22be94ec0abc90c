// Messages from the server to the page: one snapshot, then deltas that contain every changed row in full. All times are
// Unix milliseconds of the server clock. Each frame carries that clock in `now`: the page uses it to compute ages, not
// the browser clock.

import type { BusState } from '@tickbus/operator-kit/bus-status';
import type { Verdict } from 'tickbus';

/** `unknown`: a broken dependency hides the state. */
export type IndicatorState = 'ok' | 'warn' | 'bad' | 'unknown';

export interface Indicator {
  readonly state: IndicatorState;
  /** Two or three words: `connected`, `no gateway`. */
  readonly text: string;
  /** Explanation in one or two sentences. */
  readonly detail: string;
  /** When the indicator entered this state. */
  readonly since: number;
}

/** Each indicator reports one part. A broken part turns the indicators that depend on it `unknown`, never `bad`. */
export interface Indicators {
  readonly redis: Indicator;
  readonly broker: Indicator;
  readonly data: Indicator;
}

export type IndicatorName = keyof Indicators;

/** What is wrong, worst first, or that all is well: the sentence of `tickbus status`. */
export interface StatusSentence {
  readonly state: BusState;
  readonly sentence: string;
}

export interface Totals {
  /** Messages per second over all channels. */
  readonly rate: number;
  /** Milliseconds from publisher to monitor, over the last 10 s of PRICE_DATA; null without samples. */
  readonly p50: number | null;
  readonly p99: number | null;
  /** `gaps`, `lost` and `invalid` count since the monitor started. */
  readonly gaps: number;
  readonly lost: number;
  readonly invalid: number;
}

/** Display style of a price: `aging` is amber, `stale` is struck through. */
export type Look = 'fresh' | 'aging' | 'stale';

/** Why a feed does not deliver an instrument: rejected by the broker, unknown to the broker, or not requested. */
export type InstrumentState = 'refused' | 'unknown' | 'unsubscribed';

export interface PriceRow {
  readonly symbol: string;
  /** Absent if no price has been received, because the feed does not deliver the instrument. */
  readonly price?: number;
  readonly bid?: number;
  readonly ask?: number;
  readonly venue?: string;
  readonly source?: 'trade' | 'midpoint';
  /** When this value was published; absent if unknown. */
  readonly changedAt?: number;
  /** Messages per second. */
  readonly rate: number;
  readonly verdict: Verdict;
  readonly look: Look;
  readonly instrument?: InstrumentState;
  /** The price band that the venue has announced; absent if none is known. */
  readonly limitDown?: number;
  readonly limitUp?: number;
  /** The broker's explanation for `instrument`. */
  readonly detail?: string;
}

export interface BotRow {
  readonly bot: string;
  readonly state: string;
  readonly detail?: string;
  /** When the bot's last status was published. */
  readonly heardAt: number;
  /** Whether the bot's next status is overdue. Always false for a bot that has reported `stopped`. */
  readonly overdue: boolean;
  /** True if the status is of a plain client: it has no number, and no presence proves that the bot is there. */
  readonly isPlain?: true;
  /** The number of programs that report under this name now, if there are several: the row shows their last status. */
  readonly copies?: number;
  /** Differs between the runs of a bot. */
  readonly instance?: string;
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
  /** Messages per second, over the last full second. */
  readonly rate: number;
  readonly received: number;
  /** Milliseconds from publisher to monitor, over the last 10 s; null without samples. */
  readonly p50: number | null;
  readonly p99: number | null;
  /** Subscribed connections, including this monitor's; null if the server could not be polled. */
  readonly subscribers: number | null;
  readonly gaps: number;
  readonly lost: number;
  readonly invalid: number;
  /** When the last message was received. */
  readonly lastAt?: number;
}

export type CommandState = 'sent' | 'accepted' | 'done' | 'rejected' | 'expired' | 'failed' | 'unanswered';

export interface CommandRow {
  /** Row number, ascending. */
  readonly n: number;
  readonly at: number;
  readonly sender: string;
  readonly bot: string;
  readonly type: string;
  /** The payload without the bot: `symbol AAPL, side buy, quantity 10`. */
  readonly text: string;
  readonly id?: string;
  readonly state: CommandState;
  /** Detail of the result, prefixed with the bot if another bot reported it. */
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
  /** Number of equal events in this row: the first one, at `at`, and its repeats within the next 10 seconds. */
  readonly count: number;
}

export interface CommandField {
  readonly name: string;
  /** `json`: any value, written as JSON. */
  readonly kind: 'text' | 'number' | 'boolean' | 'choice' | 'json';
  readonly isRequired: boolean;
  /** The values of a `choice`. */
  readonly choices?: readonly string[];
  /** The least `number`. */
  readonly min?: number;
}

/** A type of TRADE_COMMANDS. The server checks its payloads against the schema; the fields are a help. */
export interface CommandForm {
  readonly type: string;
  /** Without `bot`. Absent if they are not known: the payload is written as one JSON object. */
  readonly fields?: readonly CommandField[];
}

/** Server settings that stay the same while the server runs. */
export interface About {
  /** Address of Redis, without credentials. */
  readonly redis: string;
  /** Whether a token enables sending commands. */
  readonly canSend: boolean;
  /** The types of commands; empty if sending is disabled. */
  readonly commands: readonly CommandForm[];
  /** Maximum age of a fresh price, in milliseconds. */
  readonly maxAgeMs: number;
  readonly version: string;
}

/** One value per second, oldest first. */
export type Series = readonly number[];

/** Rows dropped since the monitor started, because there were too many. */
export interface Dropped {
  readonly prices: number;
  readonly bots: number;
  readonly commands: number;
  readonly events: number;
}

/** Keys of the rows dropped since the previous frame. */
export interface Removed {
  readonly prices?: readonly string[];
  readonly bots?: readonly string[];
  readonly commands?: readonly number[];
  readonly events?: readonly number[];
}

export interface Snapshot {
  readonly now: number;
  readonly frame: number;
  readonly about: About;
  readonly status: StatusSentence;
  readonly lamps: Indicators;
  readonly totals: Totals;
  readonly prices: readonly PriceRow[];
  /** Prices of the last minute, by symbol. */
  readonly sparks: Readonly<Record<string, Series>>;
  readonly bots: readonly BotRow[];
  readonly channels: readonly ChannelRow[];
  /** Messages per second of the last two minutes, by channel. */
  readonly rates: Readonly<Record<string, Series>>;
  readonly commands: readonly CommandRow[];
  readonly events: readonly EventRow[];
  readonly dropped: Dropped;
}

/** Changes since the previous frame. An absent member has not changed. */
export interface Delta {
  readonly now: number;
  readonly frame: number;
  /** At most once per second. */
  readonly status?: StatusSentence;
  readonly lamps?: Indicators;
  readonly totals?: Totals;
  readonly prices?: readonly PriceRow[];
  /** The newest point of every series, once per second. */
  readonly sparks?: Readonly<Record<string, number>>;
  readonly bots?: readonly BotRow[];
  readonly channels?: readonly ChannelRow[];
  readonly rates?: Readonly<Record<string, number>>;
  readonly commands?: readonly CommandRow[];
  readonly events?: readonly EventRow[];
  /** Delete these rows before you add the rows of this frame: a dropped name may have come back. */
  readonly removed?: Removed;
  readonly dropped?: Dropped;
}
