// Reading a channel in chunks: what happens between two chunks.

import { expect, it } from 'vitest';
import { type RunRead, readChannel } from '../../transport/redis/channel-read.ts';

const CHANNEL = { name: 'PRICES', kind: 'state', history: 0 } as const;

interface FakeChunk {
  readonly epoch?: number;
  readonly seq?: number;
  readonly entry: string;
  readonly next: string;
}

/** Answers each call with the next chunk. Records the cursor, the upper bound and the number of keys of each call. */
function fakeServer(...chunks: readonly FakeChunk[]) {
  const calls: { readonly cursor: string; readonly upTo: string; readonly keys: number }[] = [];
  const run: RunRead = async (_keys, [, , , cursor = '', , upTo = '', , ...keys]) => {
    const { epoch = 7, seq = 10, entry, next } = chunks[calls.length] ?? { entry: 'none', next: '' };
    calls.push({ cursor, upTo, keys: keys.length });
    return [epoch, seq, 1, [Buffer.from(entry)], 0, '5', next, '', '', ''].map((part) =>
      typeof part === 'number' ? Buffer.from(String(part)) : Array.isArray(part) ? part : Buffer.from(part),
    );
  };
  return { run, calls };
}

const textsOf = ({ entries }: { readonly entries: readonly Uint8Array[] }) =>
  entries.map((entry) => entry.toString());

it('follows the cursor, and keeps the head of the first chunk', async () => {
  const { run, calls } = fakeServer(
    { entry: 'a', next: '12' },
    { entry: 'b', next: '34', seq: 15 },
    { entry: 'c', next: '', seq: 20 },
  );
  const state = await readChannel(run, CHANNEL);
  expect(textsOf(state)).toEqual(['a', 'b', 'c']);
  expect(state).toMatchObject({ position: { epoch: 7, seq: 10 }, lease: 5 });
  expect(calls.map(({ cursor, upTo }) => [cursor, upTo])).toEqual([
    ['', ''],
    ['12', '10'],
    ['34', '10'],
  ]);
});

it.each([
  ['another epoch', { epoch: 8, seq: 10 }],
  ['a head that went back', { epoch: 7, seq: 9 }],
])('reads again after %s', async (_name, changed) => {
  const { run } = fakeServer(
    { entry: 'old', next: '12' },
    { entry: 'mixed', next: '34', ...changed },
    { entry: 'new', next: '', ...changed },
  );
  const state = await readChannel(run, CHANNEL);
  expect(textsOf(state)).toEqual(['new']);
  expect(state.position).toEqual(changed);
});

it('gives up, and can be retried, if the epoch changes during each of three attempts', async () => {
  const { run, calls } = fakeServer(
    ...[1, 2, 3, 4, 5, 6, 7, 8].map((epoch) => ({ epoch, entry: 'x', next: '12' })),
  );
  await expect(readChannel(run, CHANNEL)).rejects.toMatchObject({
    code: 'TICKBUS_SERVER_ERROR',
    message: expect.stringContaining('The epoch of PRICES changed'),
  });
  expect(calls).toHaveLength(6);
});

it('sends each wanted key once, in chunks', async () => {
  const { run, calls } = fakeServer(...Array.from({ length: 9 }, () => ({ entry: 'x', next: 'keys' })));
  await readChannel(run, CHANNEL, undefined, {
    keys: new Set(Array.from({ length: 2_100 }, (_, n) => `${n}`)),
  });
  expect(calls[0]?.keys).toBe(500);
  expect(calls.reduce((sum, { keys }) => sum + keys, 0)).toBe(2_100);
});

it('ends between two chunks if it is cancelled', async () => {
  const abort = new AbortController();
  const { run, calls } = fakeServer({ entry: 'a', next: '12' }, { entry: 'b', next: '34' });
  const cancelling: RunRead = (...call) => {
    abort.abort();
    return run(...call);
  };
  const reading = readChannel(cancelling, CHANNEL, undefined, { signal: abort.signal });
  await expect(reading).rejects.toMatchObject({ code: 'TICKBUS_CLOSED' });
  expect(calls).toHaveLength(1);
});
