// One channel as a subscriber reads it: late joiners, holes, new epochs, links that drop, and what each of them tells.

import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../adapters/manual-clock.ts';
import type { Message } from '../../core/message.ts';
import type { ChannelState } from '../../core/ports.ts';
import type { Position } from '../../core/sequence.ts';
import { Subscriber } from '../../engine/subscriber.ts';
import {
  ALERTS,
  Bench,
  CHAT,
  COMMANDS,
  deferred,
  FakeTransport,
  FILLS,
  frameOf,
  noteEnvelope,
  PRICES,
  recordingLogger,
  turns,
} from '../helpers.ts';

type Note = Message<string, { n: number }>;
type Tick = Message<string, { symbol: string; price: number }>;

const numberOf = ({ data, snapshot }: Note) => (snapshot ? `${data.n} kept` : `${data.n}`);
const tickOf = ({ data, snapshot }: Tick) => `${data.symbol}${data.price}${snapshot ? ' kept' : ''}`;

/** A subscriber of FILLS, or another channel of notes, on a server in memory; what it hears, as text. */
async function listening(channel: typeof FILLS | typeof ALERTS | typeof COMMANDS | typeof CHAT = FILLS) {
  const bench = new Bench();
  const heard: string[] = [];
  bench.subscriber.subscribe(channel as typeof FILLS, (message) => heard.push(numberOf(message)));
  await bench.subscriber.startListening();
  await turns();
  return { bench, heard };
}

/** Where the reader of FILLS stands. */
function positionOf({ subscriber }: Bench): Position {
  const position = subscriber.status(FILLS)?.position;
  if (position === undefined) throw new Error('The reader has no position yet.');
  return position;
}

/** Loses the notes with these numbers, once each. */
function lose(bench: Bench, ...numbers: number[]): void {
  const left = new Set(numbers);
  bench.link.loses = ({ data }) => left.delete(data.n as number);
}

describe('a late joiner', () => {
  it('of a state channel starts with the last value of each key, then live', async () => {
    const bench = new Bench();
    for (const [symbol, price] of [
      ['A', 1],
      ['B', 1],
      ['A', 2],
    ] as const)
      await bench.price(symbol, price);
    const heard: string[] = [];
    bench.subscriber.subscribe(PRICES, (message) => heard.push(tickOf(message)));
    await bench.subscriber.startListening();
    await turns();
    expect(heard).toEqual(['B1 kept', 'A2 kept']);
    await bench.price('B', 2);
    expect(heard.slice(2)).toEqual(['B2']);
    expect(bench.gaps).toEqual([]);
  });

  it('gets only the kept values that it asked for', async () => {
    const bench = new Bench();
    for (const symbol of ['A', 'B', 'C']) await bench.price(symbol, 1);
    const heard: string[] = [];
    bench.subscriber.subscribe(PRICES, (message) => heard.push(tickOf(message)), { keys: ['B'] });
    await bench.subscriber.startListening();
    await turns();
    expect(heard).toEqual(['B1 kept']);
  });

  it.each([FILLS, ALERTS, COMMANDS])('of %s starts with nothing', async (channel) => {
    const bench = new Bench();
    await bench.notes(channel, 1, 2);
    const heard: string[] = [];
    bench.subscriber.subscribe(channel as typeof FILLS, (message) => heard.push(numberOf(message)));
    await bench.subscriber.startListening();
    await turns();
    await bench.notes(channel, 3);
    expect(heard).toEqual(['3']);
    expect(bench.gaps).toEqual([]);
  });

  it('a second handler on a live state channel gets the kept values, and the first hears nothing twice', async () => {
    const bench = new Bench();
    const first: string[] = [];
    const second: string[] = [];
    bench.subscriber.subscribe(PRICES, (message) => first.push(tickOf(message)));
    await bench.subscriber.startListening();
    await turns();
    await bench.price('A', 1);
    bench.subscriber.subscribe(PRICES, (message) => second.push(tickOf(message)));
    await bench.price('A', 2);
    await turns();
    await bench.price('A', 3);
    expect(first).toEqual(['A1', 'A2', 'A3']);
    expect(second.at(-1)).toBe('A3');
    expect(second.filter((one) => one.startsWith('A2'))).toHaveLength(1);
    expect(bench.gaps).toEqual([]);
  });

  it('a handler that is added while a state channel recovers gets the kept values, too', async () => {
    const bench = new Bench();
    const heard: string[] = [];
    bench.subscriber.subscribe(PRICES, () => {});
    await bench.subscriber.startListening();
    await turns();
    await bench.price('A', 1);
    const read = bench.link.read.bind(bench.link);
    const reply = deferred();
    bench.link.read = async (...args) => {
      const state = await read(...args);
      await reply.promise;
      return state;
    };
    bench.connection.subscribing.disconnect();
    bench.connection.subscribing.reconnect();
    await turns();
    expect(bench.subscriber.status(PRICES)?.mode).toBe('recovering');
    bench.subscriber.subscribe(PRICES, (message) => heard.push(tickOf(message)));
    reply.resolve();
    await turns();
    expect(heard).toEqual(['A1 kept']);
  });

  it('hears what is published while its channel is being read, once and in order', async () => {
    const transport = new FakeTransport();
    const subscriber = new Subscriber({ transport, clock: new ManualClock(), logger: recordingLogger() });
    const reply = deferred<ChannelState>();
    transport.onRead = () => reply.promise;
    const heard: string[] = [];
    subscriber.subscribe(FILLS, (message) => heard.push(numberOf(message)));
    const listening = subscriber.startListening();
    await turns();
    const envelopes = [4, 5, 6].map((n) => noteEnvelope(n, { epoch: 9, seq: n }));
    for (const envelope of envelopes) transport.push(envelope);
    expect(heard).toEqual([]);
    // The read was done between 5 and 6, and the reply handled after 6 had arrived.
    reply.resolve({ position: { epoch: 9, seq: 5 }, at: 0, entries: envelopes.slice(0, 2).map(frameOf) });
    await turns();
    expect(heard).toEqual(['4', '5', '6']);
    expect(subscriber.status(FILLS)).toMatchObject({ mode: 'live', position: { epoch: 9, seq: 6 }, gaps: 0 });
    await listening;
  });
});

describe('a hole', () => {
  it('in a channel with history is repaired in order, and told as repaired', async () => {
    const { bench, heard } = await listening(FILLS);
    lose(bench, 2, 3);
    await bench.notes(FILLS, 1, 2, 3, 4, 5);
    await turns();
    expect(heard).toEqual(['1', '2', '3', '4', '5']);
    const epoch = bench.subscriber.status(FILLS)?.position?.epoch;
    expect(bench.gaps).toEqual([
      { type: 'gap', channel: 'FILLS', cause: 'loss', epoch, from: 2, to: 3, lost: 0, repaired: true },
    ]);
    expect(bench.subscriber.status(FILLS)).toMatchObject({ gaps: 1, lost: 0, repaired: 2 });
  });

  it.each([ALERTS, COMMANDS])(
    'in %s, which keeps nothing, is a gap with its exact range',
    async (channel) => {
      const { bench, heard } = await listening(channel);
      lose(bench, 2, 3);
      await bench.notes(channel, 1, 2, 3, 4, 5);
      await turns();
      expect(heard).toEqual(['1', '4', '5']);
      const epoch = bench.subscriber.status(channel)?.position?.epoch;
      expect(bench.gaps).toEqual([
        {
          type: 'gap',
          channel: channel.name,
          cause: 'loss',
          epoch,
          from: 2,
          to: 3,
          lost: 2,
          repaired: false,
        },
      ]);
      expect(bench.subscriber.status(channel)).toMatchObject({ gaps: 1, lost: 2, repaired: 0 });
    },
  );

  it('longer than the history is a gap; what is left of it is marked and never told as whole', async () => {
    const { bench, heard } = await listening(FILLS);
    const all = Array.from({ length: 15 }, (_, n) => n + 1);
    lose(bench, ...all.slice(1, 14));
    await bench.notes(FILLS, ...all);
    await turns();
    // Ten are kept: 6 to 15. So 2 to 5 are lost.
    expect(bench.gaps).toMatchObject([{ cause: 'loss', from: 2, to: 5, lost: 4, repaired: false }]);
    expect(heard).toEqual(['1', ...all.slice(5, 14).map((n) => `${n} kept`), '15']);
    expect(bench.subscriber.status(FILLS)).toMatchObject({ lost: 4, repaired: 0 });
  });

  it('in a state channel brings the last values again', async () => {
    const bench = new Bench();
    const heard: string[] = [];
    bench.subscriber.subscribe(PRICES, (message) => heard.push(tickOf(message)));
    await bench.subscriber.startListening();
    await turns();
    bench.link.loses = ({ data }) => data.price === 2 || data.price === 3;
    for (const [symbol, price] of [
      ['A', 1],
      ['B', 2],
      ['B', 3],
      ['A', 4],
    ] as const)
      await bench.price(symbol, price);
    await turns();
    expect(heard).toEqual(['A1', 'B3 kept', 'A4']);
    expect(bench.gaps).toMatchObject([{ cause: 'loss', from: 2, to: 2, lost: 1, repaired: false }]);
  });

  it('two holes are two gaps', async () => {
    const { bench, heard } = await listening(ALERTS);
    lose(bench, 2, 5);
    for (let n = 1; n <= 6; n++) {
      await bench.notes(ALERTS, n);
      await turns();
    }
    expect(heard).toEqual(['1', '3', '4', '6']);
    expect(bench.gaps.map(({ from, to, lost }) => [from, to, lost])).toEqual([
      [2, 2, 1],
      [5, 5, 1],
    ]);
  });

  it('a message that comes again, or late, is not delivered again', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1, 2);
    const { epoch } = positionOf(bench);
    for (const seq of [1, 2]) bench.server.publishRaw('FILLS', frameOf(noteEnvelope(99, { epoch, seq })));
    bench.server.publishRaw('FILLS', frameOf(noteEnvelope(99, { epoch: epoch - 1, seq: 7 })));
    await turns();
    expect(heard).toEqual(['1', '2']);
    expect(bench.gaps).toEqual([]);
  });
});

describe('the last message', () => {
  it('when lost, is found by the look at the head within a second', async () => {
    const { bench, heard } = await listening(FILLS);
    lose(bench, 2);
    await bench.notes(FILLS, 1, 2);
    expect(heard).toEqual(['1']);
    await bench.clock.advance(1_000);
    await turns();
    expect(heard).toEqual(['1', '2']);
    expect(bench.gaps).toMatchObject([{ cause: 'loss', from: 2, to: 2, lost: 0, repaired: true }]);
  });

  it('when it is the very first of the channel, too', async () => {
    const { bench, heard } = await listening(ALERTS);
    lose(bench, 1);
    await bench.notes(ALERTS, 1);
    await bench.clock.advance(1_000);
    await turns();
    expect(heard).toEqual([]);
    expect(bench.gaps).toMatchObject([{ cause: 'loss', from: 1, to: 1, lost: 1, repaired: false }]);
  });

  it('a look that finds nothing is repeated every second and tells nothing', async () => {
    const { bench } = await listening(FILLS);
    await bench.notes(FILLS, 1);
    const { statuses, link } = bench;
    const told = statuses.length;
    const reads = link.reads.length;
    await bench.clock.advance(5_000);
    expect(link.reads).toHaveLength(reads + 5);
    expect(statuses).toHaveLength(told);
  });

  it('the look goes on when a read fails', async () => {
    const { bench, heard } = await listening(FILLS);
    const read = bench.link.read;
    bench.link.read = () => Promise.reject({ code: 'TICKBUS_SERVER_ERROR' });
    await bench.clock.advance(1_000);
    bench.link.read = read;
    lose(bench, 1);
    await bench.notes(FILLS, 1);
    await bench.clock.advance(1_000);
    await turns();
    expect(heard).toEqual(['1']);
  });
});

describe('a new epoch', () => {
  it('is told as a gap without an end, and what is there of it is delivered', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1, 2);
    const before = positionOf(bench);
    bench.server.flush();
    await bench.notes(FILLS, 3, 4);
    await turns();
    expect(heard).toEqual(['1', '2', '3', '4']);
    expect(bench.gaps).toEqual([
      {
        type: 'gap',
        channel: 'FILLS',
        cause: 'epoch',
        epoch: before.epoch,
        from: 3,
        to: undefined,
        lost: undefined,
        repaired: false,
      },
    ]);
    const after = bench.subscriber.status(FILLS)?.position;
    expect(after?.epoch).toBeGreaterThan(before.epoch);
    expect(after?.seq).toBe(2);
  });

  it('of which the beginning was missed tells that part exactly', async () => {
    const { bench, heard } = await listening(ALERTS);
    await bench.notes(ALERTS, 1);
    bench.server.flush();
    lose(bench, 2, 3);
    await bench.notes(ALERTS, 2, 3, 4);
    await turns();
    expect(heard).toEqual(['1', '4']);
    expect(bench.gaps).toMatchObject([
      { cause: 'epoch', from: 2, to: undefined },
      { cause: 'loss', from: 1, to: 2, lost: 2 },
    ]);
  });

  it('is noticed by the head, also when the server forgot everything', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1);
    bench.server.flush();
    await bench.clock.advance(1_000);
    await turns();
    expect(bench.gaps).toMatchObject([{ cause: 'epoch', from: 2 }]);
    await bench.notes(FILLS, 2);
    await turns();
    expect(heard).toEqual(['1', '2']);
    await bench.clock.advance(5_000);
    expect(bench.gaps).toHaveLength(1);
  });
});

describe('a link that drops', () => {
  it('and comes back: what was missed is repaired from history', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1);
    bench.connection.subscribing.disconnect();
    await bench.notes(FILLS, 2, 3);
    bench.connection.subscribing.reconnect();
    await turns();
    await bench.notes(FILLS, 4);
    expect(heard).toEqual(['1', '2', '3', '4']);
    expect(bench.gaps).toMatchObject([{ cause: 'loss', from: 2, to: 3, lost: 0, repaired: true }]);
    const types = bench.statuses.map(({ type }) => type);
    expect(types.slice(types.indexOf('disconnected'))).toEqual([
      'disconnected',
      'connected',
      'recovering',
      'gap',
      'live',
    ]);
  });

  it('and comes back: what is not kept is told with its exact range', async () => {
    const { bench, heard } = await listening(ALERTS);
    await bench.notes(ALERTS, 1);
    bench.connection.subscribing.disconnect();
    await bench.notes(ALERTS, 2, 3);
    bench.connection.subscribing.reconnect();
    await turns();
    await bench.notes(ALERTS, 4);
    expect(heard).toEqual(['1', '4']);
    expect(bench.gaps).toMatchObject([{ cause: 'loss', from: 2, to: 3, lost: 2, repaired: false }]);
  });

  it('and comes back with nothing missed tells no gap', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1);
    bench.connection.subscribing.disconnect();
    bench.connection.subscribing.reconnect();
    await turns();
    await bench.notes(FILLS, 2);
    expect(heard).toEqual(['1', '2']);
    expect(bench.gaps).toEqual([]);
  });

  it('during a recovery: the result of the older one is thrown away', async () => {
    const transport = new FakeTransport();
    const subscriber = new Subscriber({ transport, clock: new ManualClock(), logger: recordingLogger() });
    const replies = [deferred<ChannelState>(), deferred<ChannelState>()];
    let count = 0;
    transport.onRead = () => replies[count++]?.promise ?? Promise.reject({ code: 'TICKBUS_NOT_CONNECTED' });
    subscriber.subscribe(FILLS, () => {});
    const listening = subscriber.startListening();
    await turns();
    transport.tell({ type: 'connected', generation: 2 });
    await turns();
    replies[0]?.resolve({ position: { epoch: 1, seq: 100 }, at: 0, entries: [] });
    await turns();
    expect(subscriber.status(FILLS)).toMatchObject({ mode: 'recovering', position: undefined });
    replies[1]?.resolve({ position: { epoch: 1, seq: 5 }, at: 0, entries: [] });
    await turns();
    expect(subscriber.status(FILLS)).toMatchObject({ mode: 'live', position: { epoch: 1, seq: 5 } });
    await listening;
  });

  it('a read that the server refuses is told, and tried again', async () => {
    const transport = new FakeTransport();
    const clock = new ManualClock();
    const logger = recordingLogger();
    const subscriber = new Subscriber({ transport, clock, logger });
    const statuses: unknown[] = [];
    subscriber.on('status', (status) => statuses.push(status));
    const error = { code: 'TICKBUS_SERVER_ERROR' };
    transport.onRead = () => Promise.reject(error);
    subscriber.subscribe(FILLS, () => {});
    await subscriber.startListening();
    await turns();
    expect(statuses).toContainEqual({ type: 'recovery_failed', channel: 'FILLS', error });
    expect(logger.lines.some(({ level }) => level === 'error')).toBe(true);
    transport.onRead = async () => ({ position: { epoch: 1, seq: 1 }, at: 0, entries: [] });
    await clock.advance(1_000);
    await turns();
    expect(subscriber.status(FILLS)).toMatchObject({ mode: 'live', position: { epoch: 1, seq: 1 } });
  });
});

describe('a user who may not read', () => {
  async function denied() {
    const transport = new FakeTransport();
    const subscriber = new Subscriber({ transport, clock: new ManualClock(), logger: recordingLogger() });
    const heard: string[] = [];
    const gaps: unknown[] = [];
    const failures: unknown[] = [];
    subscriber.on('status', (status) => {
      if (status.type === 'gap') gaps.push([status.from, status.to, status.lost, status.repaired]);
      if (status.type === 'recovery_failed') failures.push(status.error);
    });
    transport.onRead = () => Promise.reject({ code: 'TICKBUS_DENIED' });
    subscriber.subscribe(FILLS, (message) => heard.push(numberOf(message)));
    await subscriber.startListening();
    return { transport, subscriber, heard, gaps, failures };
  }

  it('hears everything, and holes are told without being repaired', async () => {
    const { transport, heard, gaps, failures } = await denied();
    transport.push(noteEnvelope(4, { epoch: 1, seq: 4 }));
    await turns();
    for (const n of [5, 8]) transport.push(noteEnvelope(n, { epoch: 1, seq: n }));
    await turns();
    expect(heard).toEqual(['4', '5', '8']);
    expect(gaps).toEqual([[6, 7, 2, false]]);
    expect(failures).toEqual([{ code: 'TICKBUS_DENIED' }]);
    expect(transport.reads).toHaveLength(1);
  });

  it('may try again on the next connection', async () => {
    const { transport, subscriber, heard } = await denied();
    await turns();
    transport.onRead = async () => ({ position: { epoch: 1, seq: 3 }, at: 0, entries: [] });
    transport.tell({ type: 'connected', generation: 2 });
    await turns();
    expect(subscriber.status(FILLS)).toMatchObject({ mode: 'live', position: { epoch: 1, seq: 3 } });
    transport.push(noteEnvelope(4, { epoch: 1, seq: 4 }));
    expect(heard).toEqual(['4']);
  });
});

describe('closing during a recovery', () => {
  it('delivers what was received, also when the channel cannot be read any more', async () => {
    const transport = new FakeTransport();
    const clock = new ManualClock();
    const subscriber = new Subscriber({ transport, clock, logger: recordingLogger() });
    const heard: string[] = [];
    transport.onRead = () => new Promise(() => {});
    subscriber.subscribe(FILLS, (message) => heard.push(numberOf(message)));
    const listening = subscriber.startListening();
    await turns();
    transport.push(noteEnvelope(1, { epoch: 1, seq: 1 }));
    transport.push(noteEnvelope(50));
    const closing = subscriber.close({ timeoutMs: 100 });
    await turns();
    await clock.advance(100);
    await closing;
    expect(heard).toEqual(['1', '50']);
    await listening;
  });
});

describe('messages without a number', () => {
  it('are delivered on a numbered channel, and leave its position alone', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1);
    bench.server.publishRaw('FILLS', frameOf(noteEnvelope(50)));
    await bench.notes(FILLS, 2);
    expect(heard).toEqual(['1', '50', '2']);
    expect(bench.gaps).toEqual([]);
    expect(bench.subscriber.status(FILLS)?.position?.seq).toBe(2);
  });

  it('are what a plain channel has: live at once, never a gap, never a read', async () => {
    const { bench, heard } = await listening(CHAT);
    await bench.notes(CHAT, 1, 2);
    await bench.clock.advance(3_000);
    expect(heard).toEqual(['1', '2']);
    expect(bench.link.reads).toEqual([]);
    expect(bench.statuses).toContainEqual({ type: 'live', channel: 'CHAT', numbered: false });
    expect(bench.subscriber.status(CHAT)).toMatchObject({ mode: 'live', position: undefined });
  });

  it('held during a recovery are delivered after it', async () => {
    const bench = new Bench();
    const heard: string[] = [];
    bench.subscriber.subscribe(FILLS, (message) => heard.push(numberOf(message)));
    await bench.subscriber.startListening();
    bench.server.publishRaw('FILLS', frameOf(noteEnvelope(50)));
    await turns();
    expect(heard).toEqual(['50']);
  });
});

describe('a message whose place the server never gave', () => {
  /** Counts reads, and ends a reader that would read for ever. */
  function countReads(bench: Bench) {
    const counted = { reads: 0 };
    const read = bench.link.read.bind(bench.link);
    bench.link.read = (...args) => {
      counted.reads++;
      return counted.reads > 20 ? Promise.reject({ code: 'TICKBUS_NOT_CONNECTED' }) : read(...args);
    };
    return counted;
  }

  // Somebody publishes by hand what he has received elsewhere, position and all.
  it.each<[string, (epoch: number) => Position]>([
    ['far ahead', (epoch) => ({ epoch, seq: 1_000_000 })],
    ['of an epoch to come', (epoch) => ({ epoch: epoch + 1_000_000, seq: 3 })],
  ])(
    '(%s) is reported, does not keep the reader busy, and the next message is delivered',
    async (_, forge) => {
      const { bench, heard } = await listening(FILLS);
      await bench.notes(FILLS, 1);
      const { epoch } = positionOf(bench);
      const counted = countReads(bench);
      bench.server.publishRaw('FILLS', frameOf(noteEnvelope(99, forge(epoch))));
      await turns(50);
      expect(counted.reads).toBeLessThanOrEqual(3);
      expect(bench.invalid).toMatchObject([
        { channel: 'FILLS', error: { code: 'TICKBUS_INVALID_MESSAGE', field: 'seq' } },
      ]);
      await bench.notes(FILLS, 2);
      await turns();
      expect(heard).toEqual(['1', '2']);
      expect(bench.gaps).toEqual([]);
      expect(bench.subscriber.status(FILLS)?.mode).toBe('live');
    },
  );

  it('on a channel where tickbus never published', async () => {
    const { bench } = await listening(FILLS);
    const counted = countReads(bench);
    bench.server.publishRaw('FILLS', frameOf(noteEnvelope(99, { epoch: 5, seq: 7 })));
    await turns(50);
    expect(counted.reads).toBeLessThanOrEqual(3);
    expect(bench.invalid).toHaveLength(1);
  });
});

describe('fields of the handler', () => {
  it('that stand on the wire are not taken for ours', async () => {
    const bench = new Bench();
    const messages: Note[] = [];
    bench.subscriber.subscribe(FILLS, (message) => messages.push(message));
    await bench.subscriber.startListening();
    await turns();
    bench.server.publishRaw('FILLS', frameOf({ ...noteEnvelope(1), snapshot: true, conflated: 'many' }));
    expect(messages).toHaveLength(1);
    expect(messages[0]?.snapshot).toBeUndefined();
    expect(messages[0]?.conflated).toBeUndefined();
    expect(bench.subscriber.status(FILLS)?.conflated).toBe(0);
  });
});

describe('several subscribers', () => {
  it('on one connection hear a channel each', async () => {
    const bench = new Bench();
    const { clock, logger, connection } = bench;
    const heard: string[] = [];
    const subscribers = ['a', 'b'].map((name) => {
      const subscriber = new Subscriber({ transport: connection.subscribing, clock, logger });
      subscriber.subscribe(FILLS, (message) => heard.push(`${name}${message.data.n}`));
      return subscriber;
    });
    for (const subscriber of subscribers) await subscriber.startListening();
    await turns();
    await bench.notes(FILLS, 1);
    expect(heard.sort()).toEqual(['a1', 'b1']);
    await subscribers[0]?.close();
    await bench.notes(FILLS, 2);
    expect(heard.filter((one) => one.endsWith('2'))).toEqual(['b2']);
  });
});

it('nothing is told as live while the link is down', async () => {
  const { bench } = await listening(FILLS);
  expect(bench.subscriber.status(FILLS)?.mode).toBe('live');
  bench.connection.disconnect();
  expect(bench.subscriber.status(FILLS)?.mode).toBe('recovering');
  bench.connection.reconnect();
  await turns();
  expect(bench.subscriber.status(FILLS)?.mode).toBe('live');
});

describe('a lease, which begins a new epoch and forgets nothing', () => {
  it('delivers nothing of the history twice', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1, 2, 3);
    await bench.passLease(FILLS);
    await bench.notes(FILLS, 4);
    await bench.clock.advance(1_000);
    await turns();
    expect(heard).toEqual(['1', '2', '3', '4']);
    expect(bench.gaps).toMatchObject([{ cause: 'epoch', from: 4, to: undefined }]);
  });

  it('brings what was lost of the old epoch, as far as it is kept', async () => {
    const { bench, heard } = await listening(FILLS);
    lose(bench, 2, 3);
    await bench.notes(FILLS, 1, 2, 3);
    await bench.passLease(FILLS);
    await bench.notes(FILLS, 4);
    await turns();
    expect(heard.map((one) => one.replace(' kept', ''))).toEqual(['1', '2', '3', '4']);
    expect(bench.gaps).toMatchObject([
      { cause: 'loss', from: 2, to: 3, repaired: true },
      { cause: 'epoch', from: 4, to: undefined },
    ]);
  });
});

describe('a number that somebody made up', () => {
  it('in place of the next one: the real message is told as invalid, not lost in silence', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1);
    const { epoch } = positionOf(bench);
    bench.server.publishRaw('FILLS', frameOf(noteEnvelope(99, { epoch, seq: 2 })));
    await bench.notes(FILLS, 2, 3);
    expect(heard).toEqual(['1', '99', '3']);
    expect(bench.invalid).toMatchObject([{ error: { field: 'seq' } }]);
  });

  it('is found by the look at the head, after which nothing more goes wrong', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1);
    const { epoch } = positionOf(bench);
    bench.server.publishRaw('FILLS', frameOf(noteEnvelope(99, { epoch, seq: 2 })));
    await bench.clock.advance(1_000);
    await turns();
    await bench.notes(FILLS, 2);
    expect(heard).toEqual(['1', '99', '2']);
  });

  it('a thousand times costs a few reads, not a thousand', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1);
    const { epoch } = positionOf(bench);
    let reads = 0;
    const read = bench.link.read.bind(bench.link);
    bench.link.read = (...args) => {
      reads++;
      return read(...args);
    };
    for (let n = 0; n < 1_000; n++)
      bench.server.publishRaw('FILLS', frameOf(noteEnvelope(n, { epoch, seq: 1_000 + n })));
    await turns(20);
    await bench.notes(FILLS, 2);
    await turns();
    expect(reads).toBeLessThan(10);
    expect(bench.invalid.length).toBe(1_000);
    expect(heard).toEqual(['1', '2']);
  });
});
