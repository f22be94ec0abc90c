// The sentence about the whole bus: its order, what hides what, and untrusted text.

import type { FeedStatus, InstrumentStatus } from 'tickbus';
import { describe, expect, it } from 'vitest';
import { type BotFact, type BusFacts, busStatus, type FeedFact } from '../bus-status.ts';

const feed = (status: Partial<FeedStatus> = {}, more: Partial<FeedFact> = {}): FeedFact => ({
  status: { feed: 'alpaca', state: 'live', lease: 7, ...status },
  ageMs: 500,
  heldLease: 7,
  ...more,
});
const bot = (more: Partial<BotFact> = {}): BotFact => ({
  bot: 'momentum',
  state: 'running',
  ageMs: 500,
  isOverdue: false,
  isGone: false,
  ...more,
});
const instrument = (symbol: string, more: Partial<InstrumentStatus> = {}): InstrumentStatus => ({
  symbol,
  state: 'unknown',
  feed: 'alpaca',
  lease: 7,
  ...more,
});
const program = (subscribes: readonly string[], instance = 'mine', pid = 1) => ({
  name: 'momentum',
  instance,
  host: 'h',
  pid,
  subscribes,
  publishes: ['BOT_STATUS'],
});
const judge = (facts: Partial<BusFacts> = {}) =>
  busStatus({ feeds: [feed()], bots: [bot()], instruments: [], programs: [], ...facts });
const dead = bot({ isOverdue: true, ageMs: 40_000 });

it.each<[string, Partial<BusFacts>, string]>([
  ['a live desk', {}, 'All is well: alpaca is live, and 1 bot reports.'],
  [
    'paused and stopped bots',
    {
      bots: [
        bot({ state: 'paused' }),
        bot({ bot: 'b' }),
        bot({ bot: 'c', state: 'stopped', isOverdue: true }),
      ],
    },
    'All is well: alpaca is live, and 2 bots report (1 paused).',
  ],
  ['bots without prices', { feeds: [] }, 'All is well: 1 bot reports.'],
  [
    'bots without prices, and the monitor, which listens to all channels',
    { feeds: [], programs: [program(['AUDIT', 'BOT_STATUS', 'PRICE_DATA'], 'monitor', 2)] },
    'All is well: 1 bot reports.',
  ],
  [
    'a halted instrument',
    { instruments: [instrument('AAPL', { state: 'subscribed', market: 'halted' })] },
    'All is well: alpaca is live, and 1 bot reports.',
  ],
  [
    'a bot with two links, and another program that has its name and does not report as a bot',
    { programs: [program([]), program([], 'second link'), { ...program([], 'x', 2), publishes: [] }] },
    'All is well: alpaca is live, and 1 bot reports.',
  ],
  [
    'a stopped bot that is gone',
    { bots: [bot({ state: 'stopped', isGone: true })] },
    'All is well: alpaca is live, and no bot runs.',
  ],
  [
    'a lease that cannot be read',
    { feeds: [feed({}, { heldLease: 'unknown' })], bots: [] },
    'All is well: alpaca is live, and no bot runs.',
  ],
])('is well: %s', (_, facts, sentence) => {
  expect(judge(facts)).toMatchObject({ state: 'well', sentence, problems: [] });
});

it.each<[string, Partial<BusFacts>, string]>([
  [
    'no link to Redis',
    { redisFault: 'Connection refused.' },
    'Redis cannot be used, so nothing else is known: Connection refused.',
  ],
  [
    'an unfit server',
    { serverFaults: [{ found: 'memory is full' }] },
    'The Redis server is not fit: memory is full.',
  ],
  [
    'definitions that disagree',
    { channelFaults: [{ found: 'the channel FILLS is defined with another key', advice: 'Use one.' }] },
    'The channel FILLS is defined with another key.',
  ],
  [
    'a silent gateway',
    { feeds: [feed({ holder: 'gw-1' }, { ageMs: 3_001 })] },
    'The gateway of alpaca (gw-1) has not reported for 3 s.',
  ],
  [
    'a gateway with a longer interval',
    { feeds: [feed({ interval_ms: 100 }, { ageMs: 400_000 })] },
    'The gateway of alpaca has not reported for 7 min.',
  ],
  ['a stopped gateway', { feeds: [feed({ state: 'stopped' })] }, 'The gateway of alpaca has stopped.'],
  [
    'a gateway without its lease',
    { feeds: [feed({}, { heldLease: undefined })] },
    'The gateway of alpaca reports, but Redis does not confirm its lease.',
  ],
  [
    'a feed of a venue',
    { feeds: [feed({ state: 'down', channel: 'PRICE_DATA.kraken', detail: 'No route.' })] },
    'The feed alpaca on PRICE_DATA.kraken is down (No route).',
  ],
  [
    'a missing gateway',
    { feeds: [], programs: [program(['PRICE_DATA', 'TRADE_COMMANDS'])] },
    'No gateway feeds PRICE_DATA, which momentum reads.',
  ],
  [
    'a missing gateway, by the status of a bot',
    { bots: [bot({ subscriptions: ['PRICE_DATA.kraken: BTC/USD'] })] },
    'No gateway feeds PRICE_DATA.kraken, which momentum reads.',
  ],
  [
    'a bot in error',
    { bots: [bot({ state: 'error', detail: 'It broke.' })] },
    'The bot momentum reports an error (It broke).',
  ],
  ['a dead bot', { bots: [dead] }, 'The bot momentum is gone or hangs: it has not reported for 40 s.'],
  [
    'a bot that is there',
    { bots: [dead], programs: [program([])] },
    'The bot momentum is connected, but has not reported for 40 s.',
  ],
  [
    'a bot that is there, beside another instance of its name',
    { bots: [{ ...dead, instance: 'mine' }], programs: [program([], 'other'), program([])] },
    'The bot momentum is connected, but has not reported for 40 s.',
  ],
  [
    'a bot that is gone, while a successor of its name has not reported',
    { bots: [{ ...dead, instance: 'mine' }], programs: [program([], 'successor')] },
    'The bot momentum is gone or hangs: it has not reported for 40 s, and another program of its name is there, but has not reported.',
  ],
  [
    'a bot that presence knows as gone, before its status is late, whatever it reported last',
    { bots: [bot({ isGone: true, state: 'error', detail: 'It broke.' })] },
    'The bot momentum is gone: it crashed, hangs or lost its link.',
  ],
  [
    'a bot that is gone and reads prices without a gateway',
    { feeds: [], bots: [bot({ isGone: true, subscriptions: ['PRICE_DATA: AAPL'] })] },
    'The bot momentum is gone: it crashed, hangs or lost its link.',
  ],
  [
    'two copies of a bot',
    { programs: [program([]), program([], 'second link'), program([], 'copy', 2)] },
    '2 programs are named momentum, and each obeys its commands and trades.',
  ],
  ['a misspelt instrument', { instruments: [instrument('APPL')] }, 'The feed alpaca does not know APPL.'],
  [
    'refused instruments',
    {
      instruments: ['A', 'B', 'C', 'D', 'E'].map((symbol) =>
        instrument(symbol, { state: 'refused', detail: 'Limit.' }),
      ),
    },
    'The feed alpaca refuses A, B, C, and 2 more (Limit).',
  ],
])('is wrong: %s', (_, facts, sentence) => {
  const status = judge(facts);
  expect(status).toMatchObject({ state: 'wrong', sentence });
  expect(status.problems).toHaveLength(1);
  expect(status.problems[0]?.advice).toMatch(/^[A-Z].*\.$/);
});

describe('several problems', () => {
  it('come worst first, whatever the order of the facts', () => {
    const facts = {
      bots: [dead, bot({ bot: 'broken', state: 'error' })],
      feeds: [feed({ channel: 'PRICE_DATA.b', state: 'down' }), feed({ state: 'stopped' })],
      serverFaults: [{ found: 'its memory is full' }],
    };
    const { sentence, problems } = judge(facts);
    expect(problems.map(({ subject }) => subject)).toEqual(['server', 'gateway', 'feed', 'bot', 'bot']);
    expect(sentence).toBe(
      '5 things are wrong: the Redis server is not fit: its memory is full; the gateway of alpaca has stopped; ' +
        'the feed alpaca on PRICE_DATA.b is down; and 2 more.',
    );
  });

  it('a fault hides those behind it', () => {
    const instruments = [instrument('APPL')];
    expect(judge({ feeds: [feed({ state: 'down' })], instruments }).problems).toHaveLength(1);
    expect(judge({ redisFault: 'No.', bots: [dead], instruments }).problems).toHaveLength(1);
    // The status of an earlier gateway.
    expect(judge({ instruments: [instrument('APPL', { lease: 6 })] }).state).toBe('well');
  });
});

describe('cannot tell', () => {
  it('on a Redis where nobody has reported', () => {
    const { state, sentence } = judge({ feeds: [], bots: [] });
    expect([state, sentence]).toEqual([
      'unknown',
      'Cannot tell: no gateway and no bot has reported on this Redis.',
    ]);
  });

  it('about plain clients whose statuses nothing keeps, and a fault hides them', () => {
    const unjudged = bot({ isUnjudged: true, ageMs: 40_000, subscriptions: ['PRICE_DATA: AAPL'] });
    const found =
      'momentum cannot be judged: nothing keeps the statuses of plain clients (no gateway, no monitor)';
    expect(judge({ feeds: [], bots: [unjudged] })).toEqual({
      state: 'unknown',
      sentence: `Cannot tell: ${found}.`,
      problems: [],
      unreadable: [found],
    });
    expect(judge({ feeds: [feed({}, { ageMs: 40_000 })], bots: [unjudged] })).toMatchObject({
      sentence: 'The gateway of alpaca has not reported for 40 s.',
      unreadable: [found],
    });
  });

  it('if something cannot be read, unless something is wrong', () => {
    const unreadable = ['this user cannot read BOT_STATUS'];
    expect(judge({ bots: [], unreadable })).toMatchObject({
      state: 'unknown',
      sentence: 'Cannot tell: this user cannot read BOT_STATUS.',
      unreadable,
    });
    expect(judge({ bots: [dead], unreadable }).state).toBe('wrong');
    // The gateway may be there.
    const programs = [program(['PRICE_DATA'])];
    expect(judge({ feeds: [], programs, unreadable }).state).toBe('unknown');
  });
});

it('shows untrusted text in one line without control characters', () => {
  const hostile = bot({ bot: '\u202e\u001b[31mx', state: 'error', detail: 'All\nis well.' });
  expect(judge({ bots: [hostile] }).sentence).toBe(
    'The bot \\u202e\\u001b[31mx reports an error (All is well).',
  );
});
