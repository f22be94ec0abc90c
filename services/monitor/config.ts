// Settings of the monitor, from environment variables. The library itself reads REDIS_URL, REDIS_HOST, ...

import { type Environment, helpLines, REDIS_HELP, readEnvironment, settingsOf } from '@tickbus/settings';
import { hostNames, LOG_SETTINGS, text, wholeNumber } from '@tickbus/settings/fields';
import { z } from 'zod';
import { isUsableToken, TOKEN_RULE } from './http/token-check.ts';

/** Keys are variable names. An error text completes "NAME must be ..."; a description is the line in `--help`. */
const SETTINGS = {
  MONITOR_HOST: text('an address to listen on, such as 127.0.0.1', /^[\w.:-]{1,255}$/)
    .default('127.0.0.1')
    .describe('address to listen on (default 127.0.0.1: this machine only)'),
  MONITOR_PORT: wholeNumber(0, 65_535, 'a port from 0 to 65535, 0 for a free one')
    .default(8788)
    .describe('port (default 8788; 0 for a free one)'),
  MONITOR_ALLOWED_HOSTS: hostNames().describe(
    'further host names that browsers may use, separated by commas (default localhost only)',
  ),
  MONITOR_TOKEN: z
    .string()
    .refine(isUsableToken, TOKEN_RULE)
    .optional()
    .describe('enables sending commands from the page to holders of this token (default off)'),
  MONITOR_MAX_AGE_MS: wholeNumber(100, 86_400_000)
    .default(5_000)
    .describe('maximum age of a fresh price in milliseconds (default 5000)'),
  TICKBUS_CHANNELS: z
    .string()
    .optional()
    .describe('a module that exports own channels, such as ./channels.mjs (default none)'),
  ...LOG_SETTINGS,
} satisfies z.ZodRawShape;

export type MonitorConfig = z.infer<z.ZodObject<typeof SETTINGS>>;

/**
 * Reads the settings. Returns `'help'` for `--help`. An empty variable counts as not set.
 *
 * @param args command-line arguments, without the program
 * @throws SettingsError
 */
export function readConfig(args: readonly string[], env: Environment): MonitorConfig | 'help' {
  return readEnvironment('the monitor', SETTINGS, args, env);
}

/**
 * Reads the settings for a program with arguments of its own. An empty variable counts as not set.
 *
 * @throws SettingsError
 */
export function readVariables(env: Environment): MonitorConfig {
  return settingsOf(SETTINGS, (name) => env[name] || undefined);
}

/** Text of `--help`. */
export function helpText(): string {
  return `The tickbus monitor: shows all traffic on the bus in a browser.

Environment variables:
${helpLines(SETTINGS)}
${REDIS_HELP}
`;
}
