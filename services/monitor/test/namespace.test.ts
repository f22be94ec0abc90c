// A monitor in a namespace: shows that desk only, sends commands there, and names the namespace on the page.

import { silentLogger } from '@tickbus/test-kit';
import { defineBot } from 'tickbus/bot';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { MemoryConnection } from 'tickbus/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Monitor, startMonitor } from '../monitor-service.ts';
import type { Snapshot } from '../page-protocol.ts';
import { EventStreamReader, eventually } from './monitor.fixture.ts';
import { MonitorServer, postCommand, TOKEN } from './monitor-server.fixture.ts';

/** Its monitor has no namespace. */
let server: MonitorServer;
let paper: Monitor;
beforeAll(async () => {
  server = await MonitorServer.open();
  const { url } = server.redis;
  paper = await startMonitor({ url, namespace: 'paper', port: 0, token: TOKEN, logger: silentLogger });
});
afterAll(async () => {
  await paper.close();
  await server.close();
});

async function snapshotOf(monitor: Monitor): Promise<Snapshot> {
  const stream = await EventStreamReader.open(`${monitor.url}/api/stream`);
  const { data } = await stream.next();
  stream.close();
  return JSON.parse(data) as Snapshot;
}

it('shows the prices and bots of its desk only', async () => {
  const { url } = server.redis;
  await using publisher = new RedisPublisher({ url, namespace: 'paper', logger: silentLogger });
  for (const [from, desk] of [
    [publisher, 'PAPER'],
    [server.publisher, 'BARE'],
  ] as const) {
    await from.publish(CHANNELS.PRICE_DATA, { symbol: desk, price: 1, timestamp: 1 });
    await from.publish(CHANNELS.BOT_STATUS, { bot: desk, state: 'running' });
  }
  for (const [monitor, desk] of [
    [paper, 'PAPER'],
    [server.monitor, 'BARE'],
  ] as const)
    await eventually(async () => {
      const { prices, bots } = await snapshotOf(monitor);
      expect(prices?.map(({ symbol }) => symbol)).toEqual([desk]);
      expect(bots?.map(({ bot }) => bot)).toEqual([desk]);
    });
  const host = new URL(url).host;
  expect((await snapshotOf(paper)).about.redis).toBe(`${host}, namespace paper`);
  expect((await snapshotOf(server.monitor)).about.redis).toBe(host);
});

it('sends a command to its desk only, and counts its subscribers', async () => {
  const { url } = server.redis;
  const bots = [undefined, 'paper'].map((namespace) =>
    defineBot({ name: 'momentum', url, namespace, logger: silentLogger }),
  );
  await Promise.all(bots.map((bot) => bot.start()));
  const received = () => bots.map(({ stats }) => stats.commandsReceived);
  const pause = { type: 'pause', data: { bot: 'momentum' } };
  expect((await postCommand(paper.url, pause, TOKEN)).status).toBe(200);
  expect(received()).toEqual([0, 1]);
  expect((await postCommand(server.monitor.url, pause, TOKEN)).status).toBe(200);
  expect(received()).toEqual([1, 1]);
  await Promise.all(bots.map((bot) => bot.stop()));
});

it('is refused together with a shared connection, which has its own', async () => {
  const connection = new MemoryConnection();
  await expect(startMonitor({ connection, namespace: 'paper', logger: silentLogger })).rejects.toThrow(
    /a shared connection has its own namespace/,
  );
  await connection.close();
});
