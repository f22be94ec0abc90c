// What a verb is to the program.

import type { Command } from 'commander';
import type { Context } from './context.ts';

/** The values of the options, as commander gives them. */
export type Action<Args extends readonly unknown[], Options> = (
  context: Context,
  options: Options,
  ...args: Args
) => Promise<number> | Promise<void>;

/** Makes commander's action of a verb's: it gets a context, and its outcome becomes the exit code (nothing: 0). */
export type Bind = <Args extends readonly unknown[], Options>(
  action: Action<Args, Options>,
) => (...args: unknown[]) => Promise<void>;

/** Adds arguments, options, help and action to the verb's command. */
export type DefineVerb = (command: Command, bind: Bind) => void;

/** The examples at the end of a verb's help, each a line to paste and what it does. */
export function examples(...lines: readonly (readonly [command: string, comment: string])[]): string {
  const width = Math.max(...lines.map(([command]) => command.length));
  const shown = lines.map(([command, comment]) => `  $ ${command.padEnd(width)}   # ${comment}`);
  return `\nExamples:\n${shown.join('\n')}\n`;
}
