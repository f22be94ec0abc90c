// Handlers: what reaches them, in which order, what happens when they are slow or fail, and how it all ends.

import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ManualClock } from '../../adapters/manual-clock.ts';
import { defineChannel } from '../../core/channel.ts';
import type { Message } from '../../core/message.ts';
import { Subscriber } from '../../engine/subscriber.ts';
import { TickbusError } from '../../errors.ts';
import {
  ALERTS,
  Bench,
  CHAT,
  COMMANDS,
  deferred,
  errorOf,
  FakeTransport,
  FILLS,
  frameOf,
  noteEnvelope,
  PRICES,
  recordingLogger,
  turns,
} from '../helpers.ts';

/** A handler that notes the number of each message and stays with it until told. */
function slowHandler() {
  const started: Message<string, { n: number }>[] = [];
  let current = deferred();
  return {
    started,
    handler: (message: Message<string, { n: number }>) => {
      started.push(message);
      current = deferred();
      return current.promise;
    },
    finish: async () => {
      current.resolve();
      await turns();
    },
    numbers: () => started.map(({ data }) => data.n),
  };
}

describe('filters', () => {
  it('types: only those, and only their payloads', async () => {
    const { publisher, subscriber } = new Bench();
    const levels: string[] = [];
    const all: string[] = [];
    subscriber.subscribe(ALERTS, ({ data }) => levels.push(data.level), { types: ['alarm'] });
    subscriber.subscribe(ALERTS, ({ message_type }) => all.push(message_type));
    await subscriber.startListening();
    await publisher.publish(ALERTS, { n: 1 });
    await publisher.publish(ALERTS, { n: 2, level: 'high' }, { type: 'alarm' });
    expect(levels).toEqual(['high']);
    expect(all).toEqual(['note', 'alarm']);
  });

  it('keys and where', async () => {
    const bench = new Bench();
    const heard: [string, number][] = [];
    bench.subscriber.subscribe(PRICES, ({ data }) => heard.push([data.symbol, data.price]), {
      keys: ['A', 'B'],
      where: ({ data }) => data.price > 1,
    });
    await bench.subscriber.startListening();
    for (const [symbol, price] of [
      ['A', 1],
      ['A', 2],
      ['B', 3],
      ['C', 4],
    ] as const)
      await bench.price(symbol, price);
    expect(heard).toEqual([
      ['A', 2],
      ['B', 3],
    ]);
  });

  it('no types and no keys at all are a filter that nothing passes', async () => {
    const bench = new Bench();
    const heard: unknown[] = [];
    bench.subscriber.subscribe(PRICES, (message) => heard.push(message), { types: [] });
    bench.subscriber.subscribe(PRICES, (message) => heard.push(message), { keys: [] });
    await bench.subscriber.startListening();
    await bench.price('A', 1);
    expect(heard).toEqual([]);
  });

  it('are refused where the channel cannot serve them', () => {
    const { subscriber } = new Bench();
    const subscribing = (channel: typeof ALERTS, options: object) =>
      expect(() => subscriber.subscribe(channel, () => {}, options));
    const refusal = (text: RegExp) =>
      expect.objectContaining({ code: 'TICKBUS_INVALID_OPTION', message: expect.stringMatching(text) });
    subscribing(ALERTS, { types: ['nope'] }).toThrow(refusal(/no message type "nope"\. It has note, alarm/));
    subscribing(ALERTS, { types: ['toString'] }).toThrow(refusal(/"toString"/));
    subscribing(ALERTS, { keys: ['A'] }).toThrow(refusal(/has no key/));
    for (const queueLimit of [0, -1, Number.NaN]) {
      subscribing(ALERTS, { queueLimit }).toThrow(refusal(/queueLimit/));
    }
    expect(subscriber.status(ALERTS)).toBeUndefined();
  });

  it('a filter that throws is a handler error, and its handler goes without the message', async () => {
    const bench = new Bench();
    const heard: number[] = [];
    const failure = new Error('in where');
    bench.subscriber.subscribe(ALERTS, ({ data }) => heard.push(data.n), {
      where: ({ data }) => {
        if (data.n === 1) throw failure;
        return true;
      },
    });
    await bench.subscriber.startListening();
    await bench.notes(ALERTS, 1, 2);
    expect(heard).toEqual([2]);
    expect(bench.handlerErrors).toMatchObject([
      { channel: 'ALERTS', error: failure, message: { data: { n: 1 } } },
    ]);
    expect(bench.subscriber.status(ALERTS)).toMatchObject({ handlerErrors: 1, delivered: 1 });
  });
});

describe('handlers', () => {
  it('several on a channel get the same message, in the order of publication', async () => {
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

  it('can be added after startListening', async () => {
    const bench = new Bench();
    await bench.subscriber.startListening();
    const heard: number[] = [];
    bench.subscriber.subscribe(ALERTS, ({ data }) => heard.push(data.n));
    await turns();
    await bench.notes(ALERTS, 1);
    expect(heard).toEqual([1]);
  });

  it('run one message at a time when they return a promise', async () => {
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

  it('that are slow hold up nobody else', async () => {
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
    ['throws what is no error', () => Promise.reject(undefined)],
    [
      'returns a thenable that throws',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: it is what is tested
        then() {
          throw new Error('mine');
        },
      }),
    ],
  ])('one that %s is told of every time, and goes on as the others do', async (_, fail) => {
    const bench = new Bench();
    const own: number[] = [];
    const other: number[] = [];
    bench.subscriber.subscribe(FILLS, ({ data }) => {
      own.push(data.n);
      return fail();
    });
    bench.subscriber.subscribe(FILLS, ({ data }) => other.push(data.n));
    await bench.subscriber.startListening();
    await bench.notes(FILLS, 1, 2, 3);
    await turns();
    expect(own).toEqual([1, 2, 3]);
    expect(other).toEqual([1, 2, 3]);
    expect(bench.handlerErrors.map(({ channel, message }) => [channel, message.seq])).toEqual([
      ['FILLS', 1],
      ['FILLS', 2],
      ['FILLS', 3],
    ]);
    expect(bench.subscriber.status(FILLS)?.handlerErrors).toBe(3);
    expect(bench.logger.lines.filter(({ level }) => level === 'error')).toHaveLength(3);
    expect(bench.invalid).toEqual([]);
  });

  it('a listener of any event that throws stops nothing and is logged', async () => {
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
    // By a clock of the server that says something else than a moment ago, so that nobody knows how old it is.
    bench.clock.setNow(bench.clock.now() - 60_000);
    await bench.notes(COMMANDS, 2);
    bench.clock.setNow(bench.clock.now() + 60_000);
    await bench.notes(COMMANDS, 3);
    await turns();
    expect(heard).toContain(3);
    const events = bench.logger.lines.flatMap(({ fields }) => ('event' in fields ? [fields.event] : []));
    expect(new Set(events)).toEqual(new Set(['status', 'invalid_message', 'handler_error', 'expired']));
  });
});

describe('unsubscribing', () => {
  it('ends one handler and not the others; calling it again does nothing', async () => {
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

  it('within the handler: no message after it, and the others get theirs', async () => {
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

  it('drops what waits', async () => {
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

  it('the last one leaves the channel', async () => {
    const bench = new Bench();
    const end = bench.subscriber.subscribe(ALERTS, () => {});
    await bench.subscriber.startListening();
    end();
    await turns();
    expect(bench.subscriber.status(ALERTS)).toBeUndefined();
    expect(await bench.publisher.publish(ALERTS, { n: 1 })).toMatchObject({ receivers: 0 });
  });

  it('and subscribing again at once listens again', async () => {
    const bench = new Bench();
    await bench.subscriber.startListening();
    const heard: number[] = [];
    bench.subscriber.subscribe(ALERTS, () => {})();
    bench.subscriber.subscribe(ALERTS, ({ data }) => heard.push(data.n));
    await turns();
    await bench.notes(ALERTS, 1);
    expect(heard).toEqual([1]);
  });
});

describe('a handler that is behind', () => {
  it('on a state channel gets the newest of each key, and how many were merged into it', async () => {
    const bench = new Bench();
    const gate = deferred();
    const heard: unknown[] = [];
    bench.subscriber.subscribe(PRICES, ({ data, conflated }) => {
      heard.push([data.symbol, data.price, conflated]);
      return heard.length === 1 ? gate.promise : undefined;
    });
    await bench.subscriber.startListening();
    for (const [symbol, price] of [
      ['A', 1],
      ['A', 2],
      ['B', 1],
      ['A', 3],
    ] as const)
      await bench.price(symbol, price);
    await turns();
    gate.resolve();
    await turns();
    expect(heard).toEqual([
      ['A', 1, undefined],
      ['B', 1, undefined],
      ['A', 3, 1],
    ]);
    expect(bench.subscriber.status(PRICES)).toMatchObject({
      received: 4,
      delivered: 3,
      conflated: 1,
      lost: 0,
    });
  });

  it('on an event channel gets every message', async () => {
    const bench = new Bench();
    const slow = slowHandler();
    bench.subscriber.subscribe(FILLS, slow.handler);
    await bench.subscriber.startListening();
    for (let n = 1; n <= 5; n++) {
      await bench.notes(FILLS, n);
      await turns();
    }
    for (let n = 1; n <= 5; n++) await slow.finish();
    expect(slow.numbers()).toEqual([1, 2, 3, 4, 5]);
  });

  it('past its limit loses the oldest, told with the exact range before the next one', async () => {
    const bench = new Bench();
    const slow = slowHandler();
    bench.subscriber.subscribe(FILLS, slow.handler, { queueLimit: 2 });
    await bench.subscriber.startListening();
    await bench.notes(FILLS, 1, 2, 3, 4, 5, 6);
    const epoch = bench.subscriber.status(FILLS)?.position?.epoch;
    expect(bench.gaps).toEqual([]);
    await slow.finish();
    expect(bench.gaps).toEqual([
      { type: 'gap', channel: 'FILLS', cause: 'overflow', epoch, from: 2, to: 4, lost: 3, repaired: false },
    ]);
    await slow.finish();
    await slow.finish();
    expect(slow.numbers()).toEqual([1, 5, 6]);
    expect(bench.subscriber.status(FILLS)).toMatchObject({ lost: 3, delivered: 3 });
  });

  it('loses only what it asked for', async () => {
    const bench = new Bench();
    const slow = slowHandler();
    bench.subscriber.subscribe(FILLS, slow.handler, { queueLimit: 1, where: ({ data }) => data.n % 2 === 1 });
    await bench.subscriber.startListening();
    await bench.notes(FILLS, 1, 2, 3, 4, 5, 6, 7);
    await slow.finish();
    expect(bench.gaps).toMatchObject([{ from: 3, to: 5, lost: 2 }]);
    expect(slow.numbers()).toEqual([1, 7]);
  });

  it('on a plain channel is told how many, without numbers', async () => {
    const bench = new Bench();
    const slow = slowHandler();
    bench.subscriber.subscribe(CHAT, slow.handler, { queueLimit: 1 });
    await bench.subscriber.startListening();
    await bench.notes(CHAT, 1, 2, 3, 4);
    await slow.finish();
    expect(bench.gaps).toMatchObject([
      { cause: 'overflow', epoch: undefined, from: undefined, to: undefined, lost: 2 },
    ]);
    expect(slow.numbers()).toEqual([1, 4]);
  });

  it('gives the event loop its turn after 10 ms of handling, and takes up where it was', async () => {
    const bench = new Bench();
    const heard: number[] = [];
    let turn = 0;
    const turnOf: number[] = [];
    const count = () => {
      turn++;
      if (turn < 50) setImmediate(count);
    };
    bench.subscriber.subscribe(FILLS, ({ data }) => {
      heard.push(data.n);
      turnOf.push(turn);
      // The time that a handler takes.
      void bench.clock.advance(6);
    });
    await bench.subscriber.startListening();
    await turns();
    count();
    await Promise.all([1, 2, 3, 4, 5, 6].map((n) => bench.publisher.publish(FILLS, { n })));
    await turns(10);
    expect(heard).toEqual([1, 2, 3, 4, 5, 6]);
    // Two take more than 10 ms; the turns in between are the event loop's.
    const [first, , third, , fifth] = turnOf as [number, number, number, number, number];
    expect(turnOf).toEqual([first, first, third, third, fifth, fifth]);
    expect(third).toBeGreaterThan(first);
    expect(fifth).toBeGreaterThan(third);
  });
});

describe('commands', () => {
  it('are not delivered once expired, and that is told and counted', async () => {
    const bench = new Bench();
    const slow = slowHandler();
    bench.subscriber.subscribe(COMMANDS, slow.handler);
    await bench.subscriber.startListening();
    await bench.publisher.publish(COMMANDS, { n: 1 });
    await bench.publisher.publish(COMMANDS, { n: 2 }, { expiresInMs: 100 });
    await bench.publisher.publish(COMMANDS, { n: 3 }, { expiresInMs: 101 });
    await bench.clock.advance(100);
    await slow.finish();
    expect(slow.numbers()).toEqual([1, 3]);
    expect(bench.expired).toMatchObject([{ channel: 'COMMANDS', message: { data: { n: 2 } } }]);
    expect(bench.subscriber.status(COMMANDS)).toMatchObject({ expired: 1, delivered: 2 });
    expect(bench.logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });
});

describe('messages()', () => {
  it('gives the messages to a loop, and its body is the handler', async () => {
    const bench = new Bench();
    const messages = bench.subscriber.messages(FILLS);
    await bench.subscriber.startListening();
    await bench.notes(FILLS, 1, 2, 3);
    const heard: number[] = [];
    for await (const { data } of messages) {
      heard.push(data.n);
      expect(bench.subscriber.status(FILLS)?.queueDepth).toBe(3 - data.n);
      if (data.n === 3) break;
    }
    expect(heard).toEqual([1, 2, 3]);
    expect(bench.subscriber.status(FILLS)).toBeUndefined();
  });

  it('holds messages in the bounded queue while the body works', async () => {
    const bench = new Bench();
    const messages = bench.subscriber.messages(FILLS, { queueLimit: 2 });
    await bench.subscriber.startListening();
    await bench.notes(FILLS, 1);
    expect((await messages.next()).value?.data.n).toBe(1);
    await bench.notes(FILLS, 2, 3, 4, 5);
    expect((await messages.next()).value?.data.n).toBe(4);
    expect(bench.gaps).toMatchObject([{ cause: 'overflow', from: 2, to: 3, lost: 2 }]);
    await messages.return?.();
  });

  it('waits for what comes', async () => {
    const bench = new Bench();
    const messages = bench.subscriber.messages(FILLS);
    await bench.subscriber.startListening();
    const [first, second] = [messages.next(), messages.next()];
    await bench.notes(FILLS, 1, 2);
    expect([(await first).value?.data.n, (await second).value?.data.n]).toEqual([1, 2]);
    await messages.return?.();
  });

  it('ends with close(), after what was received', async () => {
    const bench = new Bench();
    const messages = bench.subscriber.messages(FILLS);
    await bench.subscriber.startListening();
    await bench.notes(FILLS, 1, 2, 3);
    await bench.subscriber.close();
    const heard: number[] = [];
    for await (const { data } of messages) heard.push(data.n);
    expect(heard).toEqual([1, 2, 3]);
    expect(bench.gaps).toEqual([]);
  });

  it('ends a loop that waits when the subscriber is closed', async () => {
    const bench = new Bench();
    const messages = bench.subscriber.messages(FILLS);
    await bench.subscriber.startListening();
    const waiting = messages.next();
    await bench.subscriber.close();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await messages.next()).toEqual({ done: true, value: undefined });
  });

  it('leaving the loop twice, or after the end, does no harm', async () => {
    const bench = new Bench();
    const messages = bench.subscriber.messages(FILLS);
    await messages.return?.();
    await messages.return?.();
    expect(await messages.next()).toMatchObject({ done: true });
    await bench.subscriber.close();
  });
});

describe('close', () => {
  it('lets the handlers finish what was received', async () => {
    const bench = new Bench();
    const slow = slowHandler();
    bench.subscriber.subscribe(FILLS, slow.handler);
    await bench.subscriber.startListening();
    await bench.notes(FILLS, 1, 2);
    let closed = false;
    const closing = bench.subscriber.close().then(() => {
      closed = true;
    });
    await turns();
    await bench.notes(FILLS, 3);
    await slow.finish();
    expect(closed).toBe(false);
    await slow.finish();
    await closing;
    expect(slow.numbers()).toEqual([1, 2]);
    expect(bench.gaps).toEqual([]);
  });

  it('drops what is not handled in time, and tells it as a gap', async () => {
    const bench = new Bench();
    const slow = slowHandler();
    bench.subscriber.subscribe(FILLS, slow.handler);
    await bench.subscriber.startListening();
    await bench.notes(FILLS, 1, 2, 3);
    const closing = bench.subscriber.close({ timeoutMs: 200 });
    await turns();
    await bench.clock.advance(200);
    await closing;
    expect(bench.gaps).toMatchObject([{ cause: 'overflow', from: 2, to: 3, lost: 2 }]);
    await slow.finish();
    expect(slow.numbers()).toEqual([1]);
  });

  it('twice waits twice', async () => {
    const bench = new Bench();
    const slow = slowHandler();
    bench.subscriber.subscribe(FILLS, slow.handler);
    await bench.subscriber.startListening();
    await bench.notes(FILLS, 1);
    let ended = 0;
    for (let n = 0; n < 2; n++) void bench.subscriber.close().then(() => ended++);
    await turns();
    expect(ended).toBe(0);
    await slow.finish();
    expect(ended).toBe(2);
  });

  it('refuses everything afterwards', async () => {
    const { subscriber } = new Bench();
    await subscriber.close();
    await subscriber.close();
    const closed = { code: 'TICKBUS_CLOSED' };
    expect(await errorOf(subscriber.startListening())).toMatchObject(closed);
    expect(await errorOf(() => subscriber.subscribe(FILLS, () => {}))).toMatchObject(closed);
    expect(await errorOf(() => subscriber.messages(FILLS))).toMatchObject(closed);
  });

  it('comes with `await using`', async () => {
    const { subscriber } = new Bench();
    {
      await using scoped = subscriber;
      await scoped.startListening();
    }
    expect(await errorOf(subscriber.startListening())).toMatchObject({ code: 'TICKBUS_CLOSED' });
  });
});

describe('startListening', () => {
  function bench() {
    const transport = new FakeTransport();
    const subscriber = new Subscriber({ transport, clock: new ManualClock(), logger: recordingLogger() });
    return { transport, subscriber };
  }

  it('resolves when every subscription is acknowledged, for everybody who called it', async () => {
    const { transport, subscriber } = bench();
    const acknowledged = deferred();
    transport.onSubscribe = () => acknowledged.promise;
    subscriber.subscribe(FILLS, () => {});
    let listening = 0;
    for (let n = 0; n < 2; n++) void subscriber.startListening().then(() => listening++);
    await turns();
    expect(listening).toBe(0);
    acknowledged.resolve();
    await turns();
    expect(listening).toBe(2);
  });

  it('fails when a subscription is refused, and tries again when it is called again', async () => {
    const { transport, subscriber } = bench();
    const heard: number[] = [];
    subscriber.subscribe(FILLS, ({ data }) => heard.push(data.n));
    transport.onSubscribe = () => Promise.reject({ code: 'TICKBUS_DENIED' });
    expect(await errorOf(subscriber.startListening())).toEqual({ code: 'TICKBUS_DENIED' });
    transport.onSubscribe = async () => {};
    await subscriber.startListening();
    await turns();
    transport.push(noteEnvelope(1, { epoch: 1, seq: 1 }));
    expect(heard).toEqual([1]);
  });

  it('fails when there is no connection, and can be called again', async () => {
    const { transport, subscriber } = bench();
    transport.connect = () => Promise.reject({ code: 'TICKBUS_CONNECT_FAILED' });
    expect(await errorOf(subscriber.startListening())).toEqual({ code: 'TICKBUS_CONNECT_FAILED' });
    transport.connect = async () => {};
    await subscriber.startListening();
  });

  it('tells of a subscription that is refused later, and goes on with the others', async () => {
    const { transport, subscriber } = bench();
    const statuses: unknown[] = [];
    subscriber.on('status', (status) => statuses.push(status));
    await subscriber.startListening();
    const error = { code: 'TICKBUS_DENIED' };
    transport.onSubscribe = () => Promise.reject(error);
    subscriber.subscribe(FILLS, () => {});
    await turns();
    expect(statuses).toEqual([{ type: 'recovery_failed', channel: 'FILLS', error }]);
  });
});

describe('two definitions', () => {
  it('of one channel in one subscriber are refused', () => {
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

it('a command that reaches the server again after it forgot everything is delivered once', async () => {
  const { publisher, subscriber, server } = new Bench();
  const heard: number[] = [];
  subscriber.subscribe(COMMANDS, ({ data }) => heard.push(data.n));
  await subscriber.startListening();
  await turns(2);
  await publisher.publish(COMMANDS, { n: 1 }, { type: 'note', id: 'order-1' });
  server.flush();
  const again = await publisher.publish(COMMANDS, { n: 1 }, { type: 'note', id: 'order-1' });
  await publisher.publish(COMMANDS, { n: 2 }, { type: 'note', id: 'order-2' });
  await turns(5);
  expect(again.repeated).toBeUndefined();
  expect(heard).toEqual([1, 2]);
  expect(subscriber.status(COMMANDS)).toMatchObject({ duplicates: 1 });
});

describe('slowness', () => {
  it('of a handler is told once when messages wait for a second, and again after it has caught up', async () => {
    const { publisher, subscriber, clock, statuses } = new Bench();
    let finish: () => void = () => {};
    subscriber.subscribe(
      FILLS,
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    );
    await subscriber.startListening();
    await turns(2);
    const slow = () => statuses.filter(({ type }) => type === 'slow');
    for (let episode = 1; episode <= 2; episode++) {
      for (const n of [1, 2]) await publisher.publish(FILLS, { n }, { type: 'note' });
      await turns(2);
      await clock.advance(3_500);
      expect(slow().length).toBe(episode);
      expect(slow().at(-1)).toMatchObject({ type: 'slow', channel: FILLS.name, cause: 'handler' });
      expect(subscriber.status(FILLS)?.behindMs).toBeGreaterThanOrEqual(3_500);
      for (let left = 2; left > 0; left--) {
        finish();
        await turns(2);
      }
      await clock.advance(1_000);
      expect(subscriber.status(FILLS)?.behindMs).toBe(0);
    }
  });

  it('of the whole process is told when the event loop was blocked', async () => {
    const { subscriber, clock, statuses } = new Bench();
    subscriber.subscribe(FILLS, () => {});
    await subscriber.startListening();
    await turns(2);
    await clock.advance(900);
    // The clock goes on and the timers do not run, as in a blocked process.
    clock.skip(5_000);
    await clock.advance(0);
    expect(statuses.filter(({ type }) => type === 'slow')).toEqual([
      { type: 'slow', channel: FILLS.name, cause: 'blocked', behindMs: 4_900 },
    ]);
  });
});

describe('statusChanges', () => {
  it('gives what is told to a loop, until the subscriber is closed', async () => {
    const { subscriber } = new Bench();
    subscriber.subscribe(FILLS, () => {});
    const changes = subscriber.statusChanges();
    await subscriber.startListening();
    await turns(2);
    await subscriber.close();
    const types: string[] = [];
    for await (const { type } of changes) types.push(type);
    expect(types).toEqual(['connected', 'recovering', 'live']);
  });

  it('lets go when the loop is left, and of the oldest when the loop is far behind', async () => {
    const { subscriber, connection } = new Bench();
    subscriber.subscribe(FILLS, () => {});
    await subscriber.startListening();
    const left = subscriber.statusChanges();
    const behind = subscriber.statusChanges();
    const waiting = left.next();
    connection.subscribing.disconnect();
    expect((await waiting).value).toMatchObject({ type: 'disconnected' });
    await left.return?.();
    for (let cut = 0; cut < 600; cut++) {
      connection.subscribing.reconnect();
      connection.subscribing.disconnect();
    }
    expect(await left.next()).toEqual({ done: true, value: undefined });
    await subscriber.close();
    let count = 0;
    for await (const _ of behind) count++;
    expect(count).toBe(1_000);
  });
});

describe('startListening', () => {
  it('resolves only when the place in the channel is known, so that a link lost before that costs nothing in silence', async () => {
    const { publisher, subscriber, connection, link, statuses } = new Bench();
    const heard: number[] = [];
    subscriber.subscribe(ALERTS, ({ data }) => heard.push(data.n));
    const read = link.read.bind(link);
    const firstRead = deferred<void>();
    link.read = async () => {
      link.read = read;
      firstRead.resolve();
      throw new TickbusError('TICKBUS_NOT_CONNECTED', 'The link went down before the reply.');
    };
    let isListening = false;
    const listening = subscriber.startListening().then(() => {
      isListening = true;
    });
    await firstRead.promise;
    connection.subscribing.disconnect();
    await publisher.publish(ALERTS, { n: 1 }, { type: 'note' });
    await turns(5);
    expect(isListening).toBe(false);
    connection.subscribing.reconnect();
    await listening;
    connection.subscribing.disconnect();
    await publisher.publish(ALERTS, { n: 2 }, { type: 'note' });
    connection.subscribing.reconnect();
    await publisher.publish(ALERTS, { n: 3 }, { type: 'note' });
    await turns(5);
    expect(heard).toEqual([3]);
    expect(statuses.filter(({ type }) => type === 'gap')).toMatchObject([{ from: 2, to: 2, lost: 1 }]);
  });

  it('rejects when the link fails for good meanwhile', async () => {
    const transport = new FakeTransport();
    const subscriber = new Subscriber({ transport, clock: new ManualClock(), logger: recordingLogger() });
    transport.onRead = () => new Promise(() => {});
    subscriber.subscribe(ALERTS, () => {});
    const listening = errorOf(subscriber.startListening());
    await turns(3);
    transport.tell({ type: 'failed', error: new TickbusError('TICKBUS_AUTH_FAILED', 'Refused.') });
    expect(await listening).toMatchObject({ code: 'TICKBUS_AUTH_FAILED' });
  });
});

it('what is merged in a message that is dropped is told as lost with it', async () => {
  const bench = new Bench();
  const { subscriber, statuses, clock } = bench;
  const slow = slowHandler();
  subscriber.subscribe(PRICES, slow.handler as never, { queueLimit: 1 });
  await subscriber.startListening();
  await turns(2);
  await bench.price('A', 1);
  await turns(2);
  for (const price of [2, 3, 4]) {
    await bench.price('B', price);
    await turns(2);
  }
  await bench.price('C', 5);
  await turns(2);
  await slow.finish();
  await clock.advance(0);
  await turns(2);
  expect(slow.started.map(({ seq }) => seq)).toEqual([1, 5]);
  expect(statuses.filter(({ type }) => type === 'gap')).toMatchObject([
    { cause: 'overflow', from: 2, to: 4, lost: 3, repaired: false },
  ]);
  expect(subscriber.status(PRICES)).toMatchObject({ lost: 3, gaps: 1 });
});

it('an invalid command does not use up its id', async () => {
  const { subscriber, server } = new Bench();
  const heard: number[] = [];
  subscriber.subscribe(COMMANDS, ({ data }) => heard.push(data.n));
  await subscriber.startListening();
  await turns(2);
  const command = { ...noteEnvelope(1), id: 'order-1' };
  server.publishRaw(COMMANDS.name, frameOf({ ...command, data: { n: 'one' } }));
  server.publishRaw(COMMANDS.name, frameOf(command));
  server.publishRaw(COMMANDS.name, frameOf(command));
  await turns(3);
  expect(heard).toEqual([1]);
  expect(subscriber.status(COMMANDS)).toMatchObject({ invalid: 1, duplicates: 1 });
});

describe('latest', () => {
  it.each(['message', 'batch'] as const)(
    'gives what the schema gives out, live and as a snapshot (framing %s)',
    async (framing) => {
      const bench = new Bench();
      const quotes = defineChannel('QUOTES', {
        kind: 'state',
        key: 'symbol',
        framing,
        messages: { quote: z.object({ symbol: z.string(), price: z.string().transform(Number) }) },
      });
      const heard: Message[] = [];
      await bench.publisher.publish(quotes, { symbol: 'A', price: '1.5' });
      bench.subscriber.subscribe(quotes, (message) => heard.push(message));
      await bench.subscriber.startListening();
      await turns();
      expect(bench.subscriber.latest(quotes, 'A').message).toEqual(heard[0]);
      expect(heard[0]).toMatchObject({ data: { price: 1.5 }, snapshot: true });
      await bench.publisher.publish(quotes, { symbol: 'A', price: '2.5' });
      await turns();
      expect(bench.subscriber.latest(quotes, 'A').message).toEqual(heard[1]);
      expect(heard[1]).toMatchObject({ seq: 2, data: { price: 2.5 } });
      expect(heard[1]).not.toHaveProperty('snapshot');
    },
  );
});
