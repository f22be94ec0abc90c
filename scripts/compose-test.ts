// `npm run test:compose`: docker-compose.yml and the Dockerfile for real, from nothing to nothing. Needs a Docker engine and
// one or two minutes. Its project, images and port are its own, so that a stack that runs is not disturbed.

import { deepStrictEqual } from 'node:assert';
import { once } from 'node:events';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { ComposeStack } from './compose-stack.ts';

const PROJECT = 'tickbus-compose-test';
const DEMO = ['--profile', 'demo'];
const TEST = ['--profile', 'test'];
const GATEWAYS = ['price-gateway', 'price-gateway-standby'] as const;
/** Of the demonstration, in the order of the alphabet. */
const SERVICES = ['monitor', ...GATEWAYS, 'redis', 'sample-bots', 'simulated-broker', 'test-subscriber'];

/** Those with a port on this machine. */
const PUBLISHED = ['monitor', 'redis'];

const env = { REDIS_PORT: '0', MONITOR_PORT: '0' };
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

const stack = await open(interrupted.signal);
// What cleans up is not interrupted.
const cleaner = await open(new AbortController().signal);
let passed = 0;
let failed = 0;

await removeEverything();
try {
  // Each check needs the ones before it, so the first failure is the last.
  await startsFromNothing();
  await delivers();
  await failsOver();
  await isClosed();
  await endsAndStartsAgain();
} catch (error) {
  failed++;
  console.log(`FAILED  ${error instanceof Error ? error.message : String(error)}`);
  console.log(await cleaner.compose(...TEST, ...DEMO, 'logs', '--no-color', '--tail', '20').catch(String));
}
await removeEverything();
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function startsFromNothing(): Promise<void> {
  await check('the image builds', () => stack.compose(...TEST, ...DEMO, 'build'));
  await check('"up -d redis" starts Redis alone, and it becomes healthy', async () => {
    await stack.compose('up', '-d', 'redis');
    await stack.healthy('redis');
    deepStrictEqual(await stack.running(), ['redis']);
  });
  await check('Redis answers on 127.0.0.1 and on no other address of this machine', async () => {
    const [binding, ...more] = await stack.bindings('redis');
    deepStrictEqual([binding?.HostIp, more], ['127.0.0.1', []]);
    const port = Number(binding?.HostPort);
    deepStrictEqual(await ping('127.0.0.1', port), '+PONG\r\n');
    for (const address of outsideAddresses()) deepStrictEqual(await ping(address, port), 'ECONNREFUSED');
  });
  await check('Redis keeps nothing on disk, evicts nothing, and allows a subscriber 256 MB', async () => {
    deepStrictEqual((await redisSetting('save')) ?? '', '');
    deepStrictEqual(await redisSetting('appendonly'), 'no');
    deepStrictEqual(await redisSetting('maxmemory-policy'), 'noeviction');
    const buffers = await redisSetting('client-output-buffer-limit');
    deepStrictEqual(buffers?.split('pubsub ')[1], '268435456 67108864 60');
  });
  await check(
    '"--profile test up -d": the test subscriber prints what the test publisher sends',
    async () => {
      await stack.compose(...TEST, 'up', '-d', '--no-build');
      deepStrictEqual(await stack.running(), ['redis', 'test-publisher', 'test-subscriber']);
      await subscriberHearsPublisher();
    },
  );
  await check('SIGTERM ends test-publisher in time, with exit code 0', () => ends('test-publisher'));
  await check('"--profile demo up -d" starts every service', startAll);
}

async function delivers(): Promise<void> {
  await check('both gateways are healthy, one as the active one and one as the standby', async () => {
    for (const gateway of GATEWAYS) await stack.healthy(gateway);
    await inRoles();
  });
  await check("the test subscriber prints the gateway's prices", subscriberHearsGateway);
  await check('every bot tells its status', () =>
    stack.until('momentum, paper-trader and risk-guard are on BOT_STATUS', async () => {
      const bots = await redis('hkeys', 'tickbus:{BOT_STATUS}:last');
      return bots.sort().join() === 'momentum,paper-trader,risk-guard' || undefined;
    }),
  );
  await check('the monitor answers on 127.0.0.1 alone, and its lamps are green', monitorShines);
  await check('no service had to be started twice', async () => {
    for (const service of SERVICES) deepStrictEqual((await stack.inspect(service)).RestartCount, 0, service);
  });
  await check('after a restart of Redis the prices go on', async () => {
    await stack.compose('restart', 'redis');
    await subscriberHearsGateway();
  });
}

async function failsOver(): Promise<void> {
  await check('the standby takes over when the active gateway is killed', async () => {
    const [active, standby] = await inRoles();
    const since = now();
    await stack.compose(...DEMO, 'kill', active);
    await stack.logged(standby, /"The gateway is active\."/, since);
    await subscriberHearsGateway();
  });
  await check('the killed one is started again and stands by', async () => {
    await startAll();
    for (const gateway of GATEWAYS) await stack.healthy(gateway);
    await inRoles();
  });
}

async function monitorShines(): Promise<void> {
  const [binding, ...more] = await stack.bindings('monitor');
  deepStrictEqual([binding?.HostIp, more], ['127.0.0.1', []]);
  await stack.until('all three lamps are green', async () => {
    const response = await fetch(`http://127.0.0.1:${binding?.HostPort}/api/stream`);
    for await (const chunk of response.body ?? []) {
      const lamps = /"lamps":\{.*?\}\}/.exec(new TextDecoder().decode(chunk))?.[0] ?? '';
      return lamps.match(/"state":"ok"/g)?.length === 3 || undefined;
    }
    return undefined;
  });
}

async function isClosed(): Promise<void> {
  await check('no process is root', async () => {
    for (const service of SERVICES) {
      const { Id } = await stack.inspect(service);
      const [, ...processes] = (await stack.docker('top', Id, '-eo', 'pid,uid,args')).trim().split('\n');
      deepStrictEqual(processes.length > 0, true, `${service} has no process.`);
      for (const line of processes)
        if (/^\s*\d+\s+0\s/.test(line)) throw new Error(`${service} is root: ${line}`);
    }
  });
  await check('no other service has a port on this machine', async () => {
    for (const service of SERVICES)
      if (!PUBLISHED.includes(service)) deepStrictEqual(await stack.bindings(service), [], service);
  });
}

async function endsAndStartsAgain(): Promise<void> {
  const redisLast = SERVICES.toSorted((a, b) => Number(a === 'redis') - Number(b === 'redis'));
  for (const service of redisLast)
    await check(`SIGTERM ends ${service} in time, with exit code 0`, () => ends(service));
  await check('a second "up" works', async () => {
    await startAll();
    await subscriberHearsGateway();
  });
  await check('"down -v" leaves no container, network or volume', async () => {
    await stack.compose(...TEST, ...DEMO, 'down', '-v');
    deepStrictEqual(await stack.leftovers(), []);
  });
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

async function startAll(): Promise<void> {
  await stack.compose(...DEMO, 'up', '-d', '--no-build');
  deepStrictEqual(await stack.running(), SERVICES);
}

async function ends(service: string): Promise<void> {
  await stack.compose(...TEST, ...DEMO, 'stop', service);
  const { State } = await stack.inspect(service);
  // Past its grace period Docker kills it, which is exit code 137.
  deepStrictEqual([State.Status, State.ExitCode], ['exited', 0]);
}

async function subscriberHearsGateway(): Promise<void> {
  await stack.logged('test-subscriber', /^Received price: [\d.]+ for MSFT from price-gateway/m, now());
}

/** The active gateway first. */
async function inRoles(): Promise<[string, string]> {
  const [one, other] = GATEWAYS;
  return stack.until('one gateway is active and the other stands by', async () => {
    const roles = [await roleOf(one), await roleOf(other)].join();
    if (roles === 'active,standby') return [one, other];
    return roles === 'standby,active' ? [other, one] : undefined;
  });
}

/** What /readyz of a gateway says, asked inside its container. */
async function roleOf(gateway: string): Promise<string> {
  const ask = "fetch('http://127.0.0.1:9464/readyz').then((answer) => answer.text()).then(console.log)";
  const answer = await stack.compose(...DEMO, 'exec', '-T', gateway, 'node', '-e', ask);
  return (JSON.parse(answer) as { role: string }).role;
}

/** What is published from now on arrives, one price after the other. */
async function subscriberHearsPublisher(): Promise<void> {
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

/** The lines that redis-cli prints. */
async function redis(...command: string[]): Promise<string[]> {
  const answer = await stack.compose('exec', '-T', 'redis', 'redis-cli', ...command);
  return answer.trimEnd().split('\n');
}

/** What Redis answers, or the code of the error. */
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
  await cleaner.compose(...TEST, ...DEMO, 'down', '-v', '--rmi', 'local');
}
