// The length of a bar: its name, as on the channel, and its milliseconds.

export interface Interval {
  /** As in the key of a bar: `1s`, `5m`, `1d`. */
  readonly name: string;
  /** A bar is shorter if its session ends earlier. `1d` is longer than any session, so its bar is the whole session. */
  readonly lengthMs: number;
}

/** What a valid length is; completes "NAME must be ...". */
export const INTERVAL_RULE = 'lengths from 1s to 1d separated by commas, such as 1s,1m,5m,1h,1d';

/** The interval of that name; undefined if it has none. Lengths of a day or more than `1d` have none. */
export function parseInterval(name: string): Interval | undefined {
  if (name === '1d') return { name, lengthMs: 2 * DAY_MS };
  const lengthMs = parseDuration(name);
  return lengthMs === undefined || lengthMs >= DAY_MS ? undefined : { name, lengthMs };
}

/** The milliseconds of `90s`, `15m`, `1h` or `1d`; undefined for another text. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit = ''] = /^([1-9]\d{0,3})([smhd])$/.exec(text) ?? [];
  const unitMs = UNITS_MS[unit];
  return unitMs === undefined ? undefined : Number(count) * unitMs;
}

export const DAY_MS = 86_400_000;

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: DAY_MS };
