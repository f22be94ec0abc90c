// Reading demand in chunks, and its bound.

import { expect, it } from 'vitest';
import { MAX_DEMAND } from '../../channel/limits.ts';
import { MAX_DEMAND_BYTES } from '../../transport/demand-entries.ts';
import { type RunCommand, redisDemand } from '../../transport/redis/redis-demand.ts';

/** Answers each read with the next reply: next cursor, entries scanned, entries, bytes scanned. */
function demandOf(...replies: readonly (readonly [string, number, readonly string[], number])[]) {
  let calls = 0;
  const run = (async () => replies[calls++] ?? replies.at(-1)) as RunCommand;
  const channel = { name: 'PRICES', kind: 'state', history: 0 } as const;
  return { demand: redisDemand(channel, run), calls: () => calls };
}

it('counts an entry once that the server returns in two chunks', async () => {
  const { demand } = demandOf(['7', 2, ['a\nA', 'a\nB'], 6], ['0', 2, ['a\nA', 'b\nA'], 6]);
  expect(Object.fromEntries(await demand.wanted())).toEqual({ A: 2, B: 1 });
});

it('gives up on more entries than tickbus subscribers can declare', async () => {
  const { demand, calls } = demandOf(['7', 1_000, ['a\nA'], 3]);
  await expect(demand.wanted()).rejects.toMatchObject({
    code: 'TICKBUS_LIMIT_EXCEEDED',
    message: expect.stringContaining('twice the limit'),
  });
  expect(calls()).toBe((2 * MAX_DEMAND) / 1_000 + 1);
});

it('gives up on more bytes than tickbus subscribers can declare', async () => {
  const { demand, calls } = demandOf(['7', 5, [], MAX_DEMAND_BYTES / 4]);
  await expect(demand.wanted()).rejects.toMatchObject({
    code: 'TICKBUS_LIMIT_EXCEEDED',
    message: expect.stringContaining('more than 32 MiB'),
  });
  expect(calls()).toBe(5);
});
