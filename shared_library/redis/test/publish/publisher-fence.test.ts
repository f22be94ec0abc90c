// PublisherBase with a lease: the token of each publish, and messages rejected without a call.

import { deferred, errorOf, eventLoopTurns } from '@tickbus/test-kit';
import { expect, it, vi } from 'vitest';
import { TickbusError } from '../../errors.ts';
import { PublisherBase } from '../../publish/publisher-base.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import type { Fence, Outgoing, Receipt } from '../../transport/port.ts';
import { ALERTS, FakeTransport, PRICES } from '../library.fixture.ts';

/** Records the token of each batch. */
class FencedTransport extends FakeTransport {
  readonly fences: (number | undefined)[] = [];

  override publish(channel: unknown, batch: readonly Outgoing[], fence?: number): Promise<Receipt> {
    this.fences.push(fence);
    return super.publish(channel, batch);
  }
}

function setUp() {
  const lease = { channel: PRICES as Fence['channel'], token: 41 as number | undefined, confirm: vi.fn() };
  const transport = new FencedTransport();
  const publisher = new PublisherBase({ transport, clock: new ManualClock(), sender: 'test', lease });
  const price = (value: number) => publisher.publish(PRICES, { symbol: 'A', price: value });
  return { lease, transport, publisher, price };
}

it('publish uses the token on the channel of the lease, and no token on other channels', async () => {
  const { transport, publisher, price } = setUp();
  await price(1);
  await publisher.publish(ALERTS, { n: 1 }, { type: 'note' });
  expect(transport.fences).toEqual([41, undefined]);
});

it('publish that rejects with TICKBUS_FENCED calls lease.confirm(); other errors do not', async () => {
  const { lease, transport, price } = setUp();
  for (const [code, asked] of [
    ['TICKBUS_NOT_CONNECTED', 0],
    ['TICKBUS_FENCED', 1],
  ] as const) {
    transport.onPublish = () => Promise.reject(new TickbusError(code, 'No.'));
    expect(await errorOf(price(1))).toMatchObject({ code });
    expect(lease.confirm).toHaveBeenCalledTimes(asked);
  }
});

it('publish rejects with TICKBUS_FENCED without a call while the lease is not held', async () => {
  const { lease, transport, price } = setUp();
  lease.token = undefined;
  expect(await errorOf(price(1))).toMatchObject({ code: 'TICKBUS_FENCED', retryable: false });
  expect(transport.published).toEqual([]);
});

it('waiting messages reject with TICKBUS_FENCED if the lease was lost, or lost and gained again', async () => {
  for (const token of [undefined, 42]) {
    const { lease, transport, price } = setUp();
    const { promise, resolve } = deferred<Receipt>();
    transport.onPublish = () => promise;
    const inFlight = price(1);
    await eventLoopTurns();
    const waiting = [price(2), price(3)];
    await eventLoopTurns();
    lease.token = token;
    const after = token === undefined ? undefined : price(4);
    resolve({ first: { epoch: 1, seq: 1 }, receivers: 0 });
    await inFlight;
    for (const refused of waiting) expect(await errorOf(refused)).toMatchObject({ code: 'TICKBUS_FENCED' });
    await after;
    expect(transport.fences).toEqual(token === undefined ? [41] : [41, 42]);
    expect(transport.published.at(-1)).toHaveLength(1);
  }
});

it('rejected messages free their part of the backlog', async () => {
  const { lease, transport, price } = setUp();
  const first = deferred<Receipt>();
  transport.onPublish = () => first.promise;
  const outcomes = [price(1)];
  await eventLoopTurns();
  outcomes.push(price(2));
  lease.token = 42;
  first.resolve({ first: { epoch: 1, seq: 1 }, receivers: 0 });
  await Promise.allSettled(outcomes);
  await price(3);
  expect(transport.fences).toEqual([41, 42]);
});

it('constructor throws TICKBUS_INVALID_OPTION for a lease without a channel', () => {
  const lease = { channel: undefined, token: 1, confirm: () => {} };
  const make = () =>
    new PublisherBase({ transport: new FakeTransport(), clock: new ManualClock(), sender: 'test', lease });
  expect(make).toThrow(expect.objectContaining({ code: 'TICKBUS_INVALID_OPTION', field: 'lease' }));
});
