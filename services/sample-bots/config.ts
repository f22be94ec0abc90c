// Settings of the sample bots, from the command line and environment variables. The library itself reads REDIS_URL, ...

import { type Environment, helpLines, REDIS_HELP, settingsOf } from '@tickbus/settings';
import { LOG_SETTINGS, parsed, priceChannelName, splitList } from '@tickbus/settings/fields';
import type { z } from 'zod';

const BOT_NAMES = ['paper-trader', 'risk-guard', 'momentum'] as const;
export type BotName = (typeof BOT_NAMES)[number];

const SETTINGS = {
  BOTS: parsed(listOf(isBotName), `names among ${BOT_NAMES.join(', ')}, separated by commas`)
    .default(BOT_NAMES)
    .describe('names of the bots to run, separated by commas (default all)'),
  SYMBOLS: parsed(listOf(isSymbol), 'symbols separated by commas, such as AAPL,MSFT')
    .optional()
    .describe('instruments to subscribe to, separated by commas (default all)'),
  CHANNEL: priceChannelName().describe(
    'channel of the prices, such as PRICE_DATA.kraken (default PRICE_DATA)',
  ),
  ...LOG_SETTINGS,
} satisfies z.ZodRawShape;

export type BotsConfig = z.infer<z.ZodObject<typeof SETTINGS>>;

/** Text of `--help`. */
export const HELP = `Sample bots for tickbus: momentum, paper-trader and risk-guard.

Arguments: names of the bots to run (default: BOTS, or all).

Environment variables:
${helpLines(SETTINGS)}
${REDIS_HELP}
`;

/**
 * Reads the settings. Returns `'help'` for `--help`. An empty variable counts as not set.
 *
 * @param args names of the bots to run; they override BOTS
 * @throws SettingsError
 */
export function readConfig(args: readonly string[], env: Environment): BotsConfig | 'help' {
  if (args.includes('--help') || args.includes('-h')) return 'help';
  return settingsOf(SETTINGS, (name) =>
    name === 'BOTS' && args.length > 0 ? args.join(',') : env[name] || undefined,
  );
}

function listOf<Item extends string>(isItem: (text: string) => text is Item) {
  return (list: string): readonly Item[] | undefined => {
    const items = splitList(list);
    return items.every(isItem) ? [...new Set(items)] : undefined;
  };
}

function isBotName(text: string): text is BotName {
  return BOT_NAMES.some((name) => name === text);
}

function isSymbol(text: string): text is string {
  return text.length >= 1 && text.length <= 64;
}
