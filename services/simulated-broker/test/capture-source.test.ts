// A recorded session as a price source: symbols, order, current timestamps, endless by default.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startSimulatedBroker } from '../broker.ts';
import { openCaptureSource } from '../sources/capture-source.ts';
import type { BrokerEvent } from '../sources/price-source.ts';
import { RawClient } from './raw-client.fixture.ts';

let folder: string;
let path: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'simulated-broker-'));
  path = join(folder, 'session.jsonl');
  const frames = [
    match('BTC-USD', '60000'),
    { type: 'heartbeat' },
    match('ETH-USD', '2000'),
    match('BTC-USD', '60001'),
  ];
  const records = frames.map((frame, at) => JSON.stringify({ at: 1_618_677_817 + at, dir: 'in', frame }));
  await writeFile(path, records.join('\n'));
});

afterAll(() => rm(folder, { recursive: true }));

function match(product_id: string, price: string): object {
  return { type: 'match', product_id, price, size: '0.5', time: '2021-04-17T16:43:37.089723Z' };
}

it('lists the symbols and replays the prices with current timestamps', async () => {
  const source = await openCaptureSource({ path, speed: Number.POSITIVE_INFINITY, loop: false });
  expect(source.symbols).toEqual(['BTC-USD', 'ETH-USD']);
  const before = Date.now();
  const events: BrokerEvent[] = [];
  for await (const batch of source.batches(new AbortController().signal)) events.push(...batch);
  expect(events).toMatchObject([{ price: 60_000 }, { price: 2_000 }, { price: 60_001 }]);
  for (const { timestamp } of events) expect(timestamp).toBeGreaterThanOrEqual(before);
});

it('restarts at the end', async () => {
  const source = await openCaptureSource({ path, speed: Number.POSITIVE_INFINITY });
  const prices: number[] = [];
  for await (const [event] of source.batches(new AbortController().signal)) {
    if (event?.kind === 'trade') prices.push(event.price);
    if (prices.length === 5) break;
  }
  expect(prices).toEqual([60_000, 2_000, 60_001, 60_000, 2_000]);
});

it('sends a client every price from its first subscription on', async () => {
  const source = await openCaptureSource({ path, speed: Number.POSITIVE_INFINITY, loop: false });
  await using broker = await startSimulatedBroker({ source });
  using client = await RawClient.authenticated(broker.url);
  await client.request({ action: 'subscribe', trades: ['*'] });
  expect(await client.take(3)).toMatchObject([
    [{ T: 't', i: 1, S: 'BTC-USD', p: 60_000, s: 0.5 }],
    [{ T: 't', i: 2, S: 'ETH-USD', p: 2_000 }],
    [{ T: 't', i: 3, S: 'BTC-USD', p: 60_001 }],
  ]);
});

it('rejects a session without prices', async () => {
  const empty = join(folder, 'empty.jsonl');
  await writeFile(empty, JSON.stringify({ at: 1, dir: 'out', frame: match('BTC-USD', '1') }));
  await expect(openCaptureSource({ path: empty })).rejects.toThrow('contains no trades or quotes');
});
