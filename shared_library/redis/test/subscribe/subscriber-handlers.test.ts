// Handlers: order, isolation from each other, errors and unsubscribing.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { defineChannel } from '../../channel/channel.ts';
import type { Message } from '../../wire/message.ts';
import { ALERTS, COMMANDS, errorWith, FILLS } from '../channels.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';
import { slowHandler } from './slow-handler.fixture.ts';

describe('handlers', () => {
  it('on one channel receive the same messages in order of publication', async () => {
    const harness = new PubSubHarness();
    const first: Message[] = [];
    const second: Message[] = [];
    harness.subscriber.subscribe(ALERTS, (message) => first.push(message));
    harness.subscriber.subscribe(ALERTS, (message) => second.push(message));
    await harness.subscriber.startListening();
    await harness.publishNotes(ALERTS, 1, 2, 3);
    expect(first.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(second).toEqual(first);
    expect(harness.subscriber.status(ALERTS)).toMatchObject({ received: 3, delivered: 6, queueDepth: 0 });
  });

  it('can be added after startListening()', async () => {
    const harness = new PubSubHarness();
    await harness.subscriber.startListening();
    const received: number[] = [];
    harness.subscriber.subscribe(ALERTS, ({ data }) => received.push(data.n));
    await eventLoopTurns();
    await harness.publishNotes(ALERTS, 1);
    expect(received).toEqual([1]);
  });

  it('that return a promise receive one message at a time', async () => {
    const harness = new PubSubHarness();
    const slow = slowHandler();
    harness.subscriber.subscribe(FILLS, slow.handler);
    await harness.subscriber.startListening();
    await harness.publishNotes(FILLS, 1, 2, 3);
    for (const done of [[1], [1, 2], [1, 2, 3]]) {
      expect(slow.numbers()).toEqual(done);
      expect(harness.subscriber.status(FILLS)?.queueDepth).toBe(3 - done.length);
      await slow.finish();
    }
  });

  it('that are slow do not delay other handlers', async () => {
    const harness = new PubSubHarness();
    const quick: number[] = [];
    harness.subscriber.subscribe(FILLS, () => new Promise(() => {}));
    harness.subscriber.subscribe(FILLS, ({ data }) => quick.push(data.n));
    await harness.subscriber.startListening();
    await harness.publishNotes(FILLS, 1, 2, 3);
    expect(quick).toEqual([1, 2, 3]);
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('mine');
      },
    ],
    ['rejects', () => Promise.reject(new Error('mine'))],
    ['throws a non-error', () => Promise.reject(undefined)],
    [
      'returns a thenable that throws',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: the test needs a thenable
        then() {
          throw new Error('mine');
        },
      }),
    ],
  ])('one that %s is reported as handler_error each time, and every handler continues', async (_, fail) => {
    const harness = new PubSubHarness();
    const own: number[] = [];
    const other: number[] = [];
    const failing = ({ data }: { data: { n: number } }) => {
      own.push(data.n);
      return fail();
    };
    harness.subscriber.subscribe(FILLS, failing, { name: 'failing' });
    harness.subscriber.subscribe(FILLS, ({ data }) => other.push(data.n));
    await harness.subscriber.startListening();
    await harness.publishNotes(FILLS, 1, 2, 3);
    await eventLoopTurns();
    expect(own).toEqual([1, 2, 3]);
    expect(other).toEqual([1, 2, 3]);
    const reports = harness.handlerErrors.map((error) => [
      error.channel,
      error.subscription,
      error.message.seq,
    ]);
    expect(reports).toEqual([
      ['FILLS', 'failing', 1],
      ['FILLS', 'failing', 2],
      ['FILLS', 'failing', 3],
    ]);
    expect(harness.subscriber.status(FILLS)?.handlerErrors).toBe(3);
    expect(harness.logger.lines.filter(({ level }) => level === 'error')).toHaveLength(3);
    expect(harness.invalid).toEqual([]);
  });

  it('listener of any event that throws is logged and stops nothing', async () => {
    const harness = new PubSubHarness();
    const received: number[] = [];
    const fail = () => {
      throw new Error('in a listener');
    };
    for (const event of ['status', 'invalid_message', 'handler_error', 'expired'] as const)
      harness.subscriber.on(event, fail);
    harness.subscriber.subscribe(COMMANDS, ({ data }) => {
      received.push(data.n);
      throw new Error('in a handler');
    });
    await harness.subscriber.startListening();
    harness.server.publishRaw('COMMANDS', new Uint8Array([1]));
    await harness.publishNotes(COMMANDS, 1);
    // The server clock jumps back, so the age of the command is unknown.
    harness.clock.setNow(harness.clock.now() - 60_000);
    await harness.publishNotes(COMMANDS, 2);
    harness.clock.setNow(harness.clock.now() + 60_000);
    await harness.publishNotes(COMMANDS, 3);
    await eventLoopTurns();
    expect(received).toContain(3);
    const events = harness.logger.lines.flatMap(({ fields }) => ('event' in fields ? [fields.event] : []));
    expect(new Set(events)).toEqual(new Set(['status', 'invalid_message', 'handler_error', 'expired']));
  });
});

describe('unsubscribing', () => {
  it('ends one handler and keeps the others; a second call does nothing', async () => {
    const harness = new PubSubHarness();
    const first: number[] = [];
    const second: number[] = [];
    const end = harness.subscriber.subscribe(ALERTS, ({ data }) => first.push(data.n));
    harness.subscriber.subscribe(ALERTS, ({ data }) => second.push(data.n));
    await harness.subscriber.startListening();
    await harness.publishNotes(ALERTS, 1);
    end();
    end();
    await harness.publishNotes(ALERTS, 2);
    expect([first, second]).toEqual([[1], [1, 2]]);
  });

  it('within the handler stops it before the next message', async () => {
    const harness = new PubSubHarness();
    const first: number[] = [];
    const second: number[] = [];
    const end = harness.subscriber.subscribe(ALERTS, ({ data }) => {
      first.push(data.n);
      if (data.n === 2) end();
    });
    harness.subscriber.subscribe(ALERTS, ({ data }) => second.push(data.n));
    await harness.subscriber.startListening();
    await harness.publishNotes(ALERTS, 1, 2, 3);
    expect([first, second]).toEqual([
      [1, 2],
      [1, 2, 3],
    ]);
  });

  it('drops the waiting messages', async () => {
    const harness = new PubSubHarness();
    const slow = slowHandler();
    const end = harness.subscriber.subscribe(FILLS, slow.handler);
    harness.subscriber.subscribe(FILLS, () => {});
    await harness.subscriber.startListening();
    await harness.publishNotes(FILLS, 1, 2, 3);
    end();
    await slow.finish();
    expect(slow.numbers()).toEqual([1]);
    expect(harness.gaps).toEqual([]);
  });

  it('the last handler leaves the channel', async () => {
    const harness = new PubSubHarness();
    const end = harness.subscriber.subscribe(ALERTS, () => {});
    await harness.subscriber.startListening();
    end();
    await eventLoopTurns();
    expect(harness.subscriber.status(ALERTS)).toBeUndefined();
    expect(await harness.publisher.publish(ALERTS, { n: 1 })).toMatchObject({ receivers: 0 });
  });

  it('and subscribing again at once receives messages', async () => {
    const harness = new PubSubHarness();
    await harness.subscriber.startListening();
    const received: number[] = [];
    harness.subscriber.subscribe(ALERTS, () => {})();
    harness.subscriber.subscribe(ALERTS, ({ data }) => received.push(data.n));
    await eventLoopTurns();
    await harness.publishNotes(ALERTS, 1);
    expect(received).toEqual([1]);
  });
});

describe('two definitions of one channel', () => {
  it('in one subscriber throw TICKBUS_INVALID_OPTION', () => {
    const { subscriber } = new PubSubHarness();
    subscriber.subscribe(FILLS, () => {});
    const other = defineChannel('FILLS', { kind: 'event', messages: FILLS.messages });
    expect(() => subscriber.subscribe(other, () => {})).toThrow(
      errorWith('TICKBUS_INVALID_OPTION', {
        message: expect.stringMatching(/another definition/),
      }),
    );
  });
});
