// Gateways, bots and a venue do anything in any order: bots never get a void price or one in a halt for fresh, prices
// never go back, each trade is on TRADES once, and nothing that is valid stays blocked.

import { randomInt } from 'node:crypto';
import { Random } from '@tickbus/test-kit/random';
import { afterEach, beforeEach, it, vi } from 'vitest';
import { RandomRun } from './random-run.fixture.ts';

/** `MODEL_SEED` repeats a run, and `MODEL_RUNS` is for runs by hand. */
const SEED = Number(process.env.MODEL_SEED ?? randomInt(2 ** 31));
const RUNS = Number(process.env.MODEL_RUNS ?? 12);
const STEPS = 40;
/** Turns of the event loop are real. */
const FAKED = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] as const;

beforeEach(() => void vi.useFakeTimers({ toFake: [...FAKED], now: Date.UTC(2026, 0, 5, 16) }));
afterEach(() => void vi.useRealTimers());

it(`holds in ${RUNS} random runs, seed ${SEED}`, { timeout: 600_000 + 1_000 * RUNS }, async () => {
  for (let run = 0; run < RUNS; run++) {
    await new RandomRun(new Random(SEED + run)).run(STEPS);
  }
});
