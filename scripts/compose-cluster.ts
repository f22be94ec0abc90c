// The checks of the profile cluster: a replica takes over for the killed node of PRICE_DATA.

import { deepStrictEqual } from 'node:assert';
import { type Check, ComposeDesk } from './compose-desk.ts';
import type { ComposeStack } from './compose-stack.ts';

const NODES = [1, 2, 3, 4, 5, 6].map((number) => `redis-node-${number}`);

export async function checkCluster(stack: ComposeStack, check: Check): Promise<void> {
  const desk = new ComposeDesk(stack, {
    profile: 'cluster',
    gateways: ['cluster-gateway', 'cluster-gateway-standby'],
    monitor: 'cluster-monitor',
    subscriber: 'cluster-subscriber',
    others: ['redis', ...NODES, 'cluster-bots', 'simulated-broker'],
  });
  await check('the images of the profile cluster build', () => desk.compose('build'));
  await check('"--profile cluster up -d" starts six nodes and the services', () => desk.start());
  await check('every node sees three masters, three replicas and all slots served', () =>
    isComplete(stack, desk),
  );
  await check('on a cluster, one gateway is active and the other is standby', () => desk.gatewayRoles());
  await check("on a cluster, the test subscriber prints the gateway's prices", () => desk.receivesPrices());
  await check('on a cluster, the lamps of the monitor are green', () => desk.monitorIsGreen());
  await check('no service of the profile cluster was restarted', () => desk.wasNotRestarted());
  await check('every service of the profile cluster is hardened, without root and other ports', async () => {
    await desk.isHardened();
    await desk.runsWithoutRoot();
    await desk.hasNoOtherPorts();
  });
  let killed = '';
  await check('prices continue after the container of their node is killed', async () => {
    killed = await ownerOf(stack, desk, 'PRICE_DATA');
    const since = new Date().toISOString();
    await desk.compose('kill', killed);
    await desk.reportsNewEpoch(since);
    await desk.receivesPrices();
  });
  await check('the killed node returns as a replica, and "up" keeps the cluster', async () => {
    await desk.start();
    await isComplete(stack, desk);
    const [role] = await desk.redis(killed, 'role');
    deepStrictEqual(role, 'slave');
    deepStrictEqual((await stack.inspect('redis-cluster')).State.ExitCode, 0);
    await desk.gatewayRoles();
    await desk.receivesPrices();
  });
  await check('on a cluster, the lamps of the monitor are green again', () => desk.monitorIsGreen());
  await check('"--profile cluster down -v" leaves no container, network or volume', () => desk.isRemoved());
}

/** Resolves when every node sees three masters, three replicas, no failure, and all slots served. */
async function isComplete(stack: ComposeStack, desk: ComposeDesk): Promise<void> {
  for (const node of NODES)
    await stack.until(`${node} sees three masters and three replicas`, async () => {
      const roles = (await nodeLines(desk, node)).map(([, , flags = '']) => flags.replace('myself,', ''));
      const [state] = await desk.redis(node, 'cluster', 'info');
      const expected = 'master,master,master,slave,slave,slave';
      return (roles.sort().join() === expected && state === 'cluster_state:ok') || undefined;
    });
}

/** The service whose node serves a channel. */
async function ownerOf(stack: ComposeStack, desk: ComposeDesk, channel: string): Promise<string> {
  const [first = ''] = NODES;
  const [slot] = await desk.redis(first, 'cluster', 'keyslot', channel);
  const serves = (range: string) => {
    const [from, to = from] = range.split('-').map(Number);
    return from !== undefined && to !== undefined && from <= Number(slot) && Number(slot) <= to;
  };
  const line = (await nodeLines(desk, first)).find(([, , , , , , , , ...ranges]) => ranges.some(serves));
  const address = line?.[1]?.split(':')[0];
  for (const node of NODES) {
    const { NetworkSettings } = await stack.inspect(node);
    const addresses = Object.values(NetworkSettings.Networks).map(({ IPAddress }) => IPAddress);
    if (address !== undefined && addresses.includes(address)) return node;
  }
  throw new Error(`No service of the profile serves slot ${slot} of ${channel}.`);
}

/** CLUSTER NODES, in words: id, address, flags, master, ping, pong, epoch, link, ranges of slots. */
async function nodeLines(desk: ComposeDesk, node: string): Promise<string[][]> {
  return (await desk.redis(node, 'cluster', 'nodes')).map((line) => line.split(' '));
}
