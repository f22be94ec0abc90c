// When the bars of a time zone and its trading session begin and end.

import { DAY_MS, type Interval } from './interval.ts';
import { TimeZone } from './time-zone.ts';

/** From `start` to before `end`, Unix milliseconds. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Local times, in milliseconds after 00:00. A session that does not end after it opens ends on the next day. */
export interface SessionHours {
  readonly open: number;
  readonly close: number;
}

/** The default: each day from midnight to midnight, which takes 23 or 25 hours when the clocks are shifted. */
export const ALL_DAY: SessionHours = { open: 0, close: DAY_MS };

/** What a valid session is; completes "NAME must be ...". */
export const SESSION_RULE = 'two local times such as 09:30-16:00, or 18:00-17:00 for a session over midnight';

/** The hours in `09:30-16:00`; undefined for another text. `24:00` is the end of the day. */
export function parseSession(text: string): SessionHours | undefined {
  const [open, close, ...more] = text.split('-').map(parseTime);
  if (open === undefined || close === undefined || more.length > 0 || open === DAY_MS) return undefined;
  return { open, close };
}

/**
 * The sessions of a market. The bars of a session follow each other from its opening, in elapsed time; the last one
 * ends with the session. A trade outside the sessions is in no bar.
 */
export class Calendar {
  readonly #zone: TimeZone;
  readonly #hours: SessionHours;
  /** The most recently used spans, the latest first. */
  #recent: readonly Period[] = [];

  /** @param timeZone a name of the IANA database, such as `America/New_York` @throws RangeError if it is unknown */
  constructor(timeZone: string, hours: SessionHours) {
    this.#zone = new TimeZone(timeZone);
    this.#hours = hours;
  }

  /** The bar that contains an instant; undefined outside the sessions. */
  barAt(instant: number, { lengthMs }: Interval): Span | undefined {
    const session = this.sessionAt(instant);
    if (session === undefined) return undefined;
    const start = session.start + Math.floor((instant - session.start) / lengthMs) * lengthMs;
    return { start, end: Math.min(start + lengthMs, session.end) };
  }

  sessionAt(instant: number): Span | undefined {
    const [latest] = this.#recent;
    if (latest !== undefined && contains(latest, instant)) return latest.isOpen ? latest : undefined;
    const known = this.#recent.find((period) => contains(period, instant)) ?? this.#periodAt(instant);
    this.#recent = [known, ...this.#recent.filter((period) => period !== known)].slice(0, MAX_RECENT);
    return known.isOpen ? known : undefined;
  }

  /** The session that contains an instant, or the time between two sessions. */
  #periodAt(instant: number): Period {
    const today = Math.floor(this.#zone.localTime(instant) / DAY_MS) * DAY_MS;
    // A session over midnight began yesterday. One after tomorrow's opening has begun where midnight occurs twice.
    const sessions = [-2, -1, 0, 1, 2].map((days) => this.#sessionOf(today + days * DAY_MS));
    const session = sessions.find((one) => contains(one, instant));
    if (session !== undefined) return { ...session, isOpen: true };
    return {
      start: Math.max(...sessions.map(({ end }) => end).filter((end) => end <= instant)),
      end: Math.min(...sessions.map(({ start }) => start).filter((start) => start > instant)),
      isOpen: false,
    };
  }

  /** The session that opens on a local day. It is empty on a day that a time zone skips. */
  #sessionOf(day: number): Span {
    const { open, close } = this.#hours;
    const lastDay = close > open ? day : day + DAY_MS;
    return { start: this.#zone.instant(day + open), end: this.#zone.instant(lastDay + close) };
  }
}

interface Period extends Span {
  readonly isOpen: boolean;
}

const MAX_RECENT = 4;

function contains({ start, end }: Span, instant: number): boolean {
  return start <= instant && instant < end;
}

function parseTime(text: string): number | undefined {
  const [, hours, minutes] = /^(\d\d):([0-5]\d)$/.exec(text.trim()) ?? [];
  const ms = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return ms <= DAY_MS ? ms : undefined;
}
