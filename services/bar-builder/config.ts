// Settings of the bar builder, from environment variables. The library itself reads REDIS_URL, REDIS_HOST, ...

import { MAX_CHANNEL_KEYS } from 'tickbus';
import { REDIS_URL_FORMS, withoutServiceLinks } from 'tickbus/constants';
import { z } from 'zod';
import { ALL_DAY, parseSession, SESSION_RULE } from './intervals/calendar.ts';
import { INTERVAL_RULE, type Interval, parseDuration, parseInterval } from './intervals/interval.ts';
import { TimeZone } from './intervals/time-zone.ts';

/** Keys are variable names. An error text completes "NAME must be ..."; a description is the line in `--help`. */
const settings = z.object({
  BARS: parsed(parseIntervals, INTERVAL_RULE)
    .default(parseIntervals('1s,1m,5m,1h,1d') ?? [])
    .describe('lengths of the bars, 1s to 1d, separated by commas (default 1s,1m,5m,1h,1d)'),
  SYMBOLS: parsed(parseSymbols, 'symbols separated by commas, such as AAPL,MSFT')
    .optional()
    .describe('instruments to request, separated by commas (default: those that other subscribers request)'),
  CHANNEL: z
    .string()
    .regex(/^PRICE_DATA(\.[\w-]{1,64})?$/, 'PRICE_DATA, or that of a venue, such as PRICE_DATA.kraken')
    .default('PRICE_DATA')
    .describe(
      "the gateway's CHANNEL; PRICE_DATA.kraken reads TRADES.kraken and publishes BARS.kraken (default PRICE_DATA)",
    ),
  BAR_TIME_ZONE: z
    .string()
    .refine(isTimeZone, 'a time zone of the IANA database, such as America/New_York')
    .default('UTC')
    .describe('time zone of days and of BAR_SESSION (default UTC)'),
  BAR_SESSION: parsed(parseSession, SESSION_RULE)
    .default(ALL_DAY)
    .describe(
      'trading hours in BAR_TIME_ZONE, such as 09:30-16:00; other trades are in no bar (default all day)',
    ),
  BAR_GRACE_MS: wholeNumber(0, 60_000)
    .default(500)
    .describe('ms after its end at which a bar is published (default 500)'),
  BAR_REVISE_FOR: parsed(parseWindow, 'a time from 2m to 1d, such as 15m')
    .default(900_000)
    .describe('how long late trades, corrections and cancels revise bars, 2m to 1d (default 15m)'),
  LEASE_TTL_MS: wholeNumber(300, 60_000)
    .default(3_000)
    .describe('ms without a renewal after which the standby takes over (default 3000)'),
  HTTP_HOST: z
    .string()
    .regex(/^[\w.:-]{1,255}$/, 'an IP address or a host name')
    .default('127.0.0.1')
    .describe('address to serve /healthz, /readyz and /metrics on (default 127.0.0.1)'),
  HTTP_ALLOWED_HOSTS: z
    .string()
    .transform((list) => list.split(',').map((host) => host.trim()))
    .refine(
      (hosts) => hosts.every((host) => /^[\w.-]{1,255}$/.test(host)),
      'host names without ports, separated by commas',
    )
    .default([])
    .describe(
      'further host names of requests, separated by commas (default IP addresses and localhost only)',
    ),
  HTTP_PORT: wholeNumber(0, 65_535)
    .default(9_470)
    .describe('port of these pages, 0 to disable them (default 9470)'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'trace, debug, info, warn, error, fatal or silent',
    })
    .default('info')
    .describe('trace, debug, info, warn, error, fatal or silent (default info)'),
});

export type BarsConfig = z.infer<typeof settings>;

/** Invalid settings. The message has one line per invalid setting. */
export class BarsConfigError extends Error {
  override readonly name = 'BarsConfigError';
}

/**
 * Reads the settings. Returns `'help'` for `--help`. An empty variable counts as not set.
 *
 * @param args command-line arguments, without the program
 * @throws BarsConfigError
 */
export function readConfig(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): BarsConfig | 'help' {
  if (args.some((arg) => arg === '--help' || arg === '-h')) return 'help';
  if (args.length > 0) throw new BarsConfigError(UNKNOWN_ARGUMENT);
  const own = withoutServiceLinks(env);
  const given = Object.keys(settings.shape).map((name) => [name, own[name] || undefined]);
  const { data, error } = settings.safeParse(Object.fromEntries(given));
  if (error === undefined) return data;
  throw new BarsConfigError(
    error.issues.map(({ path, message }) => `${String(path[0])} must be ${message}.`).join('\n'),
  );
}

/** Text of `--help`. */
export function helpText(): string {
  const lines = Object.entries(settings.shape).map(
    ([name, { description }]) => `  ${name.padEnd(21)} ${description}`,
  );
  return `The bar builder: builds bars from TRADES and publishes them on BARS.
Run two: one is active, the other is on standby. Give both the same settings.

Environment variables:
${lines.join('\n')}
  REDIS_URL             ${REDIS_URL_FORMS.replaceAll('\n', `\n${' '.repeat(24)}`)}
  REDIS_HOST, REDIS_PORT, REDIS_DB   address of Redis in parts (default 127.0.0.1, 6379, 0)
  TICKBUS_NAMESPACE     namespace of all channels; desks of different namespaces never hear each other (default none)
`;
}

const UNKNOWN_ARGUMENT =
  'Unknown argument: the bar builder accepts --help only. Set environment variables instead; --help lists them.';

function parseIntervals(list: string): readonly Interval[] | undefined {
  const intervals = splitList(list).map(parseInterval);
  return intervals.every((interval) => interval !== undefined) ? intervals : undefined;
}

function parseSymbols(list: string): readonly string[] | undefined {
  const symbols = splitList(list);
  const areValid = symbols.every((symbol) => symbol.length >= 1 && symbol.length <= 128);
  return areValid && symbols.length <= MAX_CHANNEL_KEYS ? symbols : undefined;
}

function parseWindow(text: string): number | undefined {
  const ms = parseDuration(text);
  return ms !== undefined && ms >= MIN_WINDOW_MS && ms <= MAX_WINDOW_MS ? ms : undefined;
}

/** More than the largest grace and `MAX_AHEAD_MS` together. */
const MIN_WINDOW_MS = 120_000;
const MAX_WINDOW_MS = 86_400_000;

function splitList(list: string): readonly string[] {
  return [...new Set(list.split(',').map((one) => one.trim()))];
}

function isTimeZone(name: string): boolean {
  try {
    return new TimeZone(name) !== undefined;
  } catch {
    return false;
  }
}

/** @param expected completes "must be ..." */
function parsed<Value>(parse: (text: string) => Value | undefined, expected: string) {
  return z.string().transform((text, context): Value => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

function wholeNumber(least: number, most: number) {
  const expected = `a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, expected)
    .transform(Number)
    .refine((value) => value >= least && value <= most, expected);
}
