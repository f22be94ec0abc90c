// VerdictPoller: remembers the verdicts of present keys only.

import { expect, it } from 'vitest';
import { type VerdictChange, VerdictPoller } from '../../freshness/verdict-poller.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';

const verdictOn = (key: string): Omit<VerdictChange, 'was'> => ({
  channel: 'PRICES',
  key,
  verdict: 'fresh',
  reason: '',
  changedAgoMs: 0,
  confirmedAgoMs: 0,
});

it('forgets a key that is gone, so evicted keys do not accumulate', async () => {
  const clock = new ManualClock();
  const changes: string[] = [];
  let keys = ['A', 'B'];
  const poller = new VerdictPoller({
    clock,
    verdicts: () => keys.map(verdictOn),
    onChange: ({ key, was }) => changes.push(`${key} ${was}`),
  });
  poller.listen();
  await clock.advance(100);
  keys = ['A'];
  await clock.advance(100);
  keys = ['A', 'B'];
  await clock.advance(100);
  expect(changes).toEqual(['A undefined', 'B undefined', 'B undefined']);
  poller.close();
});
