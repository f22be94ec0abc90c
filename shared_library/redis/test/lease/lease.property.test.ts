// Under random faults of links, processes and server memory: at most one holder, and increasing tokens.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Candidate, LeaseHarness } from './lease.fixture.ts';

const COUNT = 3;
const CHECK_MS = 150;

type Step =
  | { readonly type: 'pass'; readonly ms: number }
  | { readonly type: 'forget' }
  | {
      readonly type: 'pause' | 'resume' | 'disconnect' | 'reconnect' | 'release' | 'start';
      readonly who: number;
    }
  | {
      readonly type: 'delay';
      readonly who: number;
      readonly requestDelayMs: number;
      readonly replyDelayMs: number;
    };

const who = fc.nat({ max: COUNT - 1 });
const delay = fc.oneof(fc.constant(0), fc.nat({ max: 2_600 }), fc.nat({ max: 10_000 }));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 9, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat({ max: 2_000 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('forget' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constantFrom(
        'pause',
        'resume',
        'resume',
        'disconnect',
        'disconnect',
        'reconnect',
        'reconnect',
        'release',
        'start',
        'start',
      ),
      who,
    }) as fc.Arbitrary<Step>,
  },
  {
    weight: 2,
    arbitrary: fc.oneof(
      fc.record({
        type: fc.constant('delay' as const),
        who,
        requestDelayMs: delay,
        replyDelayMs: fc.constant(0),
      }),
      fc.record({
        type: fc.constant('delay' as const),
        who,
        requestDelayMs: fc.constant(0),
        replyDelayMs: delay,
      }),
    ),
  },
);

it('at most one candidate holds the lease, only the newest token is accepted, and tokens increase', {
  timeout: 600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80, size: 'max' }), async (steps) => {
      const harness = new LeaseHarness();
      const candidates = Array.from({ length: COUNT }, () => harness.candidate());
      const granted: number[] = [];
      for (const { lease } of candidates) lease.on('gained', ({ token }) => granted.push(token));
      for (const { lease } of candidates) await lease.start();
      await harness.advance(3_001);
      expectSafe(harness, candidates, granted);
      for (const step of steps) {
        await performStep(harness, candidates, step);
        expectSafe(harness, candidates, granted);
      }
      await recoverAll(harness, candidates);
      expectSafe(harness, candidates, granted);
    }),
    { numRuns: 200 },
  );
});

async function performStep(harness: LeaseHarness, candidates: Candidate[], step: Step): Promise<void> {
  if (step.type === 'forget') return harness.server.flush();
  if (step.type === 'pass') {
    for (let left = step.ms; left > 0; left -= CHECK_MS) {
      await harness.advance(Math.min(left, CHECK_MS));
      expectOneHolder(candidates);
    }
    return;
  }
  const candidate = candidates[step.who];
  if (candidate === undefined) throw new Error('No such candidate.');
  switch (step.type) {
    case 'pause':
      return candidate.process.pause();
    case 'resume':
      return candidate.process.resume();
    case 'disconnect':
      candidate.link.isDown = true;
      return;
    case 'reconnect':
      candidate.link.isDown = false;
      return;
    case 'release':
      return void candidate.lease.release();
    case 'start':
      return void candidate.lease.start().catch(() => {});
    case 'delay':
      candidate.link.requestDelayMs = step.requestDelayMs;
      candidate.link.replyDelayMs = step.replyDelayMs;
  }
}

function expectSafe(harness: LeaseHarness, candidates: Candidate[], granted: number[]): void {
  expectOneHolder(candidates);
  // Of all tokens ever granted, the server accepts at most the newest.
  const accepted = granted.filter((token) => harness.accepts(token));
  expect(accepted).toEqual(accepted.length === 0 ? [] : [Math.max(...granted)]);
  for (let i = 1; i < granted.length; i++) expect(granted[i]).toBeGreaterThan(granted[i - 1] ?? 0);
}

function expectOneHolder(candidates: Candidate[]): void {
  expect(candidates.filter(({ lease }) => lease.holds).length).toBeLessThanOrEqual(1);
}

/** Ends all faults and lets delayed requests settle. Then exactly one candidate holds the lease. */
async function recoverAll(harness: LeaseHarness, candidates: Candidate[]): Promise<void> {
  for (const { process, link } of candidates) {
    process.resume();
    link.isDown = false;
    link.requestDelayMs = 0;
    link.replyDelayMs = 0;
  }
  await harness.advance(25_000);
  for (const { lease } of candidates) await lease.start();
  await harness.advance(10_000);
  expect(candidates.filter(({ lease }) => lease.holds)).toHaveLength(1);
}
