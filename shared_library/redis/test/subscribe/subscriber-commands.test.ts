// Commands: delivered once and only before they expire; an invalid command does not use up its id.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { COMMANDS, frameOf, noteEnvelope } from '../channels.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';
import { slowHandler } from './slow-handler.fixture.ts';

describe('commands', () => {
  it('that expired are reported and counted, not delivered', async () => {
    const harness = new PubSubHarness();
    const slow = slowHandler();
    harness.subscriber.subscribe(COMMANDS, slow.handler);
    await harness.subscriber.startListening();
    await harness.publisher.publish(COMMANDS, { n: 1 });
    await harness.publisher.publish(COMMANDS, { n: 2 }, { expiresInMs: 100 });
    await harness.publisher.publish(COMMANDS, { n: 3 }, { expiresInMs: 101 });
    await harness.clock.advance(100);
    await slow.finish();
    expect(slow.numbers()).toEqual([1, 3]);
    expect(harness.expired).toMatchObject([{ channel: 'COMMANDS', message: { data: { n: 2 } } }]);
    expect(harness.subscriber.status(COMMANDS)).toMatchObject({ expired: 1, delivered: 2 });
    expect(harness.logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  it('that expired in one subscription are reported under its name', async () => {
    const harness = new PubSubHarness();
    const [slow, slower] = [slowHandler(), slowHandler()];
    const handled: number[] = [];
    harness.subscriber.subscribe(COMMANDS, ({ data }) => handled.push(data.n), { name: 'prompt' });
    harness.subscriber.subscribe(COMMANDS, slow.handler, { name: 'slow' });
    harness.subscriber.subscribe(COMMANDS, slower.handler);
    await harness.subscriber.startListening();
    await harness.publisher.publish(COMMANDS, { n: 1 });
    await harness.publisher.publish(COMMANDS, { n: 2 }, { expiresInMs: 100 });
    await harness.clock.advance(100);
    await slow.finish();
    await slower.finish();
    expect(handled).toEqual([1, 2]);
    const { message } = harness.expired[0] ?? {};
    expect(message).toMatchObject({ data: { n: 2 } });
    expect(harness.expired).toEqual([
      { channel: 'COMMANDS', subscription: 'slow', message },
      { channel: 'COMMANDS', message },
    ]);
    const warnings = harness.logger.lines.filter(({ level }) => level === 'warn');
    expect(warnings.map(({ fields }) => fields)).toMatchObject([
      { subscription: 'slow' },
      { channel: 'COMMANDS' },
    ]);
  });
});

it('command published again after the server lost its memory is delivered once', async () => {
  const { publisher, subscriber, server } = new PubSubHarness();
  const received: number[] = [];
  subscriber.subscribe(COMMANDS, ({ data }) => received.push(data.n));
  await subscriber.startListening();
  await eventLoopTurns(2);
  await publisher.publish(COMMANDS, { n: 1 }, { type: 'note', id: 'order-1' });
  server.flush();
  const again = await publisher.publish(COMMANDS, { n: 1 }, { type: 'note', id: 'order-1' });
  await publisher.publish(COMMANDS, { n: 2 }, { type: 'note', id: 'order-2' });
  await eventLoopTurns(5);
  expect(again.repeated).toBeUndefined();
  expect(received).toEqual([1, 2]);
  expect(subscriber.status(COMMANDS)).toMatchObject({ duplicates: 1 });
});

it('command that is invalid does not use up its id', async () => {
  const { subscriber, server } = new PubSubHarness();
  const received: number[] = [];
  subscriber.subscribe(COMMANDS, ({ data }) => received.push(data.n));
  await subscriber.startListening();
  await eventLoopTurns(2);
  const command = { ...noteEnvelope(1), id: 'order-1' };
  server.publishRaw(COMMANDS.name, frameOf({ ...command, data: { n: 'one' } }));
  server.publishRaw(COMMANDS.name, frameOf(command));
  server.publishRaw(COMMANDS.name, frameOf(command));
  await eventLoopTurns(3);
  expect(received).toEqual([1]);
  expect(subscriber.status(COMMANDS)).toMatchObject({ invalid: 1, duplicates: 1 });
});
