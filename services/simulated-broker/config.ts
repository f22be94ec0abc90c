// Reads the broker's settings from flags and environment variables. A flag overrides its variable.

import { parseArgs } from 'node:util';
import { type Environment, SettingsError, settingsOf } from '@tickbus/settings';
import { text } from '@tickbus/settings/fields';
import type { z } from 'zod';
import { LOCAL_CREDENTIALS } from './broker.ts';
import { DEFAULT_SYMBOLS } from './sources/generator.ts';

/** Each setting is the flag `--name` and the variable `BROKER_NAME`; its description is its line of `--help`. */
const SETTINGS = {
  port: number(isWhole(65_535), 'a whole number from 0 to 65535')
    .default(8765)
    .describe('port to listen on, 0 for a free one (default 8765)'),
  host: text('an address').default('127.0.0.1').describe('address to listen on (default 127.0.0.1)'),
  capture: text('a file').optional().describe('recorded session to replay instead of generated prices'),
  speed: number((value) => value > 0, 'a number above 0')
    .default(1)
    .describe('replay speed: 1 as recorded, 2 twice as fast, Infinity (default 1)'),
  seed: number(isWhole(2 ** 32 - 1), 'a whole number from 0 to 4294967295')
    .default(1)
    .describe('seed of the generated prices (default 1)'),
  rate: number((value) => value >= 0.01 && value <= 100_000, 'a number from 0.01 to 100000')
    .default(20)
    .describe('generated events per second over all symbols (default 20)'),
  incidents: text('true or false', /^(true|false)$/)
    .transform((value) => value === 'true')
    .default(false)
    .describe('true to generate corrections, halts and other rare events, too (default false)'),
  resend: number(isWhole(10_000), 'a whole number from 0 to 10000')
    .default(0)
    .describe('trades that a new connection gets again (default 0)'),
  symbols: text('symbols separated by commas, such as AAPL,MSFT', /^[\w./:-]+(,[\w./:-]+)*$/)
    .transform((list) => list.split(','))
    .default([...DEFAULT_SYMBOLS])
    .describe(`generated symbols (default ${DEFAULT_SYMBOLS.join(',')})`),
  key: text('a key')
    .default(LOCAL_CREDENTIALS.key)
    .describe(`accepted API key (default ${LOCAL_CREDENTIALS.key})`),
  secret: text('a secret')
    .default(LOCAL_CREDENTIALS.secret)
    .describe(
      `accepted secret; the variable keeps it out of the process list (default ${LOCAL_CREDENTIALS.secret})`,
    ),
  release: number(isWhole(600_000), 'a whole number from 0 to 600000')
    .default(0)
    .describe('ms for which a closed connection still counts against the limit (default 0)'),
} satisfies z.ZodRawShape;

/** Without `capture`, prices are generated. */
export type BrokerConfig = z.infer<z.ZodObject<typeof SETTINGS>>;

/**
 * Reads the settings; returns `'help'` for `--help`.
 *
 * @param args the command line without node and the script
 * @throws SettingsError
 */
export function readConfig(args: string[], env: Environment): BrokerConfig | 'help' {
  const flags = parseFlags(args);
  if (flags.help === true) return 'help';
  const given = (name: string) => flags[name] ?? env[variableOf(name)];
  return settingsOf(SETTINGS, given as (name: string) => string | undefined, sourceOf);
}

/** The text of `--help`. */
export function helpText(): string {
  const lines = Object.entries(SETTINGS).map(
    ([name, { description }]) => `  --${name.padEnd(8)} ${variableOf(name).padEnd(15)} ${description}`,
  );
  return `A simulated broker: Alpaca's market data stream v2, limited to one connection.\n\n${lines.join('\n')}\n`;
}

const NAMES = Object.keys(SETTINGS);

function parseFlags(args: string[]): Readonly<Record<string, string | boolean | undefined>> {
  const flags = NAMES.map((name) => [name, { type: 'string' as const }]);
  try {
    return parseArgs({
      args,
      options: { ...Object.fromEntries(flags), help: { type: 'boolean', short: 'h' } },
    }).values as Record<string, string | boolean | undefined>;
  } catch (error) {
    // Keeps the first sentence only: the advice that Node adds on dashes and positional arguments does not apply here.
    const [reason] = String(error instanceof Error ? error.message : error).split(/\.?\n|\. /);
    throw new SettingsError(`${reason}. See --help for the list of flags.`, { cause: error });
  }
}

function sourceOf(name: string): string {
  return `--${name} (or ${variableOf(name)})`;
}

function variableOf(name: string): string {
  return `BROKER_${name.toUpperCase()}`;
}

/** A number in text; `expected` completes the error "NAME must be ...". */
function number(isValid: (value: number) => boolean, expected: string) {
  return text(expected)
    .transform(Number)
    .refine((value) => isValid(value), expected);
}

function isWhole(highest: number): (value: number) => boolean {
  return (value) => Number.isInteger(value) && value >= 0 && value <= highest;
}
