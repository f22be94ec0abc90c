// Settings of the bar builder, from environment variables. The library itself reads REDIS_URL, REDIS_HOST, ...

import { type Environment, helpLines, REDIS_HELP, readEnvironment } from '@tickbus/settings';
import {
  httpSettings,
  LOG_SETTINGS,
  parsed,
  priceChannelName,
  splitList,
  text,
  wholeNumber,
} from '@tickbus/settings/fields';
import { MAX_CHANNEL_KEYS } from 'tickbus';
import type { z } from 'zod';
import { ALL_DAY, parseSession, SESSION_RULE } from './intervals/calendar.ts';
import { INTERVAL_RULE, type Interval, parseDuration, parseInterval } from './intervals/interval.ts';
import { TimeZone } from './intervals/time-zone.ts';

const ZONE_RULE = 'a time zone of the IANA database, such as America/New_York';

/** Keys are variable names. An error text completes "NAME must be ..."; a description is the line in `--help`. */
const SETTINGS = {
  BARS: parsed(parseIntervals, INTERVAL_RULE)
    .default(parseIntervals('1s,1m,5m,1h,1d') ?? [])
    .describe('lengths of the bars, 1s to 1d, separated by commas (default 1s,1m,5m,1h,1d)'),
  SYMBOLS: parsed(parseSymbols, 'symbols separated by commas, such as AAPL,MSFT')
    .optional()
    .describe('instruments to request, separated by commas (default: those that other subscribers request)'),
  CHANNEL: priceChannelName().describe(
    "the gateway's CHANNEL; PRICE_DATA.kraken reads TRADES.kraken and publishes BARS.kraken (default PRICE_DATA)",
  ),
  BAR_TIME_ZONE: text(ZONE_RULE)
    .refine(isTimeZone, ZONE_RULE)
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
  ...httpSettings(9_470),
  ...LOG_SETTINGS,
} satisfies z.ZodRawShape;

export type BarsConfig = z.infer<z.ZodObject<typeof SETTINGS>>;

/**
 * Reads the settings. Returns `'help'` for `--help`. An empty variable counts as not set.
 *
 * @param args command-line arguments, without the program
 * @throws SettingsError
 */
export function readConfig(args: readonly string[], env: Environment): BarsConfig | 'help' {
  return readEnvironment('the bar builder', SETTINGS, args, env);
}

/** Text of `--help`. */
export function helpText(): string {
  return `The bar builder: builds bars from TRADES and publishes them on BARS.
Run two: one is active, the other is on standby. Give both the same settings.

Environment variables:
${helpLines(SETTINGS)}
${REDIS_HELP}
`;
}

function parseIntervals(list: string): readonly Interval[] | undefined {
  const intervals = [...new Set(splitList(list))].map(parseInterval);
  return intervals.every((interval) => interval !== undefined) ? intervals : undefined;
}

function parseSymbols(list: string): readonly string[] | undefined {
  const symbols = [...new Set(splitList(list))];
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

function isTimeZone(name: string): boolean {
  try {
    return new TimeZone(name) !== undefined;
  } catch {
    return false;
  }
}
