// The checks of the profile sentinel: a replica takes over for a killed master, twice.

import { deepStrictEqual } from 'node:assert';
import { type Check, ComposeDesk } from './compose-desk.ts';
import type { ComposeStack } from './compose-stack.ts';

const SERVERS = ['redis', 'redis-replica-1', 'redis-replica-2'];
const SENTINELS = ['sentinel-1', 'sentinel-2', 'sentinel-3'];

export async function checkSentinel(stack: ComposeStack, check: Check): Promise<void> {
  const desk = new ComposeDesk(stack, {
    profile: 'sentinel',
    gateways: ['sentinel-gateway', 'sentinel-gateway-standby'],
    monitor: 'sentinel-monitor',
    subscriber: 'sentinel-subscriber',
    others: [...SERVERS, ...SENTINELS, 'sentinel-bots', 'simulated-broker'],
  });
  await check('the images of the profile sentinel build', () => desk.compose('build'));
  await check('"--profile sentinel up -d" starts three servers, three sentinels and the services', () =>
    desk.start(),
  );
  await check('each sentinel knows the master redis, two replicas and the other sentinels', async () => {
    for (const sentinel of SENTINELS) await sentinelKnows(stack, desk, sentinel, 'redis');
  });
  await check('behind Sentinel, one gateway is active and the other is standby', () => desk.gatewayRoles());
  await check("behind Sentinel, the test subscriber prints the gateway's prices", () =>
    desk.receivesPrices(),
  );
  await check('behind Sentinel, the lamps of the monitor are green', () => desk.monitorIsGreen());
  await check('no service of the profile sentinel was restarted', () => desk.wasNotRestarted());
  await check('every service of the profile sentinel is hardened, without root and other ports', async () => {
    await desk.isHardened();
    await desk.runsWithoutRoot();
    await desk.hasNoOtherPorts();
  });
  let master = 'redis';
  for (const time of ['first', 'second']) {
    await check(`prices continue after the ${time} kill of the container of a master`, async () => {
      master = await failsOver(stack, desk, master);
    });
    await check(`the container that was killed ${time} returns as a replica`, async () => {
      await desk.start();
      for (const sentinel of SENTINELS) await sentinelKnows(stack, desk, sentinel, master);
      await desk.gatewayRoles();
      await desk.receivesPrices();
    });
  }
  await check('behind Sentinel, the lamps of the monitor are green again', () => desk.monitorIsGreen());
  await check('"--profile sentinel down -v" leaves no container, network or volume', () => desk.isRemoved());
}

/** Kills the master. Resolves with the next one, when the subscriber has reported the gap and prints its prices. */
async function failsOver(stack: ComposeStack, desk: ComposeDesk, killed: string): Promise<string> {
  const since = new Date().toISOString();
  await desk.compose('kill', killed);
  const master = await stack.until('the sentinels name another master', async () => {
    const named = await Promise.all(SENTINELS.map((sentinel) => masterOf(desk, sentinel)));
    const [first] = named;
    return named.every((name) => name === first) && first !== killed ? first : undefined;
  });
  deepStrictEqual(SERVERS.includes(master), true, `${master} is no server of the profile.`);
  await desk.reportsNewEpoch(since);
  await desk.receivesPrices();
  return master;
}

/** Resolves when the sentinel reports this master, two connected replicas, and two other sentinels. */
async function sentinelKnows(
  stack: ComposeStack,
  desk: ComposeDesk,
  sentinel: string,
  master: string,
): Promise<void> {
  await stack.until(`${sentinel} knows the master ${master} and two replicas`, async () => {
    const lines = await desk.redis(sentinel, '-p', '26379', 'sentinel', 'replicas', 'mymaster');
    const flags = lines.filter((_, index) => lines[index - 1] === 'flags');
    if (flags.join() !== 'slave,slave') return undefined;
    const others = await desk.redis(sentinel, '-p', '26379', 'sentinel', 'sentinels', 'mymaster');
    if (others.filter((line) => line === 'flags').length !== 2) return undefined;
    return (await masterOf(desk, sentinel)) === master || undefined;
  });
}

/** The name of the service that a sentinel reports as the master. */
async function masterOf(desk: ComposeDesk, sentinel: string): Promise<string> {
  const command = ['-p', '26379', 'sentinel', 'get-master-addr-by-name', 'mymaster'];
  const [name = ''] = await desk.redis(sentinel, ...command);
  return name;
}
