// What can be typed, as data: read from the commands themselves, so that no list has to be kept.

import type { Command, Option } from 'commander';

export interface OptionWords {
  readonly short: string | undefined;
  readonly long: string;
  readonly description: string;
  /** undefined: it takes no value. Empty: any value. */
  readonly values: readonly string[] | undefined;
  /** Its value is the name of a file. */
  readonly takesFile: boolean;
}

interface VerbWords {
  readonly verb: string;
  readonly summary: string;
  readonly options: readonly OptionWords[];
  /** Words that its arguments can be. */
  readonly values: readonly string[];
  /** The first of them is the name of a file. */
  readonly takesFile: boolean;
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
      takesFile: command.registeredArguments[0]?.name() === 'file',
    })),
  };
}

function optionsOf(command: Command): OptionWords[] {
  const help = {
    short: '-h',
    long: '--help',
    description: 'print help',
    values: undefined,
    takesFile: false,
  };
  return [...command.options.filter(({ long }) => long).map(optionWords), help];
}

function optionWords(option: Option): OptionWords {
  const { short, long = '', description, required, optional, argChoices, flags } = option;
  const values = required || optional ? (argChoices ?? []) : undefined;
  return { short, long, description, values, takesFile: flags.includes('<file>') };
}
