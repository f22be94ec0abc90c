// Two gateways, a bot and a broker behind Sentinel, as processes, while the master fails. The broker would accept two
// gateways: only their lease keeps one of them away.

import type { ProxiedLink } from '@tickbus/fault-kit/proxy';
import { type ProxiedServer, SentinelGroup } from '@tickbus/fault-kit/sentinel-group';
import { Random } from '@tickbus/test-kit/random';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import type { BotProcess, GatewayProcess } from './child-processes.fixture.ts';
import { GatewayTestbed } from './gateway-testbed.fixture.ts';

// Processes take a while to start on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const SEED = 1;
const DOWN_AFTER_MS = 1_000;
const LEASE_MS = 3_000;
/** As docs/sentinel.md promises: the failover, then at most two TTLs until a gateway holds the lease. */
const FRESH_AGAIN_MS = DOWN_AFTER_MS + 4_000 + 2 * LEASE_MS;
/** The bot's maximum age of a price. */
const MAX_AGE_MS = 1_000;
/** The verdicts that name a fault. */
const DOWN: ReadonlySet<string> = new Set(['link_down', 'gateway_down', 'feed_down']);

let group: SentinelGroup;
let testbed: GatewayTestbed;
let gateways: GatewayProcess[];
let bot: BotProcess;
/** The connections of the active gateway, and of nobody else. */
let links: Awaited<ReturnType<typeof clientLinks>>;

beforeEach(async ({ onTestFailed }) => {
  group = await SentinelGroup.start({ random: new Random(SEED), downAfterMs: DOWN_AFTER_MS });
  onTestFinished(() => group[Symbol.asyncDispose]());
  testbed = await GatewayTestbed.start({ maxConnections: 2 }, group.url);
  onTestFinished(() => testbed[Symbol.asyncDispose]());
  const others = await clientLinks();
  const active = testbed.spawnGateway();
  await active.waitForRole('active');
  const { toMaster, toSentinels } = await clientLinks();
  links = {
    toMaster: toMaster.filter((link) => !others.toMaster.includes(link)),
    toSentinels: toSentinels.filter((link) => !others.toSentinels.includes(link)),
  };
  const standby = testbed.spawnGateway();
  // Until then, a gateway that loses its connection ends.
  await standby.lines.until(({ msg }) => msg === 'The gateway has started.');
  gateways = [active, standby];
  bot = testbed.spawnBot('AAPL', MAX_AGE_MS);
  await bot.nextLine('accepts');
  onTestFailed(() => {
    for (const { pid, lines } of [...gateways, bot])
      console.log(`Process ${pid}:\n${lines.all.map((line) => JSON.stringify(line)).join('\n')}`);
  });
});

async function clientLinks(): Promise<{ toMaster: ProxiedLink[]; toSentinels: ProxiedLink[] }> {
  const linksTo = (server: ProxiedServer) => group.linksTo(server, ' name=tickbus:');
  const toSentinels = await Promise.all(group.sentinels.map(linksTo));
  return { toMaster: await linksTo(await group.master()), toSentinels: toSentinels.flat() };
}

it.each([
  ['is killed', async ({ server }: ProxiedServer) => server.kill()],
  ['hangs (SIGSTOP)', async ({ server }: ProxiedServer) => server.pause()],
  [
    'is cut off together with the active gateway',
    async (master: ProxiedServer) => {
      for (const { proxy } of group.sentinels) proxy.refuse();
      for (const link of links.toSentinels) link.inject({ type: 'blackhole' });
      group.isolate(master, links.toMaster);
    },
  ],
])(
  'if the master %s, the verdict turns and comes back in time, and the broker never has two gateways',
  async (_, fail) => {
    const { epoch: oldEpoch = 0 } = await testbed.nextPrice();
    const master = await group.master();
    // Verdicts are checked ten times a second: without this, it could be `link_down` from start to failure.
    await bot.nextLine('verdict', 0, ({ verdict }) => verdict === 'fresh');
    const from = bot.lines.all.length;
    const failedAt = performance.now();
    await fail(master);
    await bot.nextLine('verdict', from, ({ verdict }) => DOWN.has(verdict));
    await bot.nextLine('gap', from, ({ cause }) => cause === 'epoch');
    await testbed.prices.until(({ epoch = 0 }) => epoch > oldEpoch);
    const again = bot.lines.all.findLastIndex(({ type }) => type === 'gap');
    await bot.nextLine('verdict', again, ({ verdict }) => verdict === 'fresh');
    const tookMs = performance.now() - failedAt;
    expect(tookMs).toBeLessThan(FRESH_AGAIN_MS + (await group.electionDelayMs()));
    for (const { oldestAcceptedMs } of bot.linesOf('refuses', from))
      expect(oldestAcceptedMs).toBeLessThanOrEqual(MAX_AGE_MS);
    group.heal();
    master.server.resume();
    // Long enough for the other gateway to become active as well.
    await testbed.statuses.until(
      ({ live_for_ms: liveForMs = 0 }) => liveForMs > LEASE_MS,
      testbed.statuses.all.length,
    );
    expect(gateways.map(({ role }) => role).sort()).toEqual(['active', 'standby']);
    expect(testbed.broker.stats).toMatchObject({ maxConcurrent: 1, connections: 1 });
  },
);
