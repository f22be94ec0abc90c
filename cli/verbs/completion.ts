// `tickbus completion`: prints the completion script of a shell.

import { Argument } from 'commander';
import { commandChannel, knownNames } from '../channel-lookup.ts';
import { bashScript } from '../completion/bash.ts';
import { fishScript } from '../completion/fish.ts';
import { wordsOf } from '../completion/words.ts';
import { zshScript } from '../completion/zsh.ts';
import { type DefineVerb, examples } from '../verb.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;
type Shell = keyof typeof SCRIPTS;

/** Completion words, by argument name. */
const VALUES: Readonly<Record<string, () => readonly string[]>> = {
  channel: knownNames,
  action: () => Object.keys(commandChannel().messages),
};

export const define: DefineVerb = (command, bind) => {
  const program = command.parent ?? command;
  command
    .addArgument(new Argument('<shell>', 'bash, zsh or fish').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      `\nThe script completes the command tickbus, which must be on your PATH.\n${examples(
        ['source <(tickbus completion bash)', 'for this bash; in ~/.bashrc for every session'],
        ['tickbus completion zsh > ~/.zfunc/_tickbus', 'for zsh, with fpath+=~/.zfunc before compinit'],
        ['tickbus completion fish > ~/.config/fish/completions/tickbus.fish', 'for fish'],
      )}`,
    )
    .action(
      bind(async ({ terminal }, _options, shell: Shell) => {
        terminal.data(SCRIPTS[shell](wordsOf(program, (argument) => VALUES[argument]?.() ?? [])));
      }),
    );
};
