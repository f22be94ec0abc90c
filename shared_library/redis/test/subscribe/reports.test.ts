// Log lines about gaps state only what is known.

import { RecordingLogger } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import { ManualClock } from '../../runtime/manual-clock.ts';
import { Reports } from '../../subscribe/reports.ts';
import type { Gap } from '../../subscribe/status.ts';

const gap = (difference: Partial<Gap>): Gap => ({
  type: 'gap',
  channel: 'PRICES',
  cause: 'loss',
  epoch: 7,
  from: 3,
  to: 5,
  lost: 3,
  repaired: false,
  ...difference,
});

it.each([
  [
    'repaired',
    gap({ repaired: true, lost: 0 }),
    'info',
    'Messages were missed; all were recovered and delivered in order.',
  ],
  ['lost', gap({}), 'warn', 'Messages were lost.'],
  ['dropped', gap({ cause: 'overflow' }), 'warn', 'Messages were dropped: the handler is too slow.'],
  [
    'an epoch with an unknown end',
    gap({ cause: 'epoch', to: undefined, lost: undefined }),
    'warn',
    'Another publisher, such as a gateway, took the channel over, or the server lost messages: how many is unknown.',
  ],
])('logs a gap: %s', (_, status, level, message) => {
  const logger = new RecordingLogger();
  new Reports(logger, new ManualClock()).status(status);
  expect(logger.lines).toMatchObject([{ level, message }]);
});
