// What `npm run faults` takes on the command line.

import { Command, InvalidArgumentError } from 'commander';

export interface FaultsOptions {
  readonly quick: boolean;
  readonly only: readonly string[];
  readonly seed: number;
  readonly json: boolean;
  readonly list: boolean;
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
