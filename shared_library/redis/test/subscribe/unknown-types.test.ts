// A message type that a subscriber does not know: invalid only if its filters select the message.

import { expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';

const stop = z.object({ bot: z.string() });
const resize = z.object({ bot: z.string(), size: z.number() });
const THEIRS = defineChannel('ORDERS', { kind: 'command', key: 'bot', messages: { stop, resize } });
const OURS = defineChannel('ORDERS', { kind: 'command', key: 'bot', messages: { stop } });
const STRICT = defineChannel('ORDERS', {
  kind: 'command',
  key: (data: { bot: string; venue?: { name: string } }) => data.venue?.name.trim() ?? data.bot,
  messages: { stop },
});

async function receiving(subscribe: (harness: PubSubHarness, handle: () => number) => unknown) {
  const harness = new PubSubHarness();
  let count = 0;
  subscribe(harness, () => count++);
  await harness.subscriber.startListening();
  await harness.publisher.publish(THEIRS, { bot: 'b', size: 1 }, { type: 'resize' });
  await harness.publisher.publish(THEIRS, { bot: 'a' });
  await expect.poll(() => harness.subscriber.status(OURS)?.received).toBe(2);
  await harness.subscriber.close();
  const { invalid, gaps } = harness.subscriber.status(OURS) ?? {};
  return { handled: count, invalid, reports: harness.invalid.length, gaps };
}

it.each([
  ['other keys', { keys: ['a'] }],
  ['known types', { types: ['stop'] as const }],
  ['both', { keys: ['a', 'b'], types: ['stop'] as const }],
])('is ignored by a subscription that selects %s', async (_, options) => {
  const result = await receiving(({ subscriber }, handle) => subscriber.subscribe(OURS, handle, options));
  expect(result).toEqual({ handled: 1, invalid: 0, reports: 0, gaps: 0 });
});

it('is invalid for a subscription that selects it', async () => {
  const all = await receiving(({ subscriber }, handle) => subscriber.subscribe(OURS, handle));
  expect(all).toEqual({ handled: 1, invalid: 1, reports: 1, gaps: 0 });
  const byKey = await receiving(({ subscriber }, handle) =>
    subscriber.subscribe(OURS, handle, { keys: ['b'] }),
  );
  expect(byKey).toEqual({ handled: 0, invalid: 1, reports: 1, gaps: 0 });
});

it('is invalid for a tap, which sees every message', async () => {
  const result = await receiving(({ subscriber }, handle) => subscriber.tap(OURS, handle));
  expect(result).toEqual({ handled: 1, invalid: 1, reports: 1, gaps: 0 });
});

it('is ignored if the key function does not accept its payload', async () => {
  const harness = new PubSubHarness();
  harness.subscriber.subscribe(STRICT, () => {}, { keys: ['a'] });
  await harness.subscriber.startListening();
  const venue = { name: 7 };
  const ODD = defineChannel('ORDERS', {
    kind: 'command',
    messages: { odd: z.object({ venue: z.unknown() }) },
  });
  await harness.publisher.publish(ODD, { venue });
  await expect.poll(() => harness.subscriber.status(STRICT)).toMatchObject({ received: 1, invalid: 0 });
});
