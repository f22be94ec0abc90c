// Local time of a time zone, by the rules that Node.js has from the IANA database.

import { DAY_MS } from './interval.ts';

/** Converts between instants and local times. A local time is written as the Unix milliseconds that it has in UTC. */
export class TimeZone {
  readonly #format: Intl.DateTimeFormat;

  /** @throws RangeError for an unknown name */
  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  /** The local time at an instant. */
  localTime(instant: number): number {
    const parts = this.#format.formatToParts(instant);
    const [year = 0, month = 1, ...rest] = FIELDS.map((field) =>
      Number(parts.find(({ type }) => type === field)?.value),
    );
    return Date.UTC(year, month - 1, ...rest) + (instant - Math.floor(instant / 1_000) * 1_000);
  }

  /**
   * The first instant with that local time. If the clocks skip it, as many minutes after the shift as it is after the
   * beginning of the skipped time: a day without 00:00 begins with the shift.
   */
  instant(local: number): number {
    const before = this.#offsetAt(local - DAY_MS);
    const after = this.#offsetAt(local + DAY_MS);
    const candidates = [local - before, local - after].sort((a, b) => a - b);
    return candidates.find((instant) => this.localTime(instant) === local) ?? local - before;
  }

  #offsetAt(instant: number): number {
    return this.localTime(instant) - instant;
  }
}

const FIELDS = ['year', 'month', 'day', 'hour', 'minute', 'second'] as const;
