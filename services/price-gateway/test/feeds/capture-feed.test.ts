// The capture feed replays a recorded session: requested instruments only, at its pace, once or in a loop.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { CaptureError, type MarketEvent, readCapture, toMarketEvents } from '@tickbus/capture';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type CaptureFeedOptions, capture, createCaptureFeed } from '../../feeds/capture-feed.ts';
import { quote, trade } from '../gateway.fixture.ts';
import { BINANCE_CAPTURE, COINBASE_CAPTURE, SKIP_REASON } from '../replay/recorded-sessions.fixture.ts';
import { ObservedFeed } from './observed-feed.fixture.ts';

const EXAMPLE = fileURLToPath(new URL('../../../../examples/coinbase-mapping.mjs', import.meta.url));
const EVENTS: readonly MarketEvent[] = [quote(100, 101), trade(100.5), trade(7, 'MSFT')];

let folder: string;
let path: string;
const cleanUps: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capture-feed-'));
  path = await record(
    'session.jsonl',
    EVENTS.map((event) => ({ events: [event] })),
  );
});

afterAll(() => rm(folder, { recursive: true }));

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Writes frames 10 ms apart, after one frame to the venue. `cut` truncates a gzipped file. */
async function record(name: string, frames: readonly unknown[], cut?: number): Promise<string> {
  const records = frames.map((frame, index) => ({ at: 1_000 + index / 100, dir: 'in', frame }));
  const lines = [{ at: 1_000, dir: 'out', frame: { events: [trade(1)] } }, ...records];
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  const file = join(folder, name);
  await writeFile(file, name.endsWith('.gz') ? gzipSync(text).subarray(0, cut) : text);
  return file;
}

async function observe(
  options: CaptureFeedOptions,
  symbols: readonly string[] = ['*'],
): Promise<ObservedFeed> {
  const observed = new ObservedFeed(await createCaptureFeed(options), symbols);
  cleanUps.push(() => observed.feed.close());
  return observed;
}

it('replays the frames of the venue in order, and reports the end', async () => {
  const observed = await observe({ path });
  expect(await observed.state('down')).toEqual({
    type: 'down',
    code: undefined,
    reason: 'The recorded session has ended.',
    retryable: false,
  });
  expect(observed.events.all).toEqual(EVENTS);
  expect(observed.frames).toBe(3);
  expect(observed.raw.all.map(({ json }) => JSON.parse(json))).toEqual(
    EVENTS.map((event) => ({ events: [event] })),
  );
  await observed.feed.close();
  expect(observed.states.all.map(({ type }) => type)).toEqual(['connecting', 'live', 'down', 'stopped']);
});

it('replays the requested instruments only, also after a change, and refuses unknown ones', async () => {
  const observed = await observe({ path, loop: true, speed: 10 }, ['AAPL', 'TSLA']);
  await observed.events.until(() => true, 4);
  expect(observed.events.all.some(({ symbol }) => symbol === 'MSFT')).toBe(false);
  expect(observed.refusals.all).toEqual([
    {
      symbol: 'TSLA',
      code: undefined,
      isUnknown: true,
      reason: `The capture ${path} does not contain this instrument.`,
    },
  ]);
  observed.feed.setSymbols(['MSFT']);
  expect(observed.subscribed.all).toEqual([['AAPL'], ['MSFT']]);
  const count = observed.events.all.length;
  await observed.events.until(() => true, count + 2);
  expect(new Set(observed.events.all.slice(count).map(({ symbol }) => symbol))).toEqual(new Set(['MSFT']));
});

it('replays a truncated recording', async () => {
  const file = await record(
    'cut.jsonl.gz',
    EVENTS.map((event) => ({ events: [event] })),
    -20,
  );
  const observed = await observe({ path: file, speed: Number.POSITIVE_INFINITY });
  await observed.state('down');
  expect(observed.events.all.length).toBeGreaterThan(0);
  expect(EVENTS.slice(0, observed.events.all.length)).toEqual(observed.events.all);
});

it.for([
  ['Coinbase', COINBASE_CAPTURE, undefined],
  ['Binance', BINANCE_CAPTURE, undefined],
  ['Coinbase, with a mapping', COINBASE_CAPTURE, EXAMPLE],
] as const)('replays a recorded session of %s', async ([_, file, CAPTURE_MAPPING], { skip }) => {
  skip(SKIP_REASON !== undefined, SKIP_REASON);
  const expected: MarketEvent[] = [];
  for await (const one of readCapture(file)) expected.push(...toMarketEvents(one));
  const feed = await capture.create({
    CAPTURE_FILE: file,
    CAPTURE_SPEED: Number.POSITIVE_INFINITY,
    CAPTURE_LOOP: false,
    CAPTURE_MAPPING,
  });
  const observed = new ObservedFeed(feed, ['*']);
  cleanUps.push(() => feed.close());
  await observed.state('down');
  expect(observed.events.all).toEqual(expected);
});

it('rejects a missing file, and a file without prices', async () => {
  await expect(createCaptureFeed({ path: 'no-such-file' })).rejects.toThrow(CaptureError);
  const empty = await record('empty.jsonl', [{ hello: 1 }]);
  await expect(createCaptureFeed({ path: empty })).rejects.toThrow(
    /contains no trades or quotes .* CAPTURE_MAPPING to a mapping of its frames\.$/,
  );
});

it('stops immediately during a pause', async () => {
  const file = join(folder, 'pause.jsonl');
  const line = (at: number) => `${JSON.stringify({ at, dir: 'in', frame: { events: EVENTS } })}\n`;
  await writeFile(file, line(1) + line(100_000));
  const observed = await observe({ path: file });
  await observed.events.until(() => true, 2);
  await observed.feed.close();
  expect(observed.states.all.map(({ type }) => type)).toEqual(['connecting', 'live', 'stopped']);
});
