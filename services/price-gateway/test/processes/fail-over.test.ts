// Failover of real processes on a real Redis, with the default lease: two gateways and one bot. Every test starts and
// ends with one active gateway and one on standby.

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
/** The bot's maximum age of a price. */
const MAX_AGE_MS = 1_000;

let testbed: GatewayTestbed;
let bot: BotProcess;
let gateways: GatewayProcess[];
/** The index of the bot's first line in the running test. */
let from: number;

beforeAll(async () => {
  testbed = await GatewayTestbed.start();
  gateways = [testbed.spawnGateway(), testbed.spawnGateway()];
  bot = testbed.spawnBot('AAPL', MAX_AGE_MS);
  await Promise.all(gateways.map((gateway) => gateway.waitForRole('standby')));
  await bot.nextLine('accepts');
});

afterAll(() => testbed?.[Symbol.asyncDispose]());

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

/** The bot's loop accepted no price older than its maximum age. */
function expectNothingStale(): void {
  for (const { oldestAcceptedMs } of bot.linesOf('refuses', from))
    expect(oldestAcceptedMs).toBeLessThanOrEqual(MAX_AGE_MS);
}

// Retried, because on an overloaded machine a lease can expire without any clock change.
it('the system clock jumps an hour ahead and back: no effect', { retry: 2 }, async () => {
  from = bot.lines.all.length;
  const [published, { accepted }] = [testbed.prices.all.length, testbed.broker.stats];
  const { epoch } = await testbed.nextPrice();
  for (const _direction of ['ahead', 'back']) {
    for (const { child } of [...gateways, bot]) child.kill('SIGWINCH');
    const { live_for_ms: before = 0 } = await testbed.nextStatus('live');
    await testbed.statuses.until(({ live_for_ms: now = 0 }) => now > before + LEASE_MS / 2);
  }
  const { last_frame_at: lastFrameAt = 0 } = await testbed.nextStatus('live');
  expect(Math.abs(lastFrameAt - Date.now())).toBeGreaterThan(3_000_000);
  expect(new Set(testbed.prices.all.slice(published).map((price) => price.epoch))).toEqual(new Set([epoch]));
  expect(gateways.map(({ role }) => role).sort()).toEqual(['active', 'standby']);
  expect(bot.linesOf('gap', from)).toEqual([]);
  expect(bot.linesOf('refuses', from).filter(({ verdict }) => verdict !== 'quiet_market')).toEqual([]);
  expect(testbed.broker.stats).toMatchObject({ maxConcurrent: 1, accepted, refused: 0 });
});

it('kill -9: the standby publishes within two leases, over one connection, and the bot is notified', async () => {
  const [active, standby] = [inRole('active'), inRole('standby')];
  const { epoch: oldEpoch = 0 } = await testbed.nextPrice();
  const { accepted } = testbed.broker.stats;

  const killedAt = performance.now();
  await active.kill();
  await testbed.prices.until(({ epoch = 0 }) => epoch > oldEpoch);
  const takeOverMs = performance.now() - killedAt;
  console.log(`Take-over after kill -9 with a lease of ${LEASE_MS} ms: ${takeOverMs.toFixed(0)} ms.`);
  expect(takeOverMs).toBeLessThan(2 * LEASE_MS);

  await bot.nextLine('verdict', from, ({ verdict }) => verdict === 'gateway_down');
  const down = bot.lines.all.length;
  await bot.nextLine('verdict', down, ({ verdict }) => verdict === 'fresh');
  await bot.nextLine('accepts', from);
  const numbers = testbed.prices.all.filter(({ epoch }) => epoch === oldEpoch).map(({ seq = 0 }) => seq);
  const [gap, ...more] = bot.linesOf('gap', from);
  expect(gap).toMatchObject({ cause: 'epoch', epoch: oldEpoch, from: Math.max(...numbers) + 1 });
  expect(more).toEqual([]);
  expectNothingStale();
  expect(standby.role).toBe('active');
  expect(testbed.broker.stats).toMatchObject({ maxConcurrent: 1, accepted: accepted + 1, refused: 0 });

  const successor = testbed.spawnGateway();
  await successor.waitForRole('standby');
  gateways = [standby, successor];
});

it('SIGSTOP: no output of the stopped gateway is accepted, and it disconnects from the broker on resume', async () => {
  const [sleeper, standby] = [inRole('active'), inRole('standby')];
  const { epoch: oldEpoch = 0 } = await testbed.nextPrice();
  const { lease: oldLease = 0 } = await testbed.nextStatus('live');
  const lines = sleeper.lines.all.length;

  sleeper.signal('SIGSTOP');
  // The socket of the stopped gateway is still open, and the broker counts it.
  const { detail } = await testbed.statuses.until(
    ({ state, lease = 0 }) => state === 'down' && lease > oldLease,
  );
  expect(detail).toContain('406');
  await bot.nextLine('verdict', from, ({ verdict }) => verdict === 'feed_down');
  const [published, firstStatus] = [testbed.prices.all.length, testbed.statuses.all.length];
  sleeper.signal('SIGCONT');
  await sleeper.waitForRole('standby', lines);
  await testbed.prices.until(({ epoch = 0 }) => epoch > oldEpoch);
  await bot.nextLine('accepts', from);

  expect(testbed.prices.all.slice(published).filter(({ epoch }) => epoch === oldEpoch)).toEqual([]);
  expect(testbed.statuses.all.slice(firstStatus).filter(({ lease }) => lease === oldLease)).toEqual([]);
  expectNothingStale();
  expect(standby.role).toBe('active');
  expect(testbed.broker.stats).toMatchObject({ maxConcurrent: 1, connections: 1 });
});

it('a restart of Redis: one active gateway afterwards, and never more than one connection', async () => {
  const { lease: oldLease = 0 } = await testbed.nextStatus('live');
  await testbed.redis.kill();
  await bot.nextLine('refuses', from);
  await testbed.redis.start();
  const { lease } = await testbed.statuses.until(
    ({ state, lease = 0 }) => state === 'live' && lease > oldLease,
  );
  const since = testbed.statuses.all.findIndex((status) => status.lease === lease);
  await bot.nextLine('accepts', from);
  // Long enough for the other gateway to become active as well.
  await testbed.statuses.until(({ live_for_ms: liveForMs = 0 }) => liveForMs > LEASE_MS, since);

  expect(new Set(testbed.statuses.all.slice(since).map((status) => status.lease))).toEqual(new Set([lease]));
  expect(gateways.map(({ role }) => role).sort()).toEqual(['active', 'standby']);
  expectNothingStale();
  expect(testbed.broker.stats).toMatchObject({ maxConcurrent: 1, connections: 1 });
});

it('a rolling restart of both: no second connection, and no lost command', async () => {
  const { accepted, refused } = testbed.broker.stats;
  const [first, second] = [inRole('active'), inRole('standby')];
  await using desk = new RedisPublisher({ url: testbed.redis.url, logger: SILENT });
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

  const firstStatus = testbed.statuses.all.length;
  let lines = second.lines.all.length;
  first.signal('SIGTERM');
  expect(await first.exit).toEqual([0, null]);
  await second.waitForRole('active', lines);
  const third = testbed.spawnGateway();
  await third.waitForRole('standby');
  lines = third.lines.all.length;
  second.signal('SIGTERM');
  expect(await second.exit).toEqual([0, null]);
  await third.waitForRole('active', lines);
  await testbed.nextPrice();
  restarted.abort();
  await commanding;

  await bot.nextLine('command', from, ({ id }) => id === sent.at(-1));
  expect(bot.linesOf('command', from).map(({ id }) => id)).toEqual(sent);
  const states = testbed.statuses.all.slice(firstStatus).map(({ state }) => state);
  expect(states.join()).toMatch(/stopping,stopped,connecting,.*live.*,stopping,stopped,connecting,.*live/);
  expectNothingStale();
  expect(testbed.broker.stats).toMatchObject({ maxConcurrent: 1, accepted: accepted + 2, refused });
});
