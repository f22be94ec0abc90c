// The service's settings, from flags and environment variables by one schema. Where Redis is, the library reads itself.

import { Command, CommanderError } from 'commander';
import { z } from 'zod';
import { FEED_KINDS } from './feeds/registry.ts';
import { GATEWAY_SETTINGS, type GatewaySettings } from './gateway-settings.ts';

type Environment = Readonly<Record<string, string | undefined>>;
type FeedName = keyof typeof FEED_KINDS;

export interface GatewayConfig extends GatewaySettings {
  /** Which feed. */
  readonly FEED: FeedName;
  /** What that feed's own settings say; `FEED_KINDS[FEED].create` takes them. */
  readonly feedSettings: Readonly<Record<string, unknown>>;
}

/** Settings that cannot be used; the message has one line a mistake and never repeats a value. */
export class GatewayConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the settings; `'help'` when help was asked for. A flag wins over its variable; an empty variable counts as not set.
 *
 * @param args the command line without the program
 * @throws ConfigError
 */
export function readConfig(args: readonly string[], env: Environment): GatewayConfig | 'help' {
  const flags = parseFlags(args);
  if (flags === 'help') return 'help';
  const given = (name: string): string | undefined => flags.get(name) ?? (env[name] || undefined);
  const feed = FEED.safeParse(given('FEED'));
  if (feed.error)
    throw new GatewayConfigError(`${sourceOf('FEED')} must be ${feed.error.issues[0]?.message}.`);
  const kind: { readonly settings: z.ZodRawShape } = FEED_KINDS[feed.data];
  const stray = [...flags.keys()].filter((name) => !(name in COMMON_SETTINGS || name in kind.settings));
  const own = parseSettings(GATEWAY_SETTINGS, given);
  const particular = parseSettings(kind.settings, given);
  const mistakes = [
    ...stray.map((name) => `${flagOf(name)} is no setting of the feed ${feed.data}. Leave it out.`),
    ...own.mistakes,
    ...particular.mistakes,
  ];
  if (own.data === undefined || particular.data === undefined || mistakes.length > 0)
    throw new GatewayConfigError(mistakes.join('\n'));
  return { FEED: feed.data, ...own.data, feedSettings: particular.data };
}

/** The text of `--help`. */
export function helpText(): string {
  const feeds = Object.entries(FEED_KINDS).map(
    ([name, { summary, settings }]) => `FEED=${name}: ${summary}\n${helpLines(settings)}`,
  );
  return `The price gateway: holds the one connection to the broker and publishes its prices on Redis. Start two: one is active,
the other stands by.

Every setting is an environment variable; all but secrets are flags too: SYMBOL_LIMIT is --symbol-limit.

${helpLines(COMMON_SETTINGS)}

${feeds.join('\n\n')}

Redis
  REDIS_URL             where it is, redis[s]://[[user]:password@]host[:port][/db]
  REDIS_HOST, REDIS_PORT, REDIS_DB   the same in parts (default 127.0.0.1, 6379, 0)
`;
}

const FEED_NAMES = Object.keys(FEED_KINDS) as [FeedName, ...FeedName[]];
const FEED = z
  .enum(FEED_NAMES, { error: `one of ${FEED_NAMES.join(', ')}` })
  .default('alpaca')
  .describe(`where prices come from: ${FEED_NAMES.join(', ')} (default alpaca)`);
const COMMON_SETTINGS: z.ZodRawShape = { FEED, ...GATEWAY_SETTINGS };
const ALL_SETTINGS: z.ZodRawShape = Object.assign(
  { ...COMMON_SETTINGS },
  ...Object.values(FEED_KINDS).map(({ settings }) => settings),
);

/** The flags that were given, by the name of their setting. */
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
    if (error instanceof CommanderError)
      throw new GatewayConfigError(describeFlagError(error), { cause: error });
    throw error;
  }
  const { help, ...values } = command.opts<Record<string, string>>();
  if (help) return 'help';
  return new Map(Object.entries(values).map(([name, value]) => [variableOf(name), value]));
}

/** Without the value that may stand behind a flag's name: it may be a secret. */
function describeFlagError({ code, message }: CommanderError): string {
  const [flag = ''] = /--?[\w-]+/.exec(message) ?? [];
  const name = flag.replace(/^--/, '').replaceAll('-', '_').toUpperCase();
  if (name in ALL_SETTINGS && isSecret(name))
    return `${flag} is no flag, because a command line can be read by others. Set the variable ${name}.`;
  if (code === 'commander.unknownOption') return `There is no flag ${flag}. See --help for those there are.`;
  if (code === 'commander.optionMissingArgument') return `${flag} needs a value.`;
  return 'The gateway takes flags and no other arguments. See --help for those there are.';
}

function parseSettings<Shape extends z.ZodRawShape>(
  shape: Shape,
  given: (name: string) => string | undefined,
) {
  const values = Object.keys(shape).map((name) => [name, given(name)]);
  const { data, error } = z.object(shape).safeParse(Object.fromEntries(values));
  const mistakes = (error?.issues ?? []).map(
    ({ path, message }) => `${sourceOf(String(path[0]))} must be ${message}.`,
  );
  return { data, mistakes };
}

/** Where a setting is made, for an error: its variable, and its flag where it has one. */
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

/** commander turns `--symbol-limit` into `symbolLimit`. */
function variableOf(option: string): string {
  return option.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

function helpLines(shape: z.ZodRawShape): string {
  const describe = (schema: unknown) => (schema instanceof z.ZodType ? (schema.description ?? '') : '');
  return Object.entries(shape)
    .map(([name, schema]) => `  ${name.padEnd(21)} ${describe(schema)}`)
    .join('\n');
}
