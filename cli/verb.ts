// The interface between the program and its verbs.

import type { Command } from 'commander';
import type { Context } from './context.ts';

/** The action of a verb. `options` holds commander's parsed values. */
export type VerbAction<Args extends readonly unknown[], Options> = (
  context: Context,
  options: Options,
  ...args: Args
) => Promise<number> | Promise<void>;

/** Adapts a verb's action to commander: passes a context, and uses the result as exit code (undefined: 0). */
export type Bind = <Args extends readonly unknown[], Options>(
  action: VerbAction<Args, Options>,
) => (...args: unknown[]) => Promise<void>;

/** Adds arguments, options, help and action to the verb's command. */
export type DefineVerb = (command: Command, bind: Bind) => void;

/** The examples at the end of a verb's help: commands to paste, each with a comment. */
export function examples(...lines: readonly (readonly [command: string, comment: string])[]): string {
  const width = Math.max(...lines.map(([command]) => command.length));
  const shown = lines.map(([command, comment]) => `  $ ${command.padEnd(width)}   # ${comment}`);
  return `\nExamples:\n${shown.join('\n')}\n`;
}
