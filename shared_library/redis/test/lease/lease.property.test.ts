// Under random faults of links, processes and server memory: at most one holder, and increasing tokens.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Candidate, LeaseHarness } from './lease.fixture.ts';

const COUNT = 3;
const LOOK_MS = 150;

type Step =
  | { readonly type: 'pass'; readonly ms: number }
  | { readonly type: 'forget' }
  | { readonly type: 'pause' | 'resume' | 'cut' | 'mend' | 'release' | 'start'; readonly who: number }
  | {
      readonly type: 'lag';
      readonly who: number;
      readonly requestDelayMs: number;
      readonly replyDelayMs: number;
    };

const who = fc.nat({ max: COUNT - 1 });
const lag = fc.oneof(fc.constant(0), fc.nat({ max: 2_600 }), fc.nat({ max: 10_000 }));
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
        'cut',
        'cut',
        'mend',
        'mend',
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
        type: fc.constant('lag' as const),
        who,
        requestDelayMs: lag,
        replyDelayMs: fc.constant(0),
      }),
      fc.record({
        type: fc.constant('lag' as const),
        who,
        requestDelayMs: fc.constant(0),
        replyDelayMs: lag,
      }),
    ),
  },
);

it('at most one candidate holds the lease, only the newest token is accepted, and tokens increase', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80, size: 'max' }), async (steps) => {
      const harness = new LeaseHarness();
      const candidates = Array.from({ length: COUNT }, () => harness.candidate());
      const given: number[] = [];
      for (const { lease } of candidates) lease.on('gained', ({ token }) => given.push(token));
      for (const { lease } of candidates) await lease.start();
      await harness.advance(3_001);
      check(harness, candidates, given);
      for (const one of steps) {
        await take(harness, candidates, one);
        check(harness, candidates, given);
      }
      await everybodyRecovers(harness, candidates);
      check(harness, candidates, given);
    }),
    { numRuns: 200 },
  );
});

async function take(harness: LeaseHarness, candidates: Candidate[], step: Step): Promise<void> {
  if (step.type === 'forget') return harness.server.flush();
  if (step.type === 'pass') {
    for (let left = step.ms; left > 0; left -= LOOK_MS) {
      await harness.advance(Math.min(left, LOOK_MS));
      expectOneHolder(candidates);
    }
    return;
  }
  const one = candidates[step.who];
  if (one === undefined) throw new Error('No such candidate.');
  switch (step.type) {
    case 'pause':
      return one.process.pause();
    case 'resume':
      return one.process.resume();
    case 'cut':
      one.link.isDown = true;
      return;
    case 'mend':
      one.link.isDown = false;
      return;
    case 'release':
      return void one.lease.release();
    case 'start':
      return void one.lease.start().catch(() => {});
    case 'lag':
      one.link.requestDelayMs = step.requestDelayMs;
      one.link.replyDelayMs = step.replyDelayMs;
  }
}

function check(harness: LeaseHarness, candidates: Candidate[], given: number[]): void {
  expectOneHolder(candidates);
  // Of all tokens ever granted, the server accepts at most the newest.
  const accepted = given.filter((token) => harness.accepts(token));
  expect(accepted).toEqual(accepted.length === 0 ? [] : [Math.max(...given)]);
  for (let i = 1; i < given.length; i++) expect(given[i]).toBeGreaterThan(given[i - 1] ?? 0);
}

function expectOneHolder(candidates: Candidate[]): void {
  expect(candidates.filter(({ lease }) => lease.holds).length).toBeLessThanOrEqual(1);
}

/** Delayed requests settle, then exactly one candidate holds the lease. */
async function everybodyRecovers(harness: LeaseHarness, candidates: Candidate[]): Promise<void> {
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
