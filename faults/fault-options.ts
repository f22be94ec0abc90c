// What `npm run faults` and `npm run soak` take on the command line.

import { Command, InvalidArgumentError } from 'commander';

export interface FaultsOptions {
  readonly quick: boolean;
  readonly only: readonly string[];
  readonly seed: number;
  readonly json: boolean;
  readonly list: boolean;
}

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly json: boolean;
}

export function parseFaultsOptions(argv: readonly string[]): FaultsOptions {
  const command = withCommonOptions(
    'faults',
    'Does harm to tickbus on a real Redis, and checks what becomes of it.',
  )
    .option('--quick', 'everything in under a minute, with shorter waits and fewer messages', false)
    .option(
      '--only <name>',
      'one scenario, by its name or number; can be given several times',
      (name: string, before: string[]) => [...before, name],
      [] as string[],
    )
    .option('--list', 'say what there is, and end', false);
  return command.parse(argv, { from: 'user' }).opts<FaultsOptions>();
}

export function parseSoakOptions(argv: readonly string[]): SoakOptions {
  const command = withCommonOptions(
    'soak',
    'Mixes all faults at random over every kind of channel, and watches the memory.',
  ).option('--minutes <number>', 'how long', positive, 3);
  return command.parse(argv, { from: 'user' }).opts<SoakOptions>();
}

function withCommonOptions(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option(
      '--seed <number>',
      'repeat the random choices of a run',
      whole,
      Math.floor(Math.random() * 2 ** 31),
    )
    .option('--json', 'the last line of stdout is one JSON object; progress goes to stderr', false)
    .showHelpAfterError();
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
