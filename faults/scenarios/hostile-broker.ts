// A hostile broker: it floods, stalls, and sends bombs and garbage to the gateway of a desk.

import { fileURLToPath } from 'node:url';
import { freePort } from '@tickbus/local-redis';
import { BROKER_ATTACKS, type BrokerAttack } from '../hostile/broker-attacks.ts';
import { checkDesk, MAX_BLOCKED_MS } from '../hostile/check-desk.ts';
import { Desk, START_MS, SYMBOL } from '../hostile/desk.ts';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { delay, eventually } from '../wait.ts';
import { WorkerProcess } from '../worker-process.ts';
import type { HostileBrokerSettings } from '../workers/hostile-broker-process.ts';

const SECRET = 'a-secret-that-nobody-may-log';
const LAST_PRICES = 'tickbus:{PRICE_DATA}:last';
const FEEDS = 'tickbus:{FEED_STATUS}:last';
/** Only the requested symbol may have a stored price. */
const MAX_LAST_PRICES = 1;
/** The gateway's own deadline is 10 s. The rest is a margin for a busy machine. */
const MAX_STOP_MS = 20_000;
const FRESH_AGAIN_MS = 90_000;

export const hostileBroker: Scenario = {
  name: '44-hostile-broker',
  group: 'hostile',
  expected:
    'A broker that floods, stalls or sends bombs exhausts no memory and costs no lease. Then prices are fresh.',
  shortened: '1 s per attack',
  async run(testbed) {
    const port = await freePort();
    await attackGateway(testbed, port, {
      FEED: 'alpaca',
      ALPACA_URL: `ws://127.0.0.1:${port}/v2/iex`,
      ALPACA_KEY: 'key',
      ALPACA_SECRET: SECRET,
    });
  },
};

export const hostileWebSocket: Scenario = {
  name: '45-hostile-websocket',
  group: 'hostile',
  expected: 'The same attacks on the websocket feed with a mapping, which is offered compression.',
  shortened: '1 s per attack',
  async run(testbed) {
    const port = await freePort();
    await attackGateway(testbed, port, {
      FEED: 'websocket',
      WEBSOCKET_URL: `ws://127.0.0.1:${port}/v2/iex`,
      WEBSOCKET_MAPPING: fileURLToPath(
        new URL('../../examples/simulated-broker-mapping.mjs', import.meta.url),
      ),
      WEBSOCKET_PING_MS: '1000',
      BROKER_KEY: 'key',
      BROKER_SECRET: SECRET,
    });
  },
};

async function attackGateway(
  testbed: Testbed,
  port: number,
  feed: Readonly<Record<string, string>>,
): Promise<void> {
  const settings: HostileBrokerSettings = { port, seed: testbed.random.int(0, 2 ** 30), symbol: SYMBOL };
  const broker = new WorkerProcess('hostile-broker-process', { ...settings });
  testbed.atEnd(() => broker.kill());
  await broker.receive('ready', START_MS);
  const desk = await Desk.open(testbed, { feed });
  desk.page.begin();
  for (const name of shuffled(testbed, Object.keys(BROKER_ATTACKS) as BrokerAttack[]))
    await attackOnce(desk, broker, name);
  await desk.commands.stop();
  await desk.page.stop();
  await checkDesk(desk, { alwaysFresh: false });
  await checkStored(desk);
  await stopDuring(desk, broker, 'stall');
}

/** Attacks, then lets the broker behave again, and waits for a fresh price. */
async function attackOnce(desk: Desk, broker: WorkerProcess, name: BrokerAttack): Promise<void> {
  const { testbed } = desk;
  desk.gateway.send({ type: 'reset-vitals' });
  await desk.gateway.receive('vitals');
  const before = await attacksOf(broker);
  broker.send({ type: 'attack', name });
  await eventually(`${name} begins`, async () => (await attacksOf(broker)) > before);
  await delay(testbed.scaled(3_000, 1_000));
  broker.send({ type: 'attack' });
  const attacks = (await attacksOf(broker)) - before;
  const since = performance.now();
  try {
    await desk.untilFresh(FRESH_AGAIN_MS);
  } catch {
    testbed.exceeded.push(`${name}: no fresh price for ${FRESH_AGAIN_MS} ms afterwards.`);
  }
  const freshMs = Math.round(performance.now() - since);
  const vitals = await desk.vitalsOf(desk.gateway).catch(() => undefined);
  if (vitals === undefined)
    return void testbed.exceeded.push(`${name}: the gateway is blocked for a minute.`);
  const { blockedMs, peakMb } = vitals;
  const cost = `gateway blocked ${blockedMs} ms, peak ${peakMb} MB, fresh again after ${freshMs} ms`;
  testbed.note(`${name}: sent ${attacks} times, ${cost}`);
  if (blockedMs > MAX_BLOCKED_MS) testbed.exceeded.push(`${name} blocked the gateway for ${blockedMs} ms.`);
}

async function attacksOf(broker: WorkerProcess): Promise<number> {
  broker.send({ type: 'report' });
  return (await broker.receive<{ readonly attacks: number }>('report')).attacks;
}

/** What the broker sends must neither fill Redis nor reveal the secret. */
async function checkStored(desk: Desk): Promise<void> {
  const { testbed, gateway } = desk;
  const prices = Number(await testbed.command('HLEN', LAST_PRICES));
  testbed.note(`last prices kept ${prices}`);
  if (prices > MAX_LAST_PRICES)
    testbed.exceeded.push(`Redis keeps ${prices} prices; only one was requested.`);
  const statuses = JSON.stringify(await testbed.command('HVALS', FEEDS));
  if (statuses.includes(SECRET)) testbed.exceeded.push('FEED_STATUS contains the secret of the feed.');
  if (gateway.output.includes(SECRET)) testbed.exceeded.push('The log of the gateway contains the secret.');
}

async function stopDuring(desk: Desk, broker: WorkerProcess, name: BrokerAttack): Promise<void> {
  broker.send({ type: 'attack', name });
  const since = performance.now();
  desk.gateway.kill('SIGTERM');
  const exited = desk.gateway.exited(2 * MAX_STOP_MS).then(() => performance.now());
  await desk.testbed.bounded('SIGTERM ends the gateway', MAX_STOP_MS, since, exited);
}

function shuffled<T>({ random }: Testbed, items: readonly T[]): T[] {
  const rest = [...items];
  return items.flatMap(() => rest.splice(random.int(0, rest.length - 1), 1));
}
