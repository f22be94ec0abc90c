// The gateway's own settings. Each is an environment variable and a flag. The feeds define further settings.

import { httpSettings, LOG_SETTINGS, priceChannelName, wholeNumber } from '@tickbus/settings/fields';
import { MAX_PARTITIONS } from 'tickbus';
import { z } from 'zod';
import { isSymbol } from './demand/symbol.ts';
import { RECORDER_SETTINGS } from './recorder/recorder-settings.ts';

/** The error text of a field completes "NAME must be ..."; the description of a field is its line of `--help`. */
export const GATEWAY_SETTINGS = {
  CHANNEL: priceChannelName().describe(
    'channel of the prices; each venue has its own, such as PRICE_DATA.kraken (default PRICE_DATA)',
  ),
  SYMBOLS: z
    .string()
    .transform((list) => [...new Set(list.trim().split(/\s*,\s*/))])
    .refine(isSymbolList, 'symbols separated by commas, such as AAPL,MSFT')
    .default([])
    .describe(
      'symbols to always request, separated by commas, or * for all (default: only those that bots request)',
    ),
  SYMBOL_LIMIT: wholeNumber(1, 1_000_000)
    .optional()
    .describe("maximum number of instruments to request from the broker (default: the broker's limit)"),
  SYMBOL_GRACE_MS: wholeNumber(0, 86_400_000)
    .default(30_000)
    .describe('ms an instrument stays requested after its last bot has left (default 30000)'),
  LEASE_TTL_MS: wholeNumber(300, 60_000)
    .default(3_000)
    .describe('ms without a renewal after which the standby takes over (default 3000)'),
  LEASE_REPLICAS: wholeNumber(0, 100)
    .optional()
    .describe('replicas that must confirm the lease, 0 for none (default 1 behind Redis Sentinel, else 0)'),
  TRADES: z
    .enum(['requested', 'all', 'off'], { error: 'requested, all or off' })
    .default('requested')
    .describe('whose trades to publish on TRADES: requested, all or off (default requested, by bots)'),
  PARTITIONS: wholeNumber(1, MAX_PARTITIONS)
    .optional()
    .describe(`partitions of the channel, 1 to ${MAX_PARTITIONS} (default: as many as it has, at first 1)`),
  BROKER_RELEASE_MS: wholeNumber(0, 600_000)
    .default(0)
    .describe(
      'ms before the first connection after a takeover, until the broker releases the old one (default 0)',
    ),
  CONNECT_LIMIT: wholeNumber(1, 100)
    .default(10)
    .describe('maximum connection attempts of all gateways together in CONNECT_WINDOW_MS (default 10)'),
  CONNECT_WINDOW_MS: wholeNumber(1_000, 86_400_000)
    .default(60_000)
    .describe('window of CONNECT_LIMIT in ms (default 60000)'),
  RETRY_MS: wholeNumber(10, 600_000)
    .default(1_000)
    .describe('ms before the first retry; doubles with every failure (default 1000)'),
  MAX_RETRY_MS: wholeNumber(10, 3_600_000)
    .default(30_000)
    .describe('maximum ms between two attempts (default 30000)'),
  SILENT_AFTER_MS: wholeNumber(50, 86_400_000)
    .default(15_000)
    .describe('ms without a frame after which the feed is reported as silent (default 15000)'),
  RECONNECT_SILENT_MS: wholeNumber(0, 86_400_000)
    .default(60_000)
    .describe('ms without a frame after which the gateway reconnects, 0 for never (default 60000)'),
  ...httpSettings(9_464),
  ...RECORDER_SETTINGS,
  ...LOG_SETTINGS,
} satisfies z.ZodRawShape;

export type GatewaySettings = z.infer<z.ZodObject<typeof GATEWAY_SETTINGS>>;

function isSymbolList(symbols: readonly string[]): boolean {
  return symbols.every(isSymbol) || symbols.join() === '*';
}
