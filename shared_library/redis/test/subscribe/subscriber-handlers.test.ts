// Handlers: order, isolation from each other, errors and unsubscribing.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import type { Message } from '../../wire/message.ts';
import { ALERTS, Bench, COMMANDS, FILLS } from '../library.fixture.ts';
import { slowHandler } from './slow-handler.fixture.ts';

describe('handlers', () => {
  it('on one channel receive the same messages in order of publication', async () => {
    const bench = new Bench();
    const first: Message[] = [];
    const second: Message[] = [];
    bench.subscriber.subscribe(ALERTS, (message) => first.push(message));
    bench.subscriber.subscribe(ALERTS, (message) => second.push(message));
    await bench.subscriber.startListening();
    await bench.notes(ALERTS, 1, 2, 3);
    expect(first.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(second).toEqual(first);
    expect(bench.subscriber.status(ALERTS)).toMatchObject({ received: 3, delivered: 6, queueDepth: 0 });
  });

  it('can be added after startListening()', async () => {
    const bench = new Bench();
    await bench.subscriber.startListening();
    const heard: number[] = [];
    bench.subscriber.subscribe(ALERTS, ({ data }) => heard.push(data.n));
    await eventLoopTurns();
    await bench.notes(ALERTS, 1);
    expect(heard).toEqual([1]);
  });

  it('that return a promise receive one message at a time', async () => {
    const bench = new Bench();
    const slow = slowHandler();
    bench.subscriber.subscribe(FILLS, slow.handler);
    await bench.subscriber.startListening();
    await bench.notes(FILLS, 1, 2, 3);
    for (const done of [[1], [1, 2], [1, 2, 3]]) {
      expect(slow.numbers()).toEqual(done);
      expect(bench.subscriber.status(FILLS)?.queueDepth).toBe(3 - done.length);
      await slow.finish();
    }
  });

  it('that are slow do not delay other handlers', async () => {
    const bench = new Bench();
    const quick: number[] = [];
    bench.subscriber.subscribe(FILLS, () => new Promise(() => {}));
    bench.subscriber.subscribe(FILLS, ({ data }) => quick.push(data.n));
    await bench.subscriber.startListening();
    await bench.notes(FILLS, 1, 2, 3);
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
        // biome-ignore lint/suspicious/noThenProperty: it is what is tested
        then() {
          throw new Error('mine');
        },
      }),
    ],
  ])('one that %s is reported as handler_error each time, and every handler continues', async (_, fail) => {
    const bench = new Bench();
    const own: number[] = [];
    const other: number[] = [];
    const failing = ({ data }: { data: { n: number } }) => {
      own.push(data.n);
      return fail();
    };
    bench.subscriber.subscribe(FILLS, failing, { name: 'failing' });
    bench.subscriber.subscribe(FILLS, ({ data }) => other.push(data.n));
    await bench.subscriber.startListening();
    await bench.notes(FILLS, 1, 2, 3);
    await eventLoopTurns();
    expect(own).toEqual([1, 2, 3]);
    expect(other).toEqual([1, 2, 3]);
    const told = bench.handlerErrors.map((error) => [error.channel, error.subscription, error.message.seq]);
    expect(told).toEqual([
      ['FILLS', 'failing', 1],
      ['FILLS', 'failing', 2],
      ['FILLS', 'failing', 3],
    ]);
    expect(bench.subscriber.status(FILLS)?.handlerErrors).toBe(3);
    expect(bench.logger.lines.filter(({ level }) => level === 'error')).toHaveLength(3);
    expect(bench.invalid).toEqual([]);
  });

  it('listener of any event that throws is logged and stops nothing', async () => {
    const bench = new Bench();
    const heard: number[] = [];
    const fail = () => {
      throw new Error('in a listener');
    };
    for (const event of ['status', 'invalid_message', 'handler_error', 'expired'] as const)
      bench.subscriber.on(event, fail);
    bench.subscriber.subscribe(COMMANDS, ({ data }) => {
      heard.push(data.n);
      throw new Error('in a handler');
    });
    await bench.subscriber.startListening();
    bench.server.publishRaw('COMMANDS', new Uint8Array([1]));
    await bench.notes(COMMANDS, 1);
    // The server clock jumps back, so the age of the command is unknown.
    bench.clock.setNow(bench.clock.now() - 60_000);
    await bench.notes(COMMANDS, 2);
    bench.clock.setNow(bench.clock.now() + 60_000);
    await bench.notes(COMMANDS, 3);
    await eventLoopTurns();
    expect(heard).toContain(3);
    const events = bench.logger.lines.flatMap(({ fields }) => ('event' in fields ? [fields.event] : []));
    expect(new Set(events)).toEqual(new Set(['status', 'invalid_message', 'handler_error', 'expired']));
  });
});

describe('unsubscribing', () => {
  it('ends one handler and keeps the others; a second call does nothing', async () => {
    const bench = new Bench();
    const first: number[] = [];
    const second: number[] = [];
    const end = bench.subscriber.subscribe(ALERTS, ({ data }) => first.push(data.n));
    bench.subscriber.subscribe(ALERTS, ({ data }) => second.push(data.n));
    await bench.subscriber.startListening();
    await bench.notes(ALERTS, 1);
    end();
    end();
    await bench.notes(ALERTS, 2);
    expect([first, second]).toEqual([[1], [1, 2]]);
  });

  it('within the handler stops it before the next message', async () => {
    const bench = new Bench();
    const first: number[] = [];
    const second: number[] = [];
    const end = bench.subscriber.subscribe(ALERTS, ({ data }) => {
      first.push(data.n);
      if (data.n === 2) end();
    });
    bench.subscriber.subscribe(ALERTS, ({ data }) => second.push(data.n));
    await bench.subscriber.startListening();
    await bench.notes(ALERTS, 1, 2, 3);
    expect([first, second]).toEqual([
      [1, 2],
      [1, 2, 3],
    ]);
  });

  it('drops the waiting messages', async () => {
    const bench = new Bench();
    const slow = slowHandler();
    const end = bench.subscriber.subscribe(FILLS, slow.handler);
    bench.subscriber.subscribe(FILLS, () => {});
    await bench.subscriber.startListening();
    await bench.notes(FILLS, 1, 2, 3);
    end();
    await slow.finish();
    expect(slow.numbers()).toEqual([1]);
    expect(bench.gaps).toEqual([]);
  });

  it('the last handler leaves the channel', async () => {
    const bench = new Bench();
    const end = bench.subscriber.subscribe(ALERTS, () => {});
    await bench.subscriber.startListening();
    end();
    await eventLoopTurns();
    expect(bench.subscriber.status(ALERTS)).toBeUndefined();
    expect(await bench.publisher.publish(ALERTS, { n: 1 })).toMatchObject({ receivers: 0 });
  });

  it('and subscribing again at once receives messages', async () => {
    const bench = new Bench();
    await bench.subscriber.startListening();
    const heard: number[] = [];
    bench.subscriber.subscribe(ALERTS, () => {})();
    bench.subscriber.subscribe(ALERTS, ({ data }) => heard.push(data.n));
    await eventLoopTurns();
    await bench.notes(ALERTS, 1);
    expect(heard).toEqual([1]);
  });
});

describe('two definitions of one channel', () => {
  it('in one subscriber throw TICKBUS_INVALID_OPTION', () => {
    const { subscriber } = new Bench();
    subscriber.subscribe(FILLS, () => {});
    const other = { ...FILLS, name: 'FILLS' } as typeof FILLS;
    expect(() => subscriber.subscribe(other, () => {})).toThrow(
      expect.objectContaining({
        code: 'TICKBUS_INVALID_OPTION',
        message: expect.stringMatching(/another definition/),
      }),
    );
  });
});
