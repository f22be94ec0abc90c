// Which failure counts as a problem of Redis.

import { TickbusError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { RedisPublisher } from 'tickbus/publisher';
import { expect, it } from 'vitest';
import { BarPublisher } from '../bar-publisher.ts';
import { Publications } from '../bars/publications.ts';

it('a builder that has lost the lease after a failed publish has no problem', async () => {
  const publications = new Publications();
  publications.built({
    ...{ symbol: 'AAPL', interval: '1m', start: 0, end: 60_000 },
    ...{ prices: { open: 1, high: 1, low: 1, close: 1 }, volume: 1, trades: 1, vwap: 1, complete: true },
  });
  let holdsLease = true;
  let failed: () => void = () => {};
  const failure = new Promise<void>((resolve) => {
    failed = resolve;
  });
  const publisher = {
    publish: async () => {
      failed();
      throw new TickbusError('TICKBUS_NOT_SENT', 'The link is down.');
    },
  } as unknown as RedisPublisher;
  const bars = new BarPublisher({
    publisher,
    channel: CHANNELS.BARS,
    publications,
    mayPublish: () => holdsLease,
  });
  bars.start();
  await failure;
  await expect.poll(() => bars.problem).toContain('The link is down.');
  holdsLease = false;
  expect(bars.problem).toBeUndefined();
  await bars.settled();
});
