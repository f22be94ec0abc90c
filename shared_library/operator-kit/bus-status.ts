// One sentence about the whole bus: what is wrong, worst first, or that all is well. Pure functions.

import type { BotStatus, FeedStatus, InstrumentStatus } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { type ProgramFact, programsOfBots } from './bot-programs.ts';
import { isSilent, NOT_KEPT } from './plain-clients.ts';
import { about, channelOf, clause, nameOf, shortList, shown, time } from './sentence-text.ts';

/** `unknown`: nothing wrong was found, but too little is known to say that all is well. */
export type BusState = 'well' | 'wrong' | 'unknown';

/** In the order of severity: a fault hides those behind it. */
export type ProblemSubject = 'redis' | 'server' | 'channel' | 'gateway' | 'feed' | 'bot' | 'instrument';

export interface Problem {
  readonly subject: ProblemSubject;
  /** A clause without its full stop. It begins with a name or a small letter. */
  readonly found: string;
  /** What to do: one sentence. */
  readonly advice: string;
}

export interface BusStatus {
  readonly state: BusState;
  /** One sentence, safe to print. */
  readonly sentence: string;
  /** Worst first. */
  readonly problems: readonly Problem[];
  /** What could not be read or judged, as clauses. */
  readonly unreadable: readonly string[];
}

export interface FeedFact {
  readonly status: FeedStatus;
  /** Milliseconds since the status was published, or since the link that carries it was restored. */
  readonly ageMs: number;
  /** The token of the lease of the feed's channel; undefined if nobody holds it, `unknown` if it cannot be read. */
  readonly heldLease: number | undefined | 'unknown';
}

export interface BotFact extends Pick<BotStatus, 'bot'> {
  readonly state: string;
  /** The instance that published the status. A successor of the same name has another one. */
  readonly instance?: string | undefined;
  readonly detail?: string | undefined;
  /** Descriptions such as `PRICE_DATA: AAPL`. */
  readonly subscriptions?: readonly string[] | undefined;
  /** Milliseconds since the bot's last status. */
  readonly ageMs: number;
  /** Whether it has missed too many of its status intervals. */
  readonly isOverdue: boolean;
  /** Whether its age says nothing: it is a plain client, and nothing keeps its statuses. Default false. */
  readonly isUnjudged?: boolean | undefined;
  /** Whether the instance of the status has ended, according to PRESENCE. */
  readonly isGone: boolean;
}

export interface BusFacts {
  /** Why Redis cannot be used, as a sentence; undefined if it can. Then nothing else is judged. */
  readonly redisFault?: string | undefined;
  /** Faults of the server: the findings of `tickbus doctor` with level `fail`. */
  readonly serverFaults?: readonly { readonly found: string; readonly advice?: string | undefined }[];
  /** Channels that programs define differently. */
  readonly channelFaults?: readonly Pick<Problem, 'found' | 'advice'>[];
  readonly feeds: readonly FeedFact[];
  readonly instruments: readonly InstrumentStatus[];
  readonly bots: readonly BotFact[];
  /** Undefined if presence is not known. */
  readonly programs: readonly ProgramFact[] | undefined;
  /** What could not be read, as clauses such as `this user cannot read FEED_STATUS`. */
  readonly unreadable?: readonly string[];
}

export function busStatus(facts: BusFacts): BusStatus {
  const unjudged = facts.bots.filter(({ isUnjudged }) => isUnjudged);
  const unreadable = [
    ...(facts.unreadable ?? []),
    ...unjudged.map(({ bot }) => `${shown(bot)} cannot be judged: ${NOT_KEPT}`),
  ];
  const problems = problemsOf(facts);
  if (problems.length > 0) return { state: 'wrong', sentence: wrongSentence(problems), problems, unreadable };
  const isEmpty = facts.feeds.length === 0 && facts.bots.length === 0;
  const unknown =
    unreadable.length === 0 && isEmpty
      ? ['no gateway and no bot has reported on this Redis']
      : unreadable.map(clause);
  if (unknown.length > 0)
    return { state: 'unknown', sentence: `Cannot tell: ${shortList(unknown, '; ')}.`, problems, unreadable };
  return { state: 'well', sentence: wellSentence(facts), problems, unreadable };
}

function problemsOf(facts: BusFacts): Problem[] {
  if (facts.redisFault !== undefined)
    return [
      {
        subject: 'redis',
        found: `Redis cannot be used, so nothing else is known: ${clause(facts.redisFault)}`,
        advice: 'Start Redis, or correct its address: see `tickbus config`.',
      },
    ];
  const server = (facts.serverFaults ?? []).map(
    ({ found, advice }): Problem => ({
      subject: 'server',
      found: `the Redis server is not fit: ${clause(found)}`,
      advice: advice ?? 'See `tickbus doctor`.',
    }),
  );
  const gateways = facts.feeds.map((feed) => [feed, gatewayProblem(feed)] as const);
  const running = gateways.filter(([, problem]) => problem === undefined).map(([feed]) => feed);
  const feeds = running.map((feed) => [feed, feedProblem(feed)] as const);
  const delivering = feeds.filter(([, problem]) => problem === undefined).map(([feed]) => feed);
  return [
    ...server,
    ...(facts.channelFaults ?? []).map(({ found, advice }) => ({
      subject: 'channel' as const,
      found,
      advice,
    })),
    ...missingGateways(facts),
    ...defined(gateways),
    ...defined(feeds),
    ...repeatedBots(facts),
    ...facts.bots.filter(({ state, isGone }) => state === 'error' && !isGone).map(botError),
    ...facts.bots
      .filter(({ state, isOverdue, isGone }) => isGone || (isOverdue && state !== 'error'))
      .filter(({ state }) => state !== 'stopped')
      .map((bot) => silentBot(bot, facts.programs)),
    ...instrumentProblems(facts.instruments, delivering),
  ];
}

/** Channels of prices that somebody reads, and that no gateway has ever reported on. */
function missingGateways({ feeds, bots, programs = [], unreadable = [] }: BusFacts): Problem[] {
  // Without the statuses, a gateway cannot be called missing.
  if (unreadable.length > 0) return [];
  const fed = new Set(feeds.map(({ status }) => channelOf(status)));
  const readers = new Map<string, Set<string>>();
  const note = (reader: string, subscription: string) => {
    const channel = subscription.split(/[:#\s]/, 1)[0] ?? '';
    if (!isPriceChannel(channel) || fed.has(channel)) return;
    readers.set(channel, (readers.get(channel) ?? new Set()).add(reader));
  };
  for (const { name, subscribes } of programs)
    if (!isObserver(subscribes)) for (const each of subscribes) note(name, each);
  for (const { bot, state, isOverdue, isUnjudged, isGone, subscriptions = [] } of bots)
    if (state !== 'stopped' && !isOverdue && !isUnjudged && !isGone)
      for (const each of subscriptions) note(bot, each);
  return [...readers].map(([channel, names]) => ({
    subject: 'gateway',
    found: `no gateway feeds ${shown(channel)}, which ${shortList([...names].map(shown))} ${names.size === 1 ? 'reads' : 'read'}`,
    advice: 'Start the gateway of this channel.',
  }));
}

/** A program that listens to all channels, such as the monitor, does not need each of them. */
function isObserver(subscribes: readonly string[]): boolean {
  return subscribes.includes(CHANNELS.AUDIT.name);
}

function gatewayProblem({ status, ageMs, heldLease }: FeedFact): Problem | undefined {
  const { state, lease, holder } = status;
  const gateway = `the gateway of ${nameOf(status)}${holder === undefined ? '' : ` (${shown(holder)})`}`;
  const problem = (found: string, advice: string): Problem => ({ subject: 'gateway', found, advice });
  if (state === 'stopped' || state === 'stopping')
    return problem(`${gateway} ${state === 'stopped' ? 'has stopped' : 'is stopping'}`, 'Start it.');
  if (isSilent({ status, ageMs }))
    return problem(
      `${gateway} has not reported for ${time(ageMs)}`,
      'See whether its process runs, and its log; then start it again.',
    );
  if (lease !== undefined && heldLease !== 'unknown' && lease !== heldLease)
    return problem(
      `${gateway} reports, but Redis does not confirm its lease`,
      'See the logs of the gateways of this channel: another one may be taking over.',
    );
  return undefined;
}

function feedProblem({ status }: FeedFact): Problem | undefined {
  const { state, detail } = status;
  if (state === 'live') return undefined;
  return {
    subject: 'feed',
    found: `the feed ${nameOf(status)} is ${state}${about(detail)}`,
    advice: 'See the log of its gateway, and the status page of the broker.',
  };
}

function botError({ bot, detail }: BotFact): Problem {
  const found = `the bot ${shown(bot)} reports an error${about(detail)}`;
  return { subject: 'bot', found, advice: 'See its log, and start it again.' };
}

/** Bots of which several copies run: each of them acts. */
function repeatedBots({ bots, programs }: BusFacts): Problem[] {
  const counts = programsOfBots(programs);
  return bots.flatMap(({ bot }) => {
    const count = counts.get(bot) ?? 0;
    if (count < 2) return [];
    const name = shown(bot);
    const found = `${count} programs are named ${name}, and each obeys its commands and trades`;
    const advice = `Stop all but one: \`tickbus who ${name}\` lists them. Set \`uniqueName: true\` in the bot.`;
    return [{ subject: 'bot', found, advice }];
  });
}

function silentBot({ bot, instance, ageMs, isGone }: BotFact, programs: BusFacts['programs'] = []): Problem {
  const subject = 'bot';
  const namesakes = programs.filter(({ name }) => name === bot);
  // A status without an instance does not tell which one published it.
  if (!isGone && namesakes.some((each) => instance === undefined || each.instance === instance))
    return {
      subject,
      found: `the bot ${shown(bot)} is connected, but has not reported for ${time(ageMs)}`,
      advice: 'A handler may block it: see its log.',
    };
  const found = isGone
    ? `the bot ${shown(bot)} is gone: it crashed, hangs or lost its link`
    : `the bot ${shown(bot)} is gone or hangs: it has not reported for ${time(ageMs)}`;
  if (namesakes.length === 0)
    return { subject, found, advice: 'See whether its process runs; then start it again.' };
  return {
    subject,
    found: `${found}, and another program of its name is there, but has not reported`,
    advice: `See the log of that program: \`tickbus who ${shown(bot)}\` has its host and process.`,
  };
}

/** One problem for each feed and state. */
function instrumentProblems(
  instruments: readonly InstrumentStatus[],
  delivering: readonly FeedFact[],
): Problem[] {
  const groups = new Map<string, InstrumentStatus[]>();
  for (const instrument of instruments) {
    const { state, lease } = instrument;
    if (state !== 'refused' && state !== 'unknown') continue;
    const feed = delivering.find(({ status }) => channelOf(status) === channelOf(instrument));
    // The status of an earlier lease is out of date until the present gateway replaces it.
    if (feed === undefined || (lease !== undefined && lease !== feed.status.lease)) continue;
    const key = `${state} ${channelOf(instrument)}`;
    groups.set(key, [...(groups.get(key) ?? []), instrument]);
  }
  return [...groups.values()].map(instrumentProblem);
}

function instrumentProblem(group: readonly InstrumentStatus[]): Problem {
  const [first] = group as [InstrumentStatus];
  const subject = 'instrument';
  const symbols = shortList(group.map(({ symbol }) => shown(symbol)));
  if (first.state === 'unknown')
    return {
      subject,
      found: `the feed ${nameOf(first)} does not know ${symbols}`,
      advice: 'Check the spelling where the bots subscribe.',
    };
  return {
    subject,
    found: `the feed ${nameOf(first)} refuses ${symbols}${about(first.detail)}`,
    advice: 'See the limits and permissions of the account with the broker.',
  };
}

function wrongSentence(problems: readonly Problem[]): string {
  const found = problems.map((problem) => problem.found);
  const [first = ''] = found;
  if (found.length === 1) return `${first.charAt(0).toUpperCase()}${first.slice(1)}.`;
  return `${found.length} things are wrong: ${shortList(found, '; ')}.`;
}

function wellSentence({ feeds, bots }: BusFacts): string {
  const running = bots.filter(({ state }) => state !== 'stopped');
  const paused = running.filter(({ state }) => state === 'paused').length;
  const live = shortList(feeds.map(({ status }) => nameOf(status)));
  const parts = [
    ...(feeds.length === 0 ? [] : [`${live} ${feeds.length === 1 ? 'is' : 'are'} live`]),
    running.length === 0
      ? 'no bot runs'
      : `${running.length} ${running.length === 1 ? 'bot reports' : 'bots report'}`,
  ];
  return `All is well: ${parts.join(', and ')}${paused === 0 ? '' : ` (${paused} paused)`}.`;
}

function defined(judged: readonly (readonly [FeedFact, Problem | undefined])[]): Problem[] {
  return judged.flatMap(([, problem]) => (problem === undefined ? [] : [problem]));
}

function isPriceChannel(name: string): boolean {
  return name === CHANNELS.PRICE_DATA.name || name.startsWith(`${CHANNELS.PRICE_DATA}.`);
}
