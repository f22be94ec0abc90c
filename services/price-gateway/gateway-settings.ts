// The gateway's own settings, each the variable of its name and a flag: what a feed needs besides is told by the feed.

import { z } from 'zod';
import { isSymbol } from './demand/symbol.ts';
import { text } from './feeds/setting.ts';
import { RECORDER_SETTINGS } from './recorder/recorder-settings.ts';

/** Each field completes "NAME must be ..." with its error, and is described as in its line of `--help`. */
export const GATEWAY_SETTINGS = {
  SYMBOLS: z
    .string()
    .transform((list) => [...new Set(list.trim().split(/\s*,\s*/))])
    .refine(isSymbolList, 'symbols separated by commas, such as AAPL,MSFT')
    .default([])
    .describe('always asked for, separated by commas, or * for all (default none: only what bots ask for)'),
  SYMBOL_LIMIT: whole(1, 1_000_000)
    .optional()
    .describe("the most instruments to ask the broker for (default: the broker's own limit)"),
  SYMBOL_GRACE_MS: whole(0, 86_400_000)
    .default(30_000)
    .describe('ms an instrument is kept after the last bot that asked for it has gone (default 30000)'),
  LEASE_TTL_MS: whole(300, 60_000)
    .default(3_000)
    .describe('ms after which a gateway that is not heard of is replaced (default 3000)'),
  BROKER_RELEASE_MS: whole(0, 600_000)
    .default(0)
    .describe(
      'ms to wait before taking over from a gateway that died, as the broker frees its place (default 0)',
    ),
  CONNECT_LIMIT: whole(1, 100)
    .default(10)
    .describe(
      'connections to the broker that all gateways together may try in CONNECT_WINDOW_MS (default 10)',
    ),
  CONNECT_WINDOW_MS: whole(1_000, 86_400_000).default(60_000).describe('(default 60000)'),
  RETRY_MS: whole(10, 600_000)
    .default(1_000)
    .describe('ms before the second try to connect; doubles with every failure (default 1000)'),
  MAX_RETRY_MS: whole(10, 3_600_000)
    .default(30_000)
    .describe('the longest wait between two tries (default 30000)'),
  SILENT_AFTER_MS: whole(50, 86_400_000)
    .default(15_000)
    .describe('ms without a frame after which the feed is told as silent (default 15000)'),
  RECONNECT_SILENT_MS: whole(0, 86_400_000)
    .default(60_000)
    .describe('ms without a frame after which the connection is made anew, 0 for never (default 60000)'),
  HTTP_HOST: text('an address or a host name')
    .default('127.0.0.1')
    .describe('address of /healthz, /readyz and /metrics (default 127.0.0.1)'),
  HTTP_PORT: whole(0, 65_535).default(9_464).describe('their port, 0 to have none of them (default 9464)'),
  ...RECORDER_SETTINGS,
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'trace, debug, info, warn, error, fatal or silent',
    })
    .default('info')
    .describe('trace, debug, info, warn, error, fatal or silent (default info)'),
} satisfies z.ZodRawShape;

export type GatewaySettings = z.infer<z.ZodObject<typeof GATEWAY_SETTINGS>>;

/** A whole number, written in text. */
function whole(least: number, most: number) {
  const expected = `a whole number from ${least} to ${most}`;
  return text(expected, /^\d+$/)
    .transform(Number)
    .refine((value) => value >= least && value <= most, expected);
}

function isSymbolList(symbols: readonly string[]): boolean {
  return symbols.every(isSymbol) || symbols.join() === '*';
}
