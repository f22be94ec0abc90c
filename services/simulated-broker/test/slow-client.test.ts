// A client that does not read: error 407 and the release of its connection.

import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { AUTHENTICATED, CONNECTED, errorFrame, startBroker } from './broker.fixture.ts';
import { trade } from './manual-source.fixture.ts';
import { RawClient } from './raw-client.fixture.ts';

async function startWithSlowClient() {
  let onRefused = () => {};
  const refused = new Promise<void>((resolve) => {
    onRefused = resolve;
  });
  const logger = pino({}, { write: (line: string) => line.includes('"code":407') && onRefused() });
  const { broker, source } = await startBroker({ logger, maxBufferedBytes: 64 * 1024 });
  const client = await RawClient.authenticated(broker.url);
  await client.request({ action: 'subscribe', trades: ['*'] });
  client.socket.pause();
  let flooding = true;
  void refused.then(() => {
    flooding = false;
  });
  const batch = Array.from({ length: 1_000 }, (_, at) => trade(at));
  while (flooding) {
    source.push(...batch);
    await setImmediate();
  }
  return { broker, client };
}

it('receives 407 and is closed', async () => {
  const { client } = await startWithSlowClient();
  client.socket.resume();
  await client.closed;
  const frames = await client.take(client.pending);
  expect(frames.at(-1)).toEqual(errorFrame(407, 'slow client'));
});

it('is terminated if it does not read the error either, and its connection is released', async () => {
  const { broker, client } = await startWithSlowClient();
  await expect.poll(() => broker.stats.connections).toBe(0);
  client.socket.terminate();
  using next = await RawClient.connect(broker.url);
  next.authenticate();
  expect(await next.take(2)).toEqual([CONNECTED, AUTHENTICATED]);
});
