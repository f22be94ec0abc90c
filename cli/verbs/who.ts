// `tickbus who`: the named programs that are there, since when, and with which channels.

import type { Presence } from 'tickbus';
import { printable } from 'tickbus/admin';
import { presenceList } from 'tickbus/presence';
import type { Context } from '../context.ts';
import { duration as timeText } from '../duration-text.ts';
import { EXIT } from '../exit.ts';
import { lastStatusText } from '../last-status.ts';
import { fittingTable } from '../table.ts';
import { type DefineVerb, examples } from '../verb.ts';
import { watching } from '../watch-view.ts';

interface WhoOptions {
  readonly watch?: boolean;
  readonly json?: boolean;
}

export const define: DefineVerb = (command, bind) => {
  command
    .argument('[name...]', 'only programs with these names; exit code 1 if one of them is not there')
    .option('-w, --watch', 'refresh until Ctrl-C')
    .option('--json', 'one JSON object for each program, a line each')
    .addHelpText(
      'after',
      `\nLists the subscribers and publishers with a \`name\`. One that crashed is missing after 2 s.\n${examples(
        ['tickbus who', 'every named program on this Redis'],
        ['tickbus who momentum', 'in a script: exit code 1 if momentum is not there'],
        ['tickbus who --watch', 'a table that stays up to date, until Ctrl-C'],
      )}`,
    )
    .action(bind(who));
};

async function who(context: Context, options: WhoOptions, names: readonly string[]): Promise<number> {
  const { terminal } = context;
  const connection = context.connection();
  let present: Presence[] = [];
  await watching(context, options.watch, async () => {
    const all = await presenceList(connection);
    present = names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
    return options.json ? present.map((each) => JSON.stringify(each)) : tableOf(context, present);
  });
  const missing = names.filter((wanted) => present.every(({ name }) => name !== wanted));
  for (const name of missing) {
    const status = await lastStatusText(connection, name);
    terminal.note(`No program named ${printable(name, 128)} is there. ${status ?? ''}`.trim());
  }
  if (present.length === 0 && names.length === 0) terminal.note('No named program is there.');
  return missing.length === 0 ? EXIT.ok : EXIT.failure;
}

function tableOf({ terminal }: Context, present: readonly Presence[]): string[] {
  const rows = present.map(({ name, since, host, pid, instance, subscribes, publishes }) => [
    printable(name, 40),
    timeText(Math.max(0, Date.now() - since)),
    printable(host, 40),
    String(pid),
    printable(instance, 40),
    printable(publishes.join(' ') || '-', 80),
    printable(subscribes.join(' ') || '-', 80),
  ]);
  const align = ['left', 'right', 'left', 'right', 'left', 'left', 'left'] as const;
  return fittingTable(['NAME', 'UP', 'HOST', 'PID', 'INSTANCE', 'PUBLISHES', 'SUBSCRIBES'], rows, align, {
    width: terminal.columns,
    spare: [['INSTANCE'], ['HOST'], ['PID']],
    text: 'SUBSCRIBES',
  });
}
