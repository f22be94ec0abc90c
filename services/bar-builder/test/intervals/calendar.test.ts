// Sessions and bars in time zones: days of 23 and 25 hours, sessions over midnight, days that a zone skips.

import { Random } from '@tickbus/test-kit/random';
import { describe, expect, it } from 'vitest';
import { ALL_DAY, Calendar, parseSession, type SessionHours, type Span } from '../../intervals/calendar.ts';
import { type Interval, parseDuration, parseInterval } from '../../intervals/interval.ts';

const HOUR = 3_600_000;
const length = (name: string) => parseInterval(name) as Interval;
const hours = (text: string) => parseSession(text) as SessionHours;
const at = (text: string) => Date.parse(text);
const shown = (span: Span | undefined) =>
  span && [new Date(span.start).toISOString(), new Date(span.end).toISOString()];

describe('1d', () => {
  it.each([
    ['UTC', '2026-03-29T12:00:00Z', '2026-03-29T00:00:00.000Z', 24],
    // Summer time begins and ends.
    ['Europe/Berlin', '2026-03-29T12:00:00Z', '2026-03-28T23:00:00.000Z', 23],
    ['Europe/Berlin', '2026-10-25T12:00:00Z', '2026-10-24T22:00:00.000Z', 25],
    ['America/New_York', '2026-03-08T12:00:00Z', '2026-03-08T05:00:00.000Z', 23],
    ['America/New_York', '2026-11-01T12:00:00Z', '2026-11-01T04:00:00.000Z', 25],
    // By half an hour.
    ['Australia/Lord_Howe', '2026-10-04T06:00:00Z', '2026-10-03T13:30:00.000Z', 23.5],
    // At midnight: the day begins at 01:00, and ends with 23:00 to 24:00 a second time.
    ['America/Santiago', '2026-09-06T12:00:00Z', '2026-09-06T04:00:00.000Z', 23],
    ['America/Santiago', '2026-04-04T12:00:00Z', '2026-04-04T03:00:00.000Z', 25],
    // The day before is skipped.
    ['Pacific/Apia', '2011-12-30T12:00:00Z', '2011-12-30T10:00:00.000Z', 24],
    ['Asia/Kathmandu', '2026-01-01T12:00:00Z', '2025-12-31T18:15:00.000Z', 24],
  ])('in %s at %s begins at %s and has %d hours', (zone, now, start, count) => {
    const span = new Calendar(zone, ALL_DAY).barAt(at(now), length('1d'));
    expect(shown(span)).toEqual([start, new Date(at(start) + count * HOUR).toISOString()]);
  });

  it('covers the session, if there is one', () => {
    const calendar = new Calendar('America/New_York', hours('09:30-16:00'));
    const winter = calendar.barAt(at('2026-01-05T15:00:00Z'), length('1d'));
    expect(shown(winter)).toEqual(['2026-01-05T14:30:00.000Z', '2026-01-05T21:00:00.000Z']);
    const summer = calendar.barAt(at('2026-07-06T15:00:00Z'), length('1d'));
    expect(shown(summer)).toEqual(['2026-07-06T13:30:00.000Z', '2026-07-06T20:00:00.000Z']);
    for (const closed of ['2026-01-05T14:29:59.999Z', '2026-01-05T21:00:00Z', '2026-01-06T03:00:00Z'])
      expect(calendar.barAt(at(closed), length('1d'))).toBeUndefined();
  });

  it('covers a session over midnight', () => {
    const calendar = new Calendar('America/Chicago', hours('17:00-16:00'));
    for (const now of ['2026-01-04T23:00:00Z', '2026-01-05T12:00:00Z', '2026-01-05T21:59:59Z'])
      expect(shown(calendar.barAt(at(now), length('1d')))).toEqual([
        '2026-01-04T23:00:00.000Z',
        '2026-01-05T22:00:00.000Z',
      ]);
    expect(calendar.barAt(at('2026-01-05T22:30:00Z'), length('1d'))).toBeUndefined();
  });
});

it('shorter bars begin with the session, and the last one ends with it', () => {
  const calendar = new Calendar('America/New_York', hours('09:30-16:00'));
  const bars = ['14:30', '15:29', '15:30', '20:45'].map((time) =>
    shown(calendar.barAt(at(`2026-01-05T${time}:00Z`), length('1h'))),
  );
  expect(bars).toEqual([
    ['2026-01-05T14:30:00.000Z', '2026-01-05T15:30:00.000Z'],
    ['2026-01-05T14:30:00.000Z', '2026-01-05T15:30:00.000Z'],
    ['2026-01-05T15:30:00.000Z', '2026-01-05T16:30:00.000Z'],
    ['2026-01-05T20:30:00.000Z', '2026-01-05T21:00:00.000Z'],
  ]);
});

it('bars of 4 h on a day of 23 hours: five of 4 h and one of 3 h', () => {
  const calendar = new Calendar('Europe/Berlin', ALL_DAY);
  const midnight = at('2026-03-28T23:00:00Z');
  const starts = Array.from({ length: 23 }, (_, hour) =>
    calendar.barAt(midnight + hour * HOUR, length('4h')),
  );
  const lengths = [...new Map(starts.map((span) => [span?.start, span])).values()];
  expect(lengths.map((span) => ((span?.end ?? 0) - (span?.start ?? 0)) / HOUR)).toEqual([4, 4, 4, 4, 4, 3]);
});

const SEED = Math.floor(Math.random() * 2 ** 31);

it.each([
  'Europe/Berlin',
  'America/St_Johns',
  'America/Havana',
  'Australia/Lord_Howe',
  'Africa/Cairo',
  'Asia/Beirut',
])(
  `in %s, days follow each other without a gap, and begin with the first minute of a date, seed ${SEED}`,
  (zone) => {
    const random = new Random(SEED);
    const calendar = new Calendar(zone, ALL_DAY);
    const dateOf = new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' });
    const begin = Date.UTC(random.int(1990, 2035), 0, 1);
    for (let now = begin; now < begin + 370 * 24 * HOUR; ) {
      const day = calendar.sessionAt(now) as Span;
      const next = calendar.sessionAt(day.end) as Span;
      expect(next.start).toBe(day.end);
      expect(dateOf.format(day.start)).not.toBe(dateOf.format(day.start - 60_000));
      expect(calendar.sessionAt(random.int(day.start / 1_000, day.end / 1_000 - 1) * 1_000)).toEqual(day);
      now = day.end;
    }
  },
);

it('reads lengths, durations and sessions, and nothing else', () => {
  expect(['1s', '90s', '5m', '12h', '1d'].map((name) => parseInterval(name)?.name)).toEqual([
    '1s',
    '90s',
    '5m',
    '12h',
    '1d',
  ]);
  expect(['', '0s', '24h', '1440m', '2d', '1w', '1 m', '1.5h', '-1s'].map(parseInterval)).toEqual(
    Array(9).fill(undefined),
  );
  expect(parseDuration('15m')).toBe(900_000);
  expect(parseSession('00:00-24:00')).toEqual(ALL_DAY);
  for (const text of [
    '9:30-16:00',
    '09:30',
    '09:30-16:00-17:00',
    '24:00-25:00',
    '09:60-10:00',
    '24:00-12:00',
  ])
    expect(parseSession(text)).toBeUndefined();
});
