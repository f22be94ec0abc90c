// Limits of the dashboard's rows: made-up names do not displace real ones, the page learns which rows are dropped, and
// memory is limited.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CHANNELS } from 'tickbus/constants';
import { describe, expect, it } from 'vitest';
import { Dashboard } from './dashboard-state.fixture.ts';

const MAX_BOTS = 1_000;
const MAX_SYMBOLS = 5_000;

function repeat(count: number, action: (index: number) => void): void {
  for (let index = 0; index < count; index++) action(index);
}

describe('bots', () => {
  it('1,000 fake ones do not hide a real one that comes later; the page learns how many were dropped', () => {
    const dashboard = new Dashboard();
    repeat(MAX_BOTS, (index) => dashboard.bot(`fake-${index}`));
    dashboard.state.takeDelta();
    dashboard.bot('momentum');
    expect(dashboard.bots).toContain('momentum');
    const { bots } = dashboard.state.snapshot().dropped;
    expect(bots).toBeGreaterThan(0);
    expect(dashboard.bots).toHaveLength(MAX_BOTS + 1 - bots);
    expect(dashboard.state.takeDelta().removed?.bots).toHaveLength(bots);
  });

  it('a flood of new names does not displace one that reports every 5 s', () => {
    const dashboard = new Dashboard();
    repeat(60, (second) => {
      if (second % 5 === 0) dashboard.bot('momentum');
      dashboard.second();
    });
    repeat(10, (second) => {
      repeat(2_000, (index) => dashboard.bot(`fake-${second}-${index}`));
      if (second % 5 === 0) dashboard.bot('momentum');
      dashboard.second();
      expect(dashboard.bots).toContain('momentum');
    });
    expect(dashboard.bots.length).toBeLessThanOrEqual(MAX_BOTS);
  });

  it('fakes that reported for long and fell silent do not keep a new bot out', () => {
    const dashboard = new Dashboard();
    repeat(20, () => {
      repeat(MAX_BOTS, (index) => dashboard.bot(`fake-${index}`));
      dashboard.now += 1_000;
    });
    dashboard.bot('momentum');
    expect(dashboard.bots).toContain('momentum');
  });

  it('commands for 1,000 unknown bots do not hide the last command of a real one', () => {
    const dashboard = new Dashboard();
    dashboard.bot('momentum');
    repeat(MAX_BOTS, (index) => dashboard.record(CHANNELS.TRADE_COMMANDS, { bot: `fake-${index}` }));
    dashboard.record(CHANNELS.TRADE_COMMANDS, { bot: 'momentum' }, { message_type: 'pause' });
    dashboard.bot('momentum');
    expect(dashboard.state.snapshot().bots[0]?.lastCommand?.text).toBe('pause');
  });
});

describe('instruments', () => {
  it('5,000 fake ones do not hide a real one that comes later; the page learns how many were dropped', () => {
    const dashboard = new Dashboard();
    repeat(MAX_SYMBOLS, (index) => dashboard.price(`FAKE-${index}`));
    dashboard.second();
    dashboard.state.takeDelta();
    dashboard.price('AAPL');
    dashboard.second();
    expect(dashboard.symbols).toContain('AAPL');
    const { prices } = dashboard.state.snapshot().dropped;
    expect(prices).toBeGreaterThan(0);
    const { removed, prices: changed } = dashboard.state.takeDelta();
    expect(removed?.prices).toHaveLength(prices);
    expect(changed?.map(({ symbol }) => symbol)).toContain('AAPL');
  });

  it('a flood of new names does not displace a quiet one', () => {
    const dashboard = new Dashboard();
    repeat(60, (second) => {
      if (second % 20 === 0) dashboard.price('QUIET');
      dashboard.second();
    });
    repeat(3, (second) => {
      repeat(10_000, (index) => dashboard.price(`FAKE-${second}-${index}`));
      dashboard.second();
    });
    expect(dashboard.symbols).toContain('QUIET');
    expect(dashboard.symbols.length).toBeLessThanOrEqual(MAX_SYMBOLS);
  });

  it('a dropped one comes back with its next price', () => {
    const dashboard = new Dashboard();
    dashboard.price('AAPL');
    dashboard.second();
    repeat(2 * MAX_SYMBOLS, (index) => dashboard.price(`FAKE-${index}`));
    dashboard.second();
    expect(dashboard.symbols).not.toContain('AAPL');
    expect(dashboard.state.takeDelta().removed?.prices).toContain('AAPL');
    dashboard.price('AAPL');
    dashboard.second();
    expect(dashboard.symbols).toContain('AAPL');
  });
});

it('200 fake feeds do not hide the gateway', () => {
  const dashboard = new Dashboard();
  dashboard.state.onStatus({ type: 'connected', generation: 1 } as never, dashboard.now);
  repeat(200, (index) => dashboard.feed({ feed: `fake-${index}`, channel: `FAKE-${index}` }));
  dashboard.heldLease = 1;
  dashboard.feed({ holder: 'gateway-1', lease: 1 });
  dashboard.second();
  expect(dashboard.state.snapshot().lamps.broker).toMatchObject({ state: 'ok', text: 'connected' });
});

it('a flood of events of one kind drops its own, and the page learns how many', () => {
  const dashboard = new Dashboard();
  dashboard.state.onStatus({ type: 'stale' } as never, dashboard.now);
  dashboard.state.takeDelta();
  repeat(3_000, (index) => dashboard.bot(`fake-${index}`));
  const { events, dropped } = dashboard.state.snapshot();
  expect(events).toHaveLength(500);
  expect(events[0]).toMatchObject({ kind: 'link', text: 'Redis does not respond.' });
  expect(dropped.events).toBe(3_001 - 500);
  // The page has never received the dropped events, so it need not remove them.
  expect(dashboard.state.takeDelta().removed?.events).toBeUndefined();
});

it('drops the oldest of more than 500 commands, and the page learns how many', () => {
  const dashboard = new Dashboard();
  repeat(500, (index) => dashboard.record(CHANNELS.TRADE_COMMANDS, { bot: 'a' }, { id: `id-${index}` }));
  dashboard.state.takeDelta();
  repeat(20, (index) => dashboard.record(CHANNELS.TRADE_COMMANDS, { bot: 'a' }, { id: `late-${index}` }));
  const { commands, dropped } = dashboard.state.snapshot();
  expect([commands.length, dropped.commands]).toEqual([500, 20]);
  expect(dashboard.state.takeDelta().removed?.commands).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
});

describe('memory', () => {
  /** A substring, as a decoder can return it: a row that keeps it also keeps the whole text in memory. */
  function large(index: number): string {
    return Buffer.alloc(20_000, `${index} x`).toString('latin1').slice(0, 19_000);
  }

  it('is limited with 5,000 symbols, 1,000 bots, 500 commands and 500 events of the longest strings', () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const reason = large(0);
    const detail = '\u202e'.repeat(1_000);
    const dashboard = new Dashboard(() => ({
      verdict: 'feed_down',
      reason,
      changedAgoMs: 0,
      instrument: { state: 'refused', detail, feed: 'f' },
    }));
    gc();
    const before = process.memoryUsage().heapUsed;
    repeat(1_000, (index) => {
      dashboard.bot(large(index), { detail: large(index), subscriptions: Array(100).fill(large(index)) });
      dashboard.record(
        CHANNELS.TRADE_COMMANDS,
        { bot: large(index), text: large(index) },
        { sender: large(index), id: large(index), message_type: large(index) },
      );
    });
    repeat(MAX_SYMBOLS, (index) => dashboard.price(large(index).slice(0, 64), { venue: large(index) }));
    repeat(60, () => dashboard.second());
    const bytes = Buffer.byteLength(JSON.stringify(dashboard.state.snapshot()));
    gc();
    const heap = process.memoryUsage().heapUsed - before;
    console.info(`snapshot ${(bytes / 1e6).toFixed(1)} MB, heap ${(heap / 1e6).toFixed(1)} MB`);
    expect(bytes).toBeLessThan(16_000_000);
    expect(heap).toBeLessThan(100_000_000);
    expect(dashboard.symbols).toHaveLength(MAX_SYMBOLS);
  }, 120_000);
});

it('escapes control characters and text direction in every row', () => {
  const dashboard = new Dashboard();
  const odd = 'AA\u202ePL\u001b[31m\u0007';
  dashboard.price(odd, { venue: odd });
  dashboard.bot(odd, { detail: odd, subscriptions: [odd], position: { [odd]: 1 } });
  dashboard.feed({ feed: odd, detail: odd, holder: odd });
  dashboard.record(
    CHANNELS.TRADE_COMMANDS,
    { bot: odd, [odd]: odd },
    { sender: odd, id: odd, message_type: odd },
  );
  dashboard.record(CHANNELS.COMMAND_RESULTS, { command_id: odd, bot: 'x', detail: odd, outcome: 'done' });
  dashboard.record(CHANNELS.AUDIT, { actor: odd, action: 'publish', outcome: 'sent', detail: odd });
  dashboard.second();
  const snapshot = dashboard.state.snapshot();
  const raw: string[] = [];
  JSON.parse(JSON.stringify(snapshot), (key, value) => {
    if (/[\u202e\p{Cc}]/u.test(`${key}${typeof value === 'string' ? value : ''}`))
      raw.push(`${key}: ${value}`);
    return value;
  });
  expect(raw).toEqual([]);
  expect(snapshot.prices[0]?.symbol).toBe('AA\\u202ePL\\u001b[31m\\u0007');
  expect(snapshot.commands[0]).toMatchObject({ state: 'done', bot: snapshot.bots[0]?.bot });
  // The page asks for details by the symbol that it shows.
  expect(dashboard.state.instrument(snapshot.prices[0]?.symbol ?? '')?.candles).toHaveLength(1);
});
