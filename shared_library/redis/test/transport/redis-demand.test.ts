// Reading demand (the requested keys) in chunks, up to a maximum number of entries.

import { expect, it } from 'vitest';
import { MAX_DEMAND } from '../../channel/limits.ts';
import { type RunCommand, redisDemand } from '../../transport/redis/redis-demand.ts';

/** Answers each read with the next reply (next cursor, entries scanned, entries), then repeats the last one. */
function demandOf(...replies: readonly (readonly [string, number, readonly string[]])[]) {
  let calls = 0;
  const run = (async () => replies[calls++] ?? replies.at(-1)) as RunCommand;
  const channel = { name: 'PRICES', kind: 'state', history: 0 } as const;
  return { demand: redisDemand(channel, run), calls: () => calls };
}

it('counts an entry once that the server returns in two chunks', async () => {
  const { demand } = demandOf(['7', 2, ['a\nA', 'a\nB']], ['0', 2, ['a\nA', 'b\nA']]);
  expect(Object.fromEntries(await demand.wanted())).toEqual({ A: 2, B: 1 });
});

it('gives up on more entries than tickbus subscribers can declare', async () => {
  const { demand, calls } = demandOf(['7', 1_000, ['a\nA']]);
  await expect(demand.wanted()).rejects.toMatchObject({
    code: 'TICKBUS_LIMIT_EXCEEDED',
    message: expect.stringContaining('twice the limit'),
  });
  expect(calls()).toBe((2 * MAX_DEMAND) / 1_000 + 1);
});
