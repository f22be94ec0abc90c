// Reads the gateway's settings from flags and environment variables. The library tickbus reads REDIS_*.

import { type Environment, helpLines, parseSettings, REDIS_HELP, SettingsError } from '@tickbus/settings';
import { Command, CommanderError } from 'commander';
import { withoutServiceLinks } from 'tickbus/constants';
import { z } from 'zod';
import { FEED_KINDS } from './feeds/registry.ts';
import { GATEWAY_SETTINGS, type GatewaySettings } from './gateway-settings.ts';

type FeedName = keyof typeof FEED_KINDS;

export interface GatewayConfig extends GatewaySettings {
  readonly FEED: FeedName;
  /** The settings of the selected feed, for `FEED_KINDS[FEED].create`. */
  readonly feedSettings: Readonly<Record<string, unknown>>;
}

/**
 * Reads the settings; returns `'help'` for `--help`. A flag overrides its variable. An empty variable counts as not
 * set.
 *
 * @param args the command line without node and the script
 * @throws SettingsError
 */
export function readConfig(args: readonly string[], env: Environment): GatewayConfig | 'help' {
  const flags = parseFlags(args);
  if (flags === 'help') return 'help';
  const variables = withoutServiceLinks(env);
  const given = (name: string) => flags.get(name) ?? (variables[name] || undefined);
  const feed = FEED.safeParse(given('FEED'));
  if (feed.error) throw new SettingsError(`${sourceOf('FEED')} must be ${feed.error.issues[0]?.message}.`);
  const kind: { readonly settings: z.ZodRawShape } = FEED_KINDS[feed.data];
  const foreign = [...flags.keys()].filter((name) => !(name in COMMON_SETTINGS || name in kind.settings));
  const own = parseSettings(GATEWAY_SETTINGS, given, sourceOf);
  const particular = parseSettings(kind.settings, given, sourceOf);
  const errors = [
    ...foreign.map((name) => `${flagOf(name)} is not a setting of the feed ${feed.data}. Remove it.`),
    ...own.errors,
    ...particular.errors,
  ];
  if (own.data === undefined || particular.data === undefined || errors.length > 0)
    throw new SettingsError(errors.join('\n'));
  return { FEED: feed.data, ...own.data, feedSettings: particular.data };
}

/** The text of `--help`. */
export function helpText(): string {
  const feeds = Object.entries(FEED_KINDS).map(
    ([name, { summary, settings }]) => `FEED=${name}: ${summary}\n${helpLines(settings)}`,
  );
  return `The price gateway: holds the single connection to the broker and publishes its prices to Redis.
Run two: one is active, the other is on standby.

Every setting is an environment variable. All except secrets are also flags: SYMBOL_LIMIT is --symbol-limit.

${helpLines(COMMON_SETTINGS)}

${feeds.join('\n\n')}

Redis
${REDIS_HELP}
`;
}

const FEED_NAMES = Object.keys(FEED_KINDS) as [FeedName, ...FeedName[]];
const FEED = z
  .enum(FEED_NAMES, { error: `one of ${FEED_NAMES.join(', ')}` })
  .default('alpaca')
  .describe(`source of the prices: ${FEED_NAMES.join(', ')} (default alpaca)`);
const COMMON_SETTINGS: z.ZodRawShape = { FEED, ...GATEWAY_SETTINGS };
const ALL_SETTINGS: z.ZodRawShape = Object.assign(
  { ...COMMON_SETTINGS },
  ...Object.values(FEED_KINDS).map(({ settings }) => settings),
);

/** The values of the given flags, by the name of their setting. */
function parseFlags(args: readonly string[]): ReadonlyMap<string, string> | 'help' {
  const command = new Command()
    .helpOption(false)
    .exitOverride()
    .configureOutput({ writeErr() {} });
  command.option('-h, --help');
  for (const name of Object.keys(ALL_SETTINGS))
    if (!isSecret(name)) command.option(`${flagOf(name)} <value>`);
  try {
    command.parse([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) throw new SettingsError(describeFlagError(error), { cause: error });
    throw error;
  }
  const { help, ...values } = command.opts<Record<string, string>>();
  if (help) return 'help';
  return new Map(Object.entries(values).map(([name, value]) => [variableOf(name), value]));
}

/** Describes an error without the flag's value, because the value can be a secret. */
function describeFlagError({ code, message }: CommanderError): string {
  const [flag = ''] = /--?[\w-]+/.exec(message) ?? [];
  const name = flag.replace(/^--/, '').replaceAll('-', '_').toUpperCase();
  if (name in ALL_SETTINGS && isSecret(name))
    return `${flag} is not a flag, because other users can read a command line. Set the variable ${name}.`;
  if (code === 'commander.unknownOption') return `Unknown flag ${flag}. See --help for the list of flags.`;
  if (code === 'commander.optionMissingArgument') return `${flag} needs a value.`;
  return 'The gateway accepts flags only. See --help for the list of flags.';
}

/** The variable of a setting, and its flag if it has one. */
function sourceOf(name: string): string {
  return isSecret(name) ? name : `${name} (or ${flagOf(name)})`;
}

function isSecret(name: string): boolean {
  const schema = ALL_SETTINGS[name];
  return schema instanceof z.ZodType && schema.meta()?.secret === true;
}

function flagOf(name: string): string {
  return `--${name.toLowerCase().replaceAll('_', '-')}`;
}

/** Turns commander's spelling of a flag, `symbolLimit`, into the variable `SYMBOL_LIMIT`. */
function variableOf(option: string): string {
  return option.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}
