// Settings of the monitor, from environment variables. The library itself reads REDIS_URL, REDIS_HOST, ...

import { REDIS_URL_FORMS, withoutServiceLinks } from 'tickbus/constants';
import { z } from 'zod';
import { isUsableToken, TOKEN_RULE } from './http/token-check.ts';

/** Keys are variable names. An error text completes "NAME must be ..."; a description is the line in `--help`. */
const settings = z.object({
  MONITOR_HOST: z
    .string()
    .trim()
    .regex(/^[\w.:-]{1,255}$/, 'an address to listen on, such as 127.0.0.1')
    .default('127.0.0.1')
    .describe('address to listen on (default 127.0.0.1: this machine only)'),
  MONITOR_PORT: wholeNumber('a port from 0 to 65535, 0 for a free one', 0, 65_535)
    .default(8788)
    .describe('port (default 8788; 0 for a free one)'),
  MONITOR_ALLOWED_HOSTS: z
    .string()
    .transform((list) => list.split(',').map((host) => host.trim()))
    .refine(
      (hosts) => hosts.every((host) => /^[\w.-]{1,255}$/.test(host)),
      'host names without ports, separated by commas',
    )
    .default([])
    .describe('further host names that browsers may use, separated by commas (default localhost only)'),
  MONITOR_TOKEN: z
    .string()
    .refine(isUsableToken, TOKEN_RULE)
    .optional()
    .describe('enables sending commands from the page to holders of this token (default off)'),
  MONITOR_MAX_AGE_MS: wholeNumber('a whole number of milliseconds, 100 or above', 100, 86_400_000)
    .default(5_000)
    .describe('maximum age of a fresh price in milliseconds (default 5000)'),
  TICKBUS_CHANNELS: z
    .string()
    .optional()
    .describe('a module that exports own channels, such as ./channels.mjs (default none)'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'trace, debug, info, warn, error, fatal or silent',
    })
    .default('info')
    .describe('trace, debug, info, warn, error, fatal or silent (default info)'),
});

export type MonitorConfig = z.infer<typeof settings>;

/** Invalid settings. The message has one line per invalid setting and never contains a value. */
class MonitorConfigError extends Error {
  override readonly name = 'MonitorConfigError';
}

/**
 * Reads the settings. Returns `'help'` for `--help`. An empty variable counts as not set.
 *
 * @param args command-line arguments, without the program
 * @throws MonitorConfigError
 */
export function readConfig(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): MonitorConfig | 'help' {
  if (args.some((arg) => arg === '--help' || arg === '-h')) return 'help';
  if (args.length > 0)
    throw new MonitorConfigError(
      'Unknown argument: the monitor accepts --help only. Set environment variables instead; --help lists them.',
    );
  // Kubernetes sets MONITOR_PORT=tcp://... for a service called monitor.
  const own = withoutServiceLinks(env);
  const given = Object.keys(settings.shape).map((name) => [name, own[name] || undefined]);
  const { data, error } = settings.safeParse(Object.fromEntries(given));
  if (error === undefined) return data;
  throw new MonitorConfigError(
    error.issues.map(({ path, message }) => `${String(path[0])} must be ${message}.`).join('\n'),
  );
}

/** Text of `--help`. */
export function helpText(): string {
  const lines = Object.entries(settings.shape).map(
    ([name, { description }]) => `  ${name.padEnd(22)} ${description}`,
  );
  return `The tickbus monitor: shows all traffic on the bus in a browser.

Environment variables:
${lines.join('\n')}
  REDIS_URL              ${REDIS_URL_FORMS.replaceAll('\n', `\n${' '.repeat(25)}`)}
  REDIS_HOST, REDIS_PORT, REDIS_DB   address of Redis in parts (default 127.0.0.1, 6379, 0)
  TICKBUS_NAMESPACE      namespace of all channels; desks of different namespaces never hear each other (default none)
`;
}

/** Parses a whole number. `expected` completes "must be ...". */
function wholeNumber(expected: string, least: number, most: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/, expected)
    .transform(Number)
    .refine((value) => value >= least && value <= most, expected);
}
