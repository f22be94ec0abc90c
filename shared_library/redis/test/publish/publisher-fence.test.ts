// PublisherBase with a lease: the token of each publish, and messages rejected without a call.

import { deferred, errorOf, eventLoopTurns } from '@tickbus/test-kit';
import { expect, it, vi } from 'vitest';
import { TickbusError } from '../../errors.ts';
import { PublisherBase } from '../../publish/publisher-base.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import type { Fence, Outgoing, Receipt } from '../../transport/port.ts';
import { ALERTS, errorWith, PRICES, receiptAt } from '../channels.fixture.ts';
import { FakeTransport } from '../fake-transport.fixture.ts';

/** Records the token of each batch. */
class FencedTransport extends FakeTransport {
  readonly tokens: (number | undefined)[] = [];

  override publish(channel: unknown, batch: readonly Outgoing[], token?: number): Promise<Receipt> {
    this.tokens.push(token);
    return super.publish(channel, batch);
  }
}

function setUp() {
  const lease = { channel: PRICES as Fence['channel'], token: 41 as number | undefined, confirm: vi.fn() };
  const transport = new FencedTransport();
  const publisher = new PublisherBase({ transport, clock: new ManualClock(), sender: 'test', lease });
  const publishPrice = (value: number) => publisher.publish(PRICES, { symbol: 'A', price: value });
  return { lease, transport, publisher, publishPrice };
}

it('publish uses the token on the channel of the lease, and no token on other channels', async () => {
  const { transport, publisher, publishPrice } = setUp();
  await publishPrice(1);
  await publisher.publish(ALERTS, { n: 1 }, { type: 'note' });
  expect(transport.tokens).toEqual([41, undefined]);
});

it('publish that rejects with TICKBUS_FENCED calls lease.confirm(); other errors do not', async () => {
  const { lease, transport, publishPrice } = setUp();
  for (const [code, confirmations] of [
    ['TICKBUS_NOT_CONNECTED', 0],
    ['TICKBUS_FENCED', 1],
  ] as const) {
    transport.onPublish = () => Promise.reject(new TickbusError(code, 'No.'));
    expect(await errorOf(publishPrice(1))).toMatchObject({ code });
    expect(lease.confirm).toHaveBeenCalledTimes(confirmations);
  }
});

it('publish rejects with TICKBUS_FENCED without a call while the lease is not held', async () => {
  const { lease, transport, publishPrice } = setUp();
  lease.token = undefined;
  expect(await errorOf(publishPrice(1))).toMatchObject({ code: 'TICKBUS_FENCED', retryable: false });
  expect(transport.published).toEqual([]);
});

it('waiting messages reject with TICKBUS_FENCED if the lease was lost, or lost and gained again', async () => {
  for (const token of [undefined, 42]) {
    const { lease, transport, publishPrice } = setUp();
    const { promise, resolve } = deferred<Receipt>();
    transport.onPublish = () => promise;
    const inFlight = publishPrice(1);
    await eventLoopTurns();
    const waiting = [publishPrice(2), publishPrice(3)];
    await eventLoopTurns();
    lease.token = token;
    const after = token === undefined ? undefined : publishPrice(4);
    resolve(receiptAt(1));
    await inFlight;
    for (const outcome of waiting) expect(await errorOf(outcome)).toMatchObject({ code: 'TICKBUS_FENCED' });
    await after;
    expect(transport.tokens).toEqual(token === undefined ? [41] : [41, 42]);
    expect(transport.published.at(-1)).toHaveLength(1);
  }
});

it('rejected messages free their part of the backlog', async () => {
  const { lease, transport, publishPrice } = setUp();
  const first = deferred<Receipt>();
  transport.onPublish = () => first.promise;
  const outcomes = [publishPrice(1)];
  await eventLoopTurns();
  outcomes.push(publishPrice(2));
  lease.token = 42;
  first.resolve(receiptAt(1));
  await Promise.allSettled(outcomes);
  await publishPrice(3);
  expect(transport.tokens).toEqual([41, 42]);
});

it('constructor throws TICKBUS_INVALID_OPTION for a lease without a channel', () => {
  const lease = { channel: undefined, token: 1, confirm: () => {} };
  const construct = () =>
    new PublisherBase({ transport: new FakeTransport(), clock: new ManualClock(), sender: 'test', lease });
  expect(construct).toThrow(errorWith('TICKBUS_INVALID_OPTION', { field: 'lease' }));
});
