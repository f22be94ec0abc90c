// The service's settings, from environment variables. Where Redis is, the library reads itself: REDIS_URL, REDIS_HOST, ...

import { z } from 'zod';
import { FEED_KINDS } from './feeds/registry.ts';
import { text } from './feeds/setting.ts';
import { RECORDER_SETTINGS } from './recorder/settings.ts';

/** Each setting is the variable of its name; its error completes "NAME must be ...", its description is its line of help. */
const settings = z.object({
  ...FEED_KINDS.alpaca.settings,
  SYMBOLS: text(
    'symbols separated by commas, such as AAPL,MSFT',
    /^(\*|[\w./:-]{1,64}(\s*,\s*[\w./:-]{1,64})*)$/,
  )
    .transform((list) => [...new Set(list.split(/\s*,\s*/))])
    .describe('symbols separated by commas, or * for all (required)'),
  ...RECORDER_SETTINGS,
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'trace, debug, info, warn, error, fatal or silent',
    })
    .default('info')
    .describe('trace, debug, info, warn, error, fatal or silent (default info)'),
});

export type Config = z.infer<typeof settings>;

/** Settings that cannot be used; the message has one line a mistake and never repeats a value. */
export class ConfigError extends Error {
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
): Config | 'help' {
  if (args.some((arg) => arg === '--help' || arg === '-h')) return 'help';
  if (args.length > 0)
    throw new ConfigError(
      'The gateway takes no arguments but --help. Its settings are environment variables.',
    );
  const given = Object.keys(settings.shape).map((name) => [name, env[name] || undefined]);
  const { data, error } = settings.safeParse(Object.fromEntries(given));
  if (error === undefined) return data;
  throw new ConfigError(
    error.issues.map(({ path, message }) => `${String(path[0])} must be ${message}.`).join('\n'),
  );
}

/** The text of `--help`. */
export function helpText(): string {
  const lines = Object.entries(settings.shape).map(
    ([name, { description }]) => `  ${name.padEnd(18)} ${description}`,
  );
  return `The price gateway: holds the one connection to the broker and publishes its prices on Redis.

Environment variables:
${lines.join('\n')}
  REDIS_URL          where Redis is, redis[s]://[[user]:password@]host[:port][/db]
  REDIS_HOST, REDIS_PORT, REDIS_DB   the same in parts (default 127.0.0.1, 6379, 0)
`;
}
