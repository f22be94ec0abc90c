// What can be typed, as data: read from the commands themselves, so that no list has to be kept.

import type { Command, Option } from 'commander';

export interface OptionWords {
  readonly short: string | undefined;
  readonly long: string;
  readonly description: string;
  /** undefined: it takes no value. Empty: any value. */
  readonly values: readonly string[] | undefined;
}

interface VerbWords {
  readonly verb: string;
  readonly summary: string;
  readonly options: readonly OptionWords[];
  /** Words that its arguments can be. */
  readonly values: readonly string[];
}

export interface ProgramWords {
  readonly options: readonly OptionWords[];
  readonly verbs: readonly VerbWords[];
}

/** @param valuesOf the words for an argument of this name, where the command itself does not list them */
export function wordsOf(program: Command, valuesOf: (argument: string) => readonly string[]): ProgramWords {
  return {
    options: optionsOf(program),
    verbs: program.commands.map((command) => ({
      verb: command.name(),
      summary: command.description(),
      options: optionsOf(command),
      values: command.registeredArguments.flatMap(
        (argument) => argument.argChoices ?? valuesOf(argument.name()),
      ),
    })),
  };
}

function optionsOf(command: Command): OptionWords[] {
  const help = { short: '-h', long: '--help', description: 'print help', values: undefined };
  return [...command.options.filter(({ long }) => long).map(optionWords), help];
}

function optionWords({ short, long, description, required, optional, argChoices }: Option): OptionWords {
  const values = required || optional ? (argChoices ?? []) : undefined;
  return { short, long: long ?? '', description, values };
}
