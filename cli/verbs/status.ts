// `tickbus status`: one sentence about the whole bus: what is wrong, worst first, or that all is well.

import { isGone } from '@tickbus/operator-kit/bot-programs';
import {
  type BotFact,
  type BusFacts,
  type BusState,
  busStatus,
  type FeedFact,
} from '@tickbus/operator-kit/bus-status';
import { adopterSilenceMs, judgedAgeMs } from '@tickbus/operator-kit/plain-clients';
import { botStatus, type Channel, feedStatus, instrumentStatus, type Presence } from 'tickbus';
import type { ChannelStats } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import { presenceList } from 'tickbus/presence';
import type { Context } from '../context.ts';
import { diagnose } from '../diagnosis/diagnose.ts';
import type { DoctorFinding } from '../diagnosis/finding.ts';
import { readServerFacts, unlessDenied } from '../diagnosis/server-facts.ts';
import { UsageError } from '../exit.ts';
import { timeoutOption } from '../option-parsers.ts';
import { readStoredValues, type StoredValue } from '../stored-values.ts';
import { type DefineVerb, examples } from '../verb.ts';
import { withinTimeout } from '../waiting.ts';
import { isOverdue } from './bots.ts';

interface StatusOptions {
  readonly json?: boolean;
  readonly timeout: number;
}

const EXIT_CODES: Readonly<Record<BusState, number>> = { well: 0, wrong: 1, unknown: 2 };

export const define: DefineVerb = (command, bind) => {
  command
    .option('--json', 'one JSON object: state, sentence, problems with advice, what could not be read')
    .addOption(timeoutOption('time limit; beyond it Redis counts as hanging'))
    .addHelpText(
      'after',
      `
Judges the server, the gateways and their feeds, the bots, and the instruments that bots request.
A paused bot, a halted instrument and the warnings of doctor are not wrong.

Exit codes: 0 all is well, 1 something is wrong, 2 cannot tell, 64 usage error.
${examples(
  ['tickbus status', 'what is wrong, worst first'],
  ['tickbus status --json', 'for a program: with advice for each problem'],
)}`,
    )
    .action(bind(status));
};

async function status(context: Context, { json, timeout }: StatusOptions): Promise<number> {
  const { terminal } = context;
  const result = busStatus(await factsWithin(context, timeout));
  if (json) terminal.line(JSON.stringify(result));
  else {
    terminal.line(terminal.paint(COLOURS[result.state], result.sentence));
    for (const { advice } of terminal.isInteractive ? result.problems.slice(0, 1) : [])
      terminal.note(`First: ${advice}`);
  }
  return EXIT_CODES[result.state];
}

const COLOURS = { well: 'green', wrong: 'red', unknown: 'yellow' } as const;
/** These errors say that Redis replies, but not to this user. */
const REFUSALS: ReadonlySet<string> = new Set(['TICKBUS_AUTH_FAILED', 'TICKBUS_DENIED']);
const NOTHING = { feeds: [], instruments: [], bots: [], programs: undefined } as const;

/** An error of the connection is a fact, too. @throws TickbusError for an invalid option */
async function factsWithin(context: Context, ms: number): Promise<BusFacts> {
  try {
    return await withinTimeout(context.signal, ms, readFacts(context));
  } catch (error) {
    context.signal.throwIfAborted();
    const { message, code = '' } = error as Error & { readonly code?: string };
    if (code === 'TICKBUS_INVALID_OPTION' || error instanceof UsageError) throw error;
    return REFUSALS.has(code) ? { ...NOTHING, unreadable: [message] } : { ...NOTHING, redisFault: message };
  }
}

async function readFacts(context: Context): Promise<BusFacts> {
  const server = await readServerFacts(context);
  const unreadable: string[] = [];
  const values = async (channel: Channel) => {
    const read = await unlessDenied(readStoredValues(context.connection(), channel));
    if (read === undefined) unreadable.push(`this user cannot read ${channel}`);
    return read ?? [];
  };
  const feedValues = await values(CHANNELS.FEED_STATUS);
  const bots = await values(CHANNELS.BOT_STATUS);
  const instruments = await values(CHANNELS.INSTRUMENT_STATUS);
  // Read after the statuses: see `isGone`. Without permission for presence, the other facts are judged without it.
  const programs = await unlessDenied<Presence[]>(presenceList(context.connection()));
  const invalid = ({ key }: StoredValue, channel: Channel) => {
    unreadable.push(`the last value of ${key} on ${channel} is not valid`);
    return [];
  };
  const feeds = feedValues.flatMap(
    (value) => feedFact(value, server.channels) ?? invalid(value, CHANNELS.FEED_STATUS),
  );
  const silenceMs = adopterSilenceMs(feeds, programs);
  const faults = diagnose(server).filter(isFault);
  return {
    serverFaults: faults.filter(({ subject }) => subject !== 'definition'),
    channelFaults: faults.flatMap(({ subject, found, advice = '' }) =>
      subject === 'definition' ? [{ found, advice }] : [],
    ),
    feeds,
    bots: bots.flatMap((value) => botFact(value, programs, silenceMs) ?? invalid(value, CHANNELS.BOT_STATUS)),
    instruments: instruments.flatMap(({ envelope }) => instrumentStatus.safeParse(envelope.data).data ?? []),
    programs,
    unreadable,
  };
}

/** The permissions of the user of this command do not count: they are no fault of the bus. */
function isFault({ subject, level }: DoctorFinding): boolean {
  return level === 'fail' && subject !== 'permissions';
}

/** undefined for an invalid status. */
function feedFact(
  { envelope, ageMs }: StoredValue,
  channels: readonly ChannelStats[] | undefined,
): FeedFact | undefined {
  const { data: status } = feedStatus.safeParse(envelope.data);
  if (status === undefined) return undefined;
  const name = status.channel ?? CHANNELS.PRICE_DATA.name;
  const stats = channels?.find(({ channel }) => channel === name);
  return { status, ageMs, heldLease: stats === undefined ? 'unknown' : stats.lease?.token };
}

/** undefined for an invalid status. */
function botFact(
  { envelope, ageMs }: StoredValue,
  programs: readonly Presence[] | undefined,
  silenceMs: number | undefined,
): BotFact | undefined {
  const { data: status } = botStatus.safeParse(envelope.data);
  if (status === undefined) return undefined;
  const isPlain = envelope.adopted === true;
  const judgedMs = judgedAgeMs(isPlain, ageMs, silenceMs);
  return {
    ...status,
    ageMs,
    isOverdue: isOverdue(status, judgedMs ?? 0),
    isUnjudged: judgedMs === undefined && isOverdue(status, ageMs),
    isGone: isGone(status, isPlain, programs),
  };
}
