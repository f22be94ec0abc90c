// The service's settings, from environment variables. Where Redis is, the library reads itself: REDIS_URL, REDIS_HOST, ...

import { z } from 'zod';

/** Each setting is the variable of its name; its error completes "NAME must be ...", its description is its line of help. */
const settings = z.object({
  MONITOR_HOST: z
    .string()
    .trim()
    .regex(/^[\w.:-]{1,255}$/, 'an address to listen on, such as 127.0.0.1')
    .default('127.0.0.1')
    .describe('address to listen on (default 127.0.0.1: this machine alone)'),
  MONITOR_PORT: wholeNumber('a port from 0 to 65535, 0 for a free one', 0, 65_535)
    .default(8788)
    .describe('port (default 8788; 0 for a free one)'),
  MONITOR_ALLOWED_HOSTS: z
    .string()
    .transform((list) => list.split(',').map((host) => host.trim()))
    .refine(
      (hosts) => hosts.every((host) => /^[\w.-]{1,255}$/.test(host)),
      'names separated by commas, without ports',
    )
    .default([])
    .describe('more names by which browsers reach it, separated by commas (default localhost alone)'),
  MONITOR_TOKEN: z
    .string()
    .min(16, 'at least 16 characters long')
    .optional()
    .describe('lets those who know it send commands from the page (default off)'),
  MONITOR_MAX_AGE_MS: wholeNumber('a whole number of milliseconds, 100 or above', 100, 86_400_000)
    .default(5_000)
    .describe('age in milliseconds from which a price is no longer fresh (default 5000)'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'trace, debug, info, warn, error, fatal or silent',
    })
    .default('info')
    .describe('trace, debug, info, warn, error, fatal or silent (default info)'),
});

export type MonitorConfig = z.infer<typeof settings>;

/** Settings that cannot be used; the message has one line a mistake and never repeats a value. */
class MonitorConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the settings; `'help'` when help was asked for. An empty variable counts as not set.
 *
 * @param args the command line without the program
 * @throws ConfigError
 */
export function readConfig(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): MonitorConfig | 'help' {
  if (args.some((arg) => arg === '--help' || arg === '-h')) return 'help';
  if (args.length > 0)
    throw new MonitorConfigError(
      'The monitor takes no arguments but --help. Its settings are environment variables.',
    );
  const given = Object.keys(settings.shape).map((name) => [name, env[name] || undefined]);
  const { data, error } = settings.safeParse(Object.fromEntries(given));
  if (error === undefined) return data;
  throw new MonitorConfigError(
    error.issues.map(({ path, message }) => `${String(path[0])} must be ${message}.`).join('\n'),
  );
}

/** The text of `--help`. */
export function helpText(): string {
  const lines = Object.entries(settings.shape).map(
    ([name, { description }]) => `  ${name.padEnd(22)} ${description}`,
  );
  return `The monitor: everything that is on the bus, in a browser.

Environment variables:
${lines.join('\n')}
  REDIS_URL              where Redis is, redis[s]://[[user]:password@]host[:port][/db]
  REDIS_HOST, REDIS_PORT, REDIS_DB   the same in parts (default 127.0.0.1, 6379, 0)
`;
}

/** A number in text; `expected` completes the sentence "must be ...". */
function wholeNumber(expected: string, least: number, most: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/, expected)
    .transform(Number)
    .refine((value) => value >= least && value <= most, expected);
}
