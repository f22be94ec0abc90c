// A recording that is replayed again, by a new gateway or in a loop: its prices are published again.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createCaptureFeed } from '../../feeds/capture-feed.ts';
import { useEmbeddedGateways } from '../embedded-gateway.fixture.ts';
import { AT, quote, trade } from '../gateway.fixture.ts';

const testbed = useEmbeddedGateways();
let folder: string;
let path: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'replayed-again-'));
  path = join(folder, 'session.jsonl');
  const events = [quote(99, 103), trade(100), trade(101), trade(102)];
  const lines = events.map((event, index) =>
    JSON.stringify({
      at: 1_000 + index / 100,
      dir: 'in',
      frame: { events: [{ ...event, timestamp: AT + index }] },
    }),
  );
  await writeFile(path, `${lines.join('\n')}\n`);
});

afterAll(() => rm(folder, { recursive: true }));

const ONCE = [101, 100, 101, 102];
const published = () => testbed.prices.all.map(({ data }) => data.price);

it('by a new gateway', async () => {
  const options = { createFeed: () => createCaptureFeed({ path }), symbols: ['AAPL'] };
  const first = await testbed.startGateway(options);
  await expect.poll(published).toEqual(ONCE);
  await first.stop();
  const second = await testbed.startGateway(options);
  await expect.poll(published).toEqual([...ONCE, ...ONCE]);
  expect(second.stats.dropped.late).toBe(0);
});

it('in a loop', async () => {
  const gateway = await testbed.startGateway({
    createFeed: () => createCaptureFeed({ path, loop: true }),
    symbols: ['AAPL'],
  });
  await expect.poll(() => published().length).toBeGreaterThanOrEqual(12);
  expect(published().slice(0, 12)).toEqual([...ONCE, ...ONCE, ...ONCE]);
  expect(gateway.stats.dropped.late).toBe(0);
});
