// Real processes on a real Redis, with the default lease: one pair of gateways and one bot through everything that can
// happen to them. Every test finds an active gateway and a standby, and leaves them.

import { setTimeout as sleep } from 'node:timers/promises';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { SILENT } from '../gateway.fixture.ts';
import type { BotProcess, GatewayProcess } from './child-processes.fixture.ts';
import { GatewayTestbed } from './gateway-testbed.fixture.ts';

// Processes take a while to start on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const LEASE_MS = 3_000;
/** The bot's bound for a price. */
const MAX_AGE_MS = 1_000;

let stage: GatewayTestbed;
let bot: BotProcess;
let gateways: GatewayProcess[];
/** Where the bot's lines of the running test begin. */
let from: number;

beforeAll(async () => {
  stage = await GatewayTestbed.start();
  gateways = [stage.spawnGateway(), stage.spawnGateway()];
  bot = stage.spawnBot('AAPL', MAX_AGE_MS);
  await Promise.all(gateways.map((gateway) => gateway.waitForRole('standby')));
  await bot.nextLine('accepts');
});

afterAll(() => stage?.[Symbol.asyncDispose]());

beforeEach(({ onTestFailed }) => {
  from = bot.lines.all.length;
  onTestFailed(() => {
    for (const { pid, lines } of gateways)
      console.log(`Gateway ${pid}:\n${lines.all.map((line) => JSON.stringify(line)).join('\n')}`);
    console.log(
      `Bot:\n${bot.lines.all
        .slice(from)
        .map((line) => JSON.stringify(line))
        .join('\n')}`,
    );
  });
});

function inRole(role: string): GatewayProcess {
  const found = gateways.find((gateway) => gateway.role === role);
  if (found === undefined) throw new Error(`No gateway is ${role}: ${gateways.map((one) => one.role)}.`);
  return found;
}

/** In its tight loop the bot accepted nothing that was older than its bound. */
function expectNothingStale(): void {
  for (const { oldestAcceptedMs } of bot.linesOf('refuses', from))
    expect(oldestAcceptedMs).toBeLessThanOrEqual(MAX_AGE_MS);
}

// Again, because on a machine where a process is not run for seconds a lease is lost without any clock being moved.
it('the system clock moved by an hour, there and back: no effect', { retry: 2 }, async () => {
  from = bot.lines.all.length;
  const [published, { accepted }] = [stage.prices.all.length, stage.broker.stats];
  const { epoch } = await stage.nextPrice();
  for (const _direction of ['ahead', 'back']) {
    for (const { child } of [...gateways, bot]) child.kill('SIGWINCH');
    const { live_for_ms: before = 0 } = await stage.nextStatus('live');
    await stage.statuses.until(({ live_for_ms: now = 0 }) => now > before + LEASE_MS / 2);
  }
  const { last_frame_at: told = 0 } = await stage.nextStatus('live');
  expect(Math.abs(told - Date.now())).toBeGreaterThan(3_000_000);
  expect(new Set(stage.prices.all.slice(published).map((price) => price.epoch))).toEqual(new Set([epoch]));
  expect(gateways.map(({ role }) => role).sort()).toEqual(['active', 'standby']);
  expect(bot.linesOf('gap', from)).toEqual([]);
  expect(bot.linesOf('refuses', from).filter(({ verdict }) => verdict !== 'quiet_market')).toEqual([]);
  expect(stage.broker.stats).toMatchObject({ maxConcurrent: 1, accepted, refused: 0 });
});

it('kill -9: the standby publishes within two leases, over one connection, and every bot knows', async () => {
  const [active, standby] = [inRole('active'), inRole('standby')];
  const { epoch: oldEpoch = 0 } = await stage.nextPrice();
  const { accepted } = stage.broker.stats;

  const killedAt = performance.now();
  await active.kill();
  await stage.prices.until(({ epoch = 0 }) => epoch > oldEpoch);
  const takeOverMs = performance.now() - killedAt;
  console.log(`Take-over after kill -9 with a lease of ${LEASE_MS} ms: ${takeOverMs.toFixed(0)} ms.`);
  expect(takeOverMs).toBeLessThan(2 * LEASE_MS);

  await bot.nextLine('verdict', from, ({ verdict }) => verdict === 'gateway_down');
  const down = bot.lines.all.length;
  await bot.nextLine('verdict', down, ({ verdict }) => verdict === 'fresh');
  await bot.nextLine('accepts', from);
  const numbers = stage.prices.all.filter(({ epoch }) => epoch === oldEpoch).map(({ seq = 0 }) => seq);
  const [gap, ...more] = bot.linesOf('gap', from);
  expect(gap).toMatchObject({ cause: 'epoch', epoch: oldEpoch, from: Math.max(...numbers) + 1 });
  expect(more).toEqual([]);
  expectNothingStale();
  expect(standby.role).toBe('active');
  expect(stage.broker.stats).toMatchObject({ maxConcurrent: 1, accepted: accepted + 1, refused: 0 });

  const successor = stage.spawnGateway();
  await successor.waitForRole('standby');
  gateways = [standby, successor];
});

it('SIGSTOP: nothing of the one that slept is accepted, and on waking it leaves the broker by itself', async () => {
  const [sleeper, standby] = [inRole('active'), inRole('standby')];
  const { epoch: oldEpoch = 0 } = await stage.nextPrice();
  const { lease: oldLease = 0 } = await stage.nextStatus('live');
  const lines = sleeper.lines.all.length;

  sleeper.signal('SIGSTOP');
  // The socket of the one that sleeps is still open, and the broker keeps counting it.
  const { detail } = await stage.statuses.until(
    ({ state, lease = 0 }) => state === 'down' && lease > oldLease,
  );
  expect(detail).toContain('406');
  await bot.nextLine('verdict', from, ({ verdict }) => verdict === 'feed_down');
  const [published, told] = [stage.prices.all.length, stage.statuses.all.length];
  sleeper.signal('SIGCONT');
  await sleeper.waitForRole('standby', lines);
  await stage.prices.until(({ epoch = 0 }) => epoch > oldEpoch);
  await bot.nextLine('accepts', from);

  expect(stage.prices.all.slice(published).filter(({ epoch }) => epoch === oldEpoch)).toEqual([]);
  expect(stage.statuses.all.slice(told).filter(({ lease }) => lease === oldLease)).toEqual([]);
  expectNothingStale();
  expect(standby.role).toBe('active');
  expect(stage.broker.stats).toMatchObject({ maxConcurrent: 1, connections: 1 });
});

it('a restart of Redis: one gateway after it, and one connection all along', async () => {
  const { lease: oldLease = 0 } = await stage.nextStatus('live');
  await stage.redis.kill();
  await bot.nextLine('refuses', from);
  await stage.redis.start();
  const { lease } = await stage.statuses.until(
    ({ state, lease = 0 }) => state === 'live' && lease > oldLease,
  );
  const since = stage.statuses.all.findIndex((status) => status.lease === lease);
  await bot.nextLine('accepts', from);
  // Time enough for the other one to become active as well.
  await stage.statuses.until(({ live_for_ms: liveForMs = 0 }) => liveForMs > LEASE_MS, since);

  expect(new Set(stage.statuses.all.slice(since).map((status) => status.lease))).toEqual(new Set([lease]));
  expect(gateways.map(({ role }) => role).sort()).toEqual(['active', 'standby']);
  expectNothingStale();
  expect(stage.broker.stats).toMatchObject({ maxConcurrent: 1, connections: 1 });
});

it('a rolling restart of both: no second connection, and no command is lost', async () => {
  const { accepted, refused } = stage.broker.stats;
  const [first, second] = [inRole('active'), inRole('standby')];
  await using desk = new RedisPublisher({ url: stage.redis.url, logger: SILENT });
  const sent: string[] = [];
  const restarted = new AbortController();
  const commanding = (async () => {
    while (!restarted.signal.aborted) {
      const order = { bot: 'bot', symbol: 'AAPL', side: 'buy', quantity: 1 } as const;
      const { id = '' } = await desk.publish(CHANNELS.TRADE_COMMANDS, order);
      sent.push(id);
      await sleep(10);
    }
  })();

  const told = stage.statuses.all.length;
  let lines = second.lines.all.length;
  first.signal('SIGTERM');
  expect(await first.exit).toEqual([0, null]);
  await second.waitForRole('active', lines);
  const third = stage.spawnGateway();
  await third.waitForRole('standby');
  lines = third.lines.all.length;
  second.signal('SIGTERM');
  expect(await second.exit).toEqual([0, null]);
  await third.waitForRole('active', lines);
  await stage.nextPrice();
  restarted.abort();
  await commanding;

  await bot.nextLine('command', from, ({ id }) => id === sent.at(-1));
  expect(bot.linesOf('command', from).map(({ id }) => id)).toEqual(sent);
  const states = stage.statuses.all.slice(told).map(({ state }) => state);
  expect(states.join()).toMatch(/stopping,stopped,connecting,.*live.*,stopping,stopped,connecting,.*live/);
  expectNothingStale();
  expect(stage.broker.stats).toMatchObject({ maxConcurrent: 1, accepted: accepted + 2, refused });
});
