// Command-line options of `npm run faults`, `npm run soak` and `npm run fuzz`.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';

export interface FaultsOptions {
  /** Whether to run the scenarios on clusters and Sentinel groups instead. */
  readonly cluster: boolean;
  /** Whether to run the long ones of these. Implies `cluster`. */
  readonly long: boolean;
  readonly quick: boolean;
  readonly only: readonly string[];
  readonly seed: number;
  readonly json: boolean;
  readonly list: boolean;
  /** Duration of each hostile flood; undefined: the default of the scenario. */
  readonly floodSeconds: number | undefined;
  /** The folder of an older checkout: run the scenarios of an upgrade from it instead. */
  readonly upgradeFrom: string | undefined;
}

export interface SoakOptions {
  /** Whether to soak a cluster instead of a single server. */
  readonly cluster: boolean;
  readonly minutes: number;
  readonly seed: number;
  readonly json: boolean;
}

export interface FuzzOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly target: readonly string[];
  /** Whether to run one check of each target with `seed` itself, to repeat a failure. */
  readonly once: boolean;
}

export function parseFaultsOptions(argv: readonly string[]): FaultsOptions {
  const command = withCommonOptions(
    'faults',
    'Injects faults into tickbus on a real Redis, and checks the history of every message.',
  )
    .option(
      '--cluster',
      'run the scenarios on clusters and Sentinel groups instead, in about a minute',
      false,
    )
    .addOption(
      new Option('--long', 'run the long scenarios on clusters instead')
        .default(false)
        .implies({ cluster: true }),
    )
    .option('--quick', 'run in about a minute, with shorter waits and fewer messages', false)
    .option(
      '--only <name>',
      'run one scenario by name or number, or a group (hostile, cluster, sentinel); repeatable',
      (name: string, before: string[]) => [...before, name],
      [] as string[],
    )
    .option(
      '--flood-seconds <number>',
      'duration of each hostile flood (default 15; 4 with --quick)',
      positive,
    )
    .option(
      '--upgrade-from <folder>',
      'run the scenarios of an upgrade from an older checkout instead',
      checkout,
    )
    .option('--list', 'print the scenarios with their expected results, and exit', false);
  return command.parse(argv, { from: 'user' }).opts<FaultsOptions>();
}

export function parseSoakOptions(argv: readonly string[]): SoakOptions {
  const command = withCommonOptions(
    'soak',
    'Injects random faults on every kind of channel, and measures the growth of the heap.',
  )
    .option('--cluster', 'soak a cluster of three masters and three replicas', false)
    .option('--minutes <number>', 'duration in minutes', positive, 3);
  return command.parse(argv, { from: 'user' }).opts<SoakOptions>();
}

export function parseFuzzOptions(argv: readonly string[]): FuzzOptions {
  return new Command('fuzz')
    .description('Feeds mutated input to decoders, captures, mappings and addresses.')
    .option('--minutes <number>', 'duration in minutes', positive, 1)
    .option('--seed <number>', 'repeat the random choices of a run', whole, randomSeed())
    .option(
      '--target <name>',
      'check one target; repeatable (default: all)',
      (name: string, before: string[]) => [...before, name],
      [] as string[],
    )
    .option('--once', 'one check with this seed, to repeat a failure', false)
    .showHelpAfterError()
    .parse(argv, { from: 'user' })
    .opts<FuzzOptions>();
}

function withCommonOptions(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--seed <number>', 'repeat the random choices of a run', whole, randomSeed())
    .option('--json', 'print one JSON object on stdout; progress goes to stderr', false)
    .showHelpAfterError();
}

function checkout(folder: string): string {
  if (existsSync(join(folder, 'shared_library/redis/index.ts'))) return resolve(folder);
  throw new InvalidArgumentError('It is not a checkout of tickbus: shared_library/redis is missing.');
}

function randomSeed(): number {
  return Math.floor(Math.random() * 2 ** 31);
}

function whole(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw new InvalidArgumentError('Use a whole number.');
  return number;
}

function positive(text: string): number {
  const number = Number(text);
  if (!(number > 0 && Number.isFinite(number))) throw new InvalidArgumentError('Use a number above 0.');
  return number;
}
