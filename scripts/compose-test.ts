// `npm run test:compose`: builds the image, runs docker-compose.yml and removes everything. Needs a Docker engine and
// some minutes. It uses a separate project, images and ports, so that it does not disturb other stacks.

import { deepStrictEqual } from 'node:assert';
import { once } from 'node:events';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { checkCluster } from './compose-cluster.ts';
import { ComposeDesk } from './compose-desk.ts';
import { checkSentinel } from './compose-sentinel.ts';
import { ComposeStack } from './compose-stack.ts';

const PROJECT = 'tickbus-compose-test';
const DEMO = ['--profile', 'demo'];
const TEST = ['--profile', 'test'];
/** All services, for commands on whatever is left of earlier checks. */
const ALL = ['test', 'demo', 'sentinel', 'cluster'].flatMap((profile) => ['--profile', profile]);

const env = { REDIS_PORT: '0', MONITOR_PORT: '0' };
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

const stack = await open(interrupted.signal);
// An interrupt aborts the test, but not the clean-up.
const cleaner = await open(new AbortController().signal);
const desk = new ComposeDesk(stack, {
  profile: 'demo',
  gateways: ['price-gateway', 'price-gateway-standby'],
  monitor: 'monitor',
  subscriber: 'test-subscriber',
  others: ['bar-builder', 'bar-builder-standby', 'redis', 'sample-bots', 'simulated-broker'],
});
let passed = 0;
let failed = 0;

await removeEverything();
try {
  // Each check depends on the previous ones, so the first failure ends the test.
  await startsFromScratch();
  await delivers();
  await failsOver();
  await isHardened();
  await stopsAndRestarts();
  await checkSentinel(stack, check);
  await checkCluster(stack, check);
} catch (error) {
  failed++;
  console.log(`FAILED  ${error instanceof Error ? error.message : String(error)}`);
  console.log(await cleaner.compose(...ALL, 'logs', '--no-color', '--tail', '20').catch(String));
}
await removeEverything();
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function startsFromScratch(): Promise<void> {
  await check('the image builds', () => stack.compose(...TEST, ...DEMO, 'build'));
  await check('"up -d redis" starts only Redis, and it becomes healthy', async () => {
    await stack.compose('up', '-d', 'redis');
    await stack.healthy('redis');
    deepStrictEqual(await stack.running(), ['redis']);
  });
  await check('Redis listens on 127.0.0.1 and on no other address of this machine', async () => {
    const [binding, ...more] = await stack.bindings('redis');
    deepStrictEqual([binding?.HostIp, more], ['127.0.0.1', []]);
    const port = Number(binding?.HostPort);
    deepStrictEqual(await ping('127.0.0.1', port), '+PONG\r\n');
    for (const address of outsideAddresses()) deepStrictEqual(await ping(address, port), 'ECONNREFUSED');
  });
  await check(
    'Redis has no persistence, no eviction, and an output buffer of 256 MB per subscriber',
    async () => {
      deepStrictEqual((await redisSetting('save')) ?? '', '');
      deepStrictEqual(await redisSetting('appendonly'), 'no');
      deepStrictEqual(await redisSetting('maxmemory-policy'), 'noeviction');
      const buffers = await redisSetting('client-output-buffer-limit');
      deepStrictEqual(buffers?.split('pubsub ')[1], '268435456 67108864 60');
    },
  );
  await check(
    '"--profile test up -d": the test subscriber prints the messages of the test publisher',
    async () => {
      await stack.compose(...TEST, 'up', '-d', '--no-build');
      deepStrictEqual(await stack.running(), ['redis', 'test-publisher', 'test-subscriber']);
      await subscriberReceivesPublisher();
    },
  );
  await check('SIGTERM stops test-publisher in time, with exit code 0', () => expectStop('test-publisher'));
  await check('"--profile demo up -d" starts every service', () => desk.start());
}

async function delivers(): Promise<void> {
  await check('both gateways are healthy, one active and one standby', () => desk.gatewaysAreReady());
  await check("the test subscriber prints the gateway's prices", () => desk.receivesPrices());
  await check('both bar builders are healthy', async () => {
    for (const service of ['bar-builder', 'bar-builder-standby']) await stack.healthy(service);
  });
  await check('every bot reports its status', () =>
    stack.until('momentum, paper-trader and risk-guard are on BOT_STATUS', async () => {
      const bots = await redis('hkeys', 'tickbus:{BOT_STATUS}:last');
      return bots.sort().join() === 'momentum,paper-trader,risk-guard' || undefined;
    }),
  );
  await check('the monitor listens only on 127.0.0.1, and its lamps are green', () => desk.monitorIsGreen());
  await check('no service was restarted', () => desk.wasNotRestarted());
  await check('prices continue after a restart of Redis', async () => {
    await stack.compose('restart', 'redis');
    await desk.receivesPrices();
  });
}

async function failsOver(): Promise<void> {
  await check('the standby takes over when the active gateway is killed', async () => {
    const [active, standby] = await desk.gatewayRoles();
    const since = now();
    await stack.compose(...DEMO, 'kill', active);
    await stack.logged(standby, /"The gateway is active\."/, since);
    await desk.receivesPrices();
  });
  await check('the killed gateway restarts as the standby', async () => {
    await desk.start();
    await desk.gatewaysAreReady();
  });
}

async function isHardened(): Promise<void> {
  await check('no service has capabilities, a writable file system, or unlimited memory or processes', () =>
    desk.isHardened(),
  );
  await check('no process runs as root', () => desk.runsWithoutRoot());
  await check('no other service has a port on this machine', () => desk.hasNoOtherPorts());
}

async function stopsAndRestarts(): Promise<void> {
  const redisLast = desk.services.toSorted((a, b) => Number(a === 'redis') - Number(b === 'redis'));
  for (const service of redisLast)
    await check(`SIGTERM stops ${service} in time, with exit code 0`, () => expectStop(service));
  await check('a second "up" works', async () => {
    await desk.start();
    await desk.receivesPrices();
  });
  await check('"down -v" leaves no container, network or volume', () => desk.isRemoved(...TEST));
}

async function check(what: string, action: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  try {
    await action();
  } catch (error) {
    throw new Error(`${what}\n${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  passed++;
  console.log(`ok      ${what} (${((performance.now() - start) / 1_000).toFixed(1)} s)`);
}

async function expectStop(service: string): Promise<void> {
  await stack.compose(...TEST, ...DEMO, 'stop', service);
  const { State } = await stack.inspect(service);
  // After the grace period Docker kills the container, with exit code 137.
  deepStrictEqual([State.Status, State.ExitCode], ['exited', 0]);
}

/** Checks that successive prices of the test publisher arrive. */
async function subscriberReceivesPublisher(): Promise<void> {
  const since = now();
  const [, first] = await stack.logged(
    'test-publisher',
    /^Published price: (\d+) .* [1-9]\d* receivers/m,
    since,
  );
  for (const more of [0, 1, 2]) {
    const price = 50_000 + ((Number(first) + more) % 100);
    const line = new RegExp(`^Received price: ${price} for AAPL from test-publisher`, 'm');
    await stack.logged('test-subscriber', line, since);
  }
}

async function redisSetting(name: string): Promise<string | undefined> {
  const [, value] = await redis('config', 'get', name);
  return value;
}

/** @returns the lines printed by redis-cli */
function redis(...command: string[]): Promise<string[]> {
  return desk.redis('redis', ...command);
}

/** @returns the reply of Redis, or the error code */
async function ping(host: string, port: number): Promise<string> {
  const socket = connect({ host, port, timeout: 5_000 }).on('timeout', () => socket.destroy());
  try {
    await once(socket, 'connect');
    socket.write('PING\r\n');
    const [answer] = await once(socket, 'data');
    return String(answer);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    socket.destroy();
  }
}

function outsideAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address);
}

function now(): string {
  return new Date().toISOString();
}

async function open(signal: AbortSignal): Promise<ComposeStack> {
  try {
    return await ComposeStack.open(PROJECT, env, signal);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
}

async function removeEverything(): Promise<void> {
  await cleaner.compose(...ALL, 'down', '-v', '--rmi', 'local');
}
