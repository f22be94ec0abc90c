// The words of the command line, read from the commands themselves.

import type { Command, Option } from 'commander';

export interface OptionWords {
  readonly short: string | undefined;
  readonly long: string;
  readonly description: string;
  /** undefined if the option takes no value; empty if it takes any value. */
  readonly values: readonly string[] | undefined;
  /** Whether its value is a file name. */
  readonly takesFile: boolean;
}

interface VerbWords {
  readonly verb: string;
  readonly summary: string;
  readonly options: readonly OptionWords[];
  /** Allowed values of its arguments. */
  readonly values: readonly string[];
  /** Whether its first argument is a file name. */
  readonly takesFile: boolean;
}

export interface ProgramWords {
  readonly options: readonly OptionWords[];
  readonly verbs: readonly VerbWords[];
}

/** @param valuesOf the allowed values of an argument for which the command lists no choices */
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
