// `tickbus bots`: the last status of each bot and its age.

import { isGone, type ProgramFact, programsOfBots } from '@tickbus/operator-kit/bot-programs';
import { judgedAgeMs, NOT_KEPT } from '@tickbus/operator-kit/plain-clients';
import { type BotStatus, botStatus, type Presence } from 'tickbus';
import { printable } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import { presenceList } from 'tickbus/presence';
import { readAdopterSilence } from '../adopter-silence.ts';
import type { Context } from '../context.ts';
import { unlessDenied } from '../diagnosis/server-facts.ts';
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
  /**
   * `overdue`: the bot missed too many status intervals, so its current state is unknown. `gone`: PRESENCE no longer
   * has it, so it crashed, hangs or lost its link. `unjudged`: a plain client that would be overdue, but nothing keeps
   * its statuses.
   */
  readonly verdict: 'alive' | 'overdue' | 'unjudged' | 'gone' | 'stopped';
  /** The number of programs that report under this name now. 0 for a plain client, and if PRESENCE cannot be read. */
  readonly programs: number;
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
      `\nA bot is overdue after it misses three of its own status intervals, and gone when PRESENCE no longer has it.
A plain client that would be overdue is unjudged while ${NOT_KEPT}.\n${examples(
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
    // Read after the statuses: see `isGone`.
    const programs = await unlessDenied<Presence[]>(presenceList(connection));
    const silenceMs = await readAdopterSilence(connection, programs);
    lines = values
      .map(({ envelope, ageMs }) =>
        botVerdictRow(envelope.data, ageMs, envelope.adopted, programs, silenceMs),
      )
      .filter((line) => line !== undefined);
    return options.json ? lines.map((line) => JSON.stringify(line)) : tableOf(context, lines);
  });
  if (lines.length === 0) terminal.note('No bot has reported a status yet.');
  const { maxAge = Number.POSITIVE_INFINITY } = options;
  return lines.some(({ verdict, age_ms }) => verdict !== 'stopped' && age_ms > maxAge) ? EXIT.stale : EXIT.ok;
}

/** undefined for an invalid status. */
export function botVerdictRow(
  data: unknown,
  ageMs: number,
  adopted = false,
  programs?: readonly ProgramFact[] | undefined,
  silenceMs?: number | undefined,
): BotVerdictRow | undefined {
  const { data: status } = botStatus.safeParse(data);
  if (status === undefined) return undefined;
  const { bot, state, detail, started_at, behind } = status;
  const judgedMs = judgedAgeMs(adopted, ageMs, silenceMs);
  const late = judgedMs === undefined ? 'unjudged' : 'overdue';
  const silence = isGone(status, adopted, programs) ? 'gone' : isOverdue(status, judgedMs ?? ageMs) && late;
  return {
    bot,
    state,
    age_ms: Math.round(ageMs),
    verdict: state === 'stopped' ? 'stopped' : silence || 'alive',
    programs: programsOfBots(programs).get(bot) ?? 0,
    up_ms: started_at === undefined || state === 'stopped' ? undefined : Math.max(0, Date.now() - started_at),
    behind,
    detail,
    adopted,
  };
}

/** Whether a bot that has not stopped missed too many of its status intervals. */
export function isOverdue(
  { state, status_interval_ms = DEFAULT_INTERVAL_MS }: BotStatus,
  ageMs: number,
): boolean {
  return state !== 'stopped' && ageMs > MISSED_INTERVALS * status_interval_ms;
}

function tableOf({ terminal }: Context, lines: readonly BotVerdictRow[]): string[] {
  const rows = lines.map((line) => [
    `${printable(line.bot, 40)}${line.programs > 1 ? ` (${line.programs} copies)` : ''}`,
    line.state,
    terminal.paint(COLOURS[line.verdict], line.verdict),
    timeText(line.age_ms),
    line.up_ms === undefined ? '-' : timeText(line.up_ms),
    line.behind === undefined ? '-' : String(line.behind),
    printable(detailOf(line), 80),
  ]);
  const align = ['left', 'left', 'left', 'right', 'right', 'right', 'left'] as const;
  return fittingTable(['BOT', 'STATE', 'VERDICT', 'AGE', 'UP', 'BEHIND', 'DETAIL'], rows, align, {
    width: terminal.columns,
    spare: [['UP'], ['BEHIND'], ['STATE']],
    text: 'DETAIL',
  });
}

function detailOf({ state, programs, adopted, detail = '' }: BotVerdictRow): string {
  const notes = [
    ...(adopted ? ['(plain client)'] : []),
    ...(programs === 1 && state === 'stopped' ? ['(another program of this name runs)'] : []),
  ];
  return [...notes, detail].join(' ').trim();
}

const COLOURS = { alive: 'green', overdue: 'red', unjudged: 'yellow', gone: 'red', stopped: 'dim' } as const;
