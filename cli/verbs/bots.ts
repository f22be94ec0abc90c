// `tickbus bots`: the last status of each bot and its age.

import { type BotStatus, botStatus } from 'tickbus';
import { printable } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import type { Context } from '../context.ts';
import { duration as timeText } from '../duration-text.ts';
import { EXIT } from '../exit.ts';
import { duration } from '../option-parsers.ts';
import { readStoredValues } from '../stored-values.ts';
import { fittingTable } from '../table.ts';
import { type DefineVerb, examples } from '../verb.ts';
import { watching } from '../watch-view.ts';

interface BotsOptions {
  readonly watch?: boolean;
  readonly json?: boolean;
  readonly maxAge?: number;
}

export interface BotVerdictRow {
  readonly bot: string;
  readonly state: BotStatus['state'];
  /** Milliseconds since the bot's last status. */
  readonly age_ms: number;
  /** `overdue`: the bot missed too many status intervals, so its current state is unknown. */
  readonly verdict: 'alive' | 'overdue' | 'stopped';
  readonly up_ms: number | undefined;
  readonly behind: number | undefined;
  readonly detail: string | undefined;
  /** True for the status of a plain client, which a tickbus process has kept. */
  readonly adopted: boolean;
}

/** Status intervals that a bot may miss. A bot without a reported interval is assumed to use 2 s. */
const MISSED_INTERVALS = 3;
const DEFAULT_INTERVAL_MS = 2_000;

export const define: DefineVerb = (command, bind) => {
  command
    .option('-w, --watch', 'refresh until Ctrl-C')
    .option('--json', 'one JSON object for each bot, a line each')
    .option(
      '--max-age <time>',
      'exit code 3 if the last status of a bot that is not stopped is older',
      duration,
    )
    .addHelpText(
      'after',
      `\nA bot is overdue after it misses three of its own status intervals.\n${examples(
        ['tickbus bots', 'every bot with a status on this Redis'],
        ['tickbus bots --max-age 10s', 'in a script: exit code 3 if a bot is silent'],
        ['tickbus bots --watch', 'a table that stays up to date, until Ctrl-C'],
      )}`,
    )
    .action(bind(bots));
};

async function bots(context: Context, options: BotsOptions): Promise<number> {
  const { terminal } = context;
  const connection = context.connection();
  let lines: BotVerdictRow[] = [];
  await watching(context, options.watch, async () => {
    const values = await readStoredValues(connection, CHANNELS.BOT_STATUS);
    lines = values
      .map(({ envelope, ageMs }) => botVerdictRow(envelope.data, ageMs, envelope.adopted))
      .filter((line) => line !== undefined);
    return options.json ? lines.map((line) => JSON.stringify(line)) : tableOf(context, lines);
  });
  if (lines.length === 0) terminal.note('No bot has reported a status yet.');
  const { maxAge = Number.POSITIVE_INFINITY } = options;
  return lines.some(({ verdict, age_ms }) => verdict !== 'stopped' && age_ms > maxAge) ? EXIT.stale : EXIT.ok;
}

/** undefined for an invalid status. */
export function botVerdictRow(data: unknown, ageMs: number, adopted = false): BotVerdictRow | undefined {
  const { data: status } = botStatus.safeParse(data);
  if (status === undefined) return undefined;
  const { bot, state, detail, started_at, behind, status_interval_ms = DEFAULT_INTERVAL_MS } = status;
  const isOverdue = ageMs > MISSED_INTERVALS * status_interval_ms;
  return {
    bot,
    state,
    age_ms: Math.round(ageMs),
    verdict: state === 'stopped' ? 'stopped' : isOverdue ? 'overdue' : 'alive',
    up_ms: started_at === undefined || state === 'stopped' ? undefined : Math.max(0, Date.now() - started_at),
    behind,
    detail,
    adopted,
  };
}

function tableOf({ terminal }: Context, lines: readonly BotVerdictRow[]): string[] {
  const rows = lines.map(({ bot, state, age_ms, verdict, up_ms, behind, detail, adopted }) => [
    printable(bot, 40),
    state,
    terminal.paint(COLOURS[verdict], verdict),
    timeText(age_ms),
    up_ms === undefined ? '-' : timeText(up_ms),
    behind === undefined ? '-' : String(behind),
    printable([...(adopted ? ['(plain client)'] : []), ...(detail ? [detail] : [])].join(' '), 80),
  ]);
  const align = ['left', 'left', 'left', 'right', 'right', 'right', 'left'] as const;
  return fittingTable(['BOT', 'STATE', 'VERDICT', 'AGE', 'UP', 'BEHIND', 'DETAIL'], rows, align, {
    width: terminal.columns,
    spare: [['UP'], ['BEHIND'], ['STATE']],
    text: 'DETAIL',
  });
}

const COLOURS = { alive: 'green', overdue: 'red', stopped: 'dim' } as const;
