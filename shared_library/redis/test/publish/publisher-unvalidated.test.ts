// PublisherBase with `validate: false`: what it sends unchecked, what it still rejects, what subscribers report.

import { errorOf, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { MAX_MESSAGE_BYTES } from '../../channel/limits.ts';
import type { Message } from '../../wire/message.ts';
import { ALERTS, COMMANDS, errorWith, PRICES } from '../channels.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';

const anyPayload = (payload: unknown) => payload as { symbol: string; price: number };
const invalidMessage = (field: string) => errorWith('TICKBUS_INVALID_MESSAGE', { field });

/** A publisher without validation, and a subscriber of PRICES. */
async function setUpUnvalidated() {
  const harness = new PubSubHarness({ validate: false });
  const received: Message[] = [];
  harness.subscriber.subscribe(PRICES, (message) => received.push(message));
  await harness.subscriber.startListening();
  await eventLoopTurns();
  const publish = (payload: unknown) => harness.publisher.publish(PRICES, anyPayload(payload));
  return { harness, received, publish };
}

it('publish sends a valid payload like a validating publisher', async () => {
  const { harness, received, publish } = await setUpUnvalidated();
  await publish({ symbol: 'AAPL', price: 1 });
  await eventLoopTurns();
  expect(received).toMatchObject([
    { message_type: 'tick', data: { symbol: 'AAPL', price: 1 }, sender: 'bench', seq: 1 },
  ]);
  expect(harness.subscriber.latest(PRICES, 'AAPL')?.message?.data).toEqual({ symbol: 'AAPL', price: 1 });
});

it('publish calls no schema', async () => {
  let calls = 0;
  const counted = z.object({ n: z.number() }).refine(() => ++calls > 0);
  const channel = defineChannel('COUNTED', { kind: 'plain', messages: { counted } });
  const { publisher } = new PubSubHarness({ validate: false });
  await publisher.publish(channel, { n: 1 });
  expect(calls).toBe(0);
});

describe('publish sends an invalid payload, and subscribers report it', () => {
  it.each<[string, object, string]>([
    ['a field of another type', { price: '1' }, 'data.price'],
    ['a missing field', {}, 'data.price'],
    ['NaN, which is sent as null', { price: Number.NaN }, 'data.price'],
    ['a function, which is not sent', { price: () => 1 }, 'data.price'],
    ['a Map, which is sent as {}', { price: new Map([[1, 2]]) }, 'data.price'],
  ])('%s', async (_, payload, field) => {
    const { harness, received, publish } = await setUpUnvalidated();
    await expect(publish({ symbol: 'AAPL', ...payload })).resolves.toMatchObject({ receivers: 1 });
    await publish({ symbol: 'MSFT', price: 2 });
    await eventLoopTurns();
    expect(harness.invalid.map(({ error }) => error)).toEqual([invalidMessage(field)]);
    expect(received.map(({ data }) => data)).toEqual([{ symbol: 'MSFT', price: 2 }]);
    expect(harness.gaps).toEqual([]);
    expect(harness.subscriber.latest(PRICES, 'AAPL')?.message).toBeUndefined();
  });
});

it('a forbidden member name hides the position, so subscribers read the last value and report it again', async () => {
  const { harness, received, publish } = await setUpUnvalidated();
  await publish(JSON.parse('{"symbol":"AAPL","price":1,"__proto__":{"polluted":1}}'));
  await publish({ symbol: 'MSFT', price: 2 });
  await eventLoopTurns();
  const error = invalidMessage('data.__proto__');
  expect(harness.invalid.map((report) => report.error)).toEqual([error, error]);
  expect(received.map(({ data }) => data)).toEqual([{ symbol: 'MSFT', price: 2 }]);
});

describe('publish still rejects with TICKBUS_INVALID_MESSAGE', () => {
  const cycle: Record<string, unknown> = { symbol: 'AAPL' };
  cycle.self = cycle;
  const throwing = {
    symbol: 'AAPL',
    get price() {
      throw new Error('no price');
    },
  };

  it.each<[string, unknown, string]>([
    ['a string', 'text', 'data'],
    ['an array', [1], 'data'],
    ['a payload without its key', { price: 1 }, 'data.symbol'],
    ['a message over the size limit', { symbol: 'AAPL', note: 'x'.repeat(MAX_MESSAGE_BYTES) }, 'data'],
    ['a cycle', cycle, 'data'],
    ['a bigint', { symbol: 'AAPL', price: 1n }, 'data'],
    ['a getter that throws', throwing, 'data'],
  ])('%s', async (_, payload, field) => {
    const { harness, publish } = await setUpUnvalidated();
    expect(await errorOf(publish(payload))).toEqual(invalidMessage(field));
    await eventLoopTurns();
    expect(harness.invalid).toEqual([]);
  });

  it('an unknown type, and with TICKBUS_INVALID_OPTION an id on another kind or an invalid id', async () => {
    const { harness } = await setUpUnvalidated();
    const unknown = harness.publisher.publish(ALERTS, { n: 1 }, { type: 'toString' as 'note' });
    expect(await errorOf(unknown)).toEqual(invalidMessage('message_type'));
    const invalidId = errorWith('TICKBUS_INVALID_OPTION', { field: 'id' });
    expect(await errorOf(harness.publisher.publish(ALERTS, { n: 1 }, { id: 'x' }))).toEqual(invalidId);
    expect(await errorOf(harness.publisher.publish(COMMANDS, { n: 1 }, { id: ' ' }))).toEqual(invalidId);
  });
});

it('only `validate: false` turns validation off', async () => {
  for (const validate of [true, undefined, 0 as unknown as boolean]) {
    const { publisher } = new PubSubHarness({ ...(validate === undefined ? {} : { validate }) });
    const wrong = publisher.publish(PRICES, anyPayload({ symbol: 'AAPL', price: Number.NaN }));
    expect(await errorOf(wrong)).toEqual(invalidMessage('data.price'));
  }
});
