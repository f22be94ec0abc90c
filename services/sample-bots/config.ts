// Settings of the sample bots, from the command line and environment variables. The library itself reads REDIS_URL, ...

import { REDIS_URL_FORMS } from 'tickbus/constants';
import { z } from 'zod';

const BOT_NAMES = ['paper-trader', 'risk-guard', 'momentum'] as const;
export type BotName = (typeof BOT_NAMES)[number];

const settings = z.object({
  BOTS: list(z.enum(BOT_NAMES), `names among ${BOT_NAMES.join(', ')}, separated by commas`).default([
    ...BOT_NAMES,
  ]),
  SYMBOLS: list(z.string().min(1).max(64), 'symbols separated by commas, such as AAPL,MSFT').optional(),
  CHANNEL: z
    .string()
    .regex(/^PRICE_DATA(\.[\w-]{1,64})?$/, 'PRICE_DATA, or that of a venue, such as PRICE_DATA.kraken')
    .default('PRICE_DATA'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'trace, debug, info, warn, error, fatal or silent',
    })
    .default('info'),
});

export type BotsConfig = z.infer<typeof settings>;

/** Invalid settings. The message has one line per invalid setting. */
export class BotsConfigError extends Error {
  override readonly name = 'BotsConfigError';
}

/** Text of `--help`. */
export const HELP = `Sample bots for tickbus: momentum, paper-trader and risk-guard.

Arguments: names of the bots to run (default: BOTS, or all).

Environment variables:
  BOTS           names of the bots to run, separated by commas
  SYMBOLS        instruments to subscribe to, separated by commas (default all)
  CHANNEL        channel of the prices, such as PRICE_DATA.kraken (default PRICE_DATA)
  LOG_LEVEL      trace, debug, info, warn, error, fatal or silent (default info)
  REDIS_URL      ${REDIS_URL_FORMS.replaceAll('\n', `\n${' '.repeat(17)}`)}
  REDIS_HOST, REDIS_PORT, REDIS_DB   address of Redis in parts (default 127.0.0.1, 6379, 0)
  TICKBUS_NAMESPACE   namespace of all channels; desks of different namespaces never hear each other (default none)
`;

/**
 * Reads the settings. Returns `'help'` for `--help`. An empty variable counts as not set.
 *
 * @param args names of the bots to run; they override BOTS
 * @throws BotsConfigError
 */
export function readConfig(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): BotsConfig | 'help' {
  if (args.includes('--help') || args.includes('-h')) return 'help';
  const given = {
    BOTS: args.length > 0 ? args.join(',') : env.BOTS || undefined,
    SYMBOLS: env.SYMBOLS || undefined,
    CHANNEL: env.CHANNEL || undefined,
    LOG_LEVEL: env.LOG_LEVEL || undefined,
  };
  const { data, error } = settings.safeParse(given);
  if (error === undefined) return data;
  const lines = new Set(error.issues.map(({ path, message }) => `${String(path[0])} must be ${message}.`));
  throw new BotsConfigError([...lines].join('\n'));
}

/** Parses a comma-separated list. `expected` completes "must be ...". */
function list<Item extends z.ZodType<unknown, string>>(item: Item, expected: string) {
  return z.string().transform((text, context) => {
    const items = z.array(item).safeParse(text.split(',').map((one) => one.trim()));
    if (items.success) return [...new Set(items.data)];
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}
