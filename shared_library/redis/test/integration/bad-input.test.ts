// Bad input through the public API, on Redis and in memory: reported, never delivered, never fatal, and the next one arrives.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CHANNELS } from '../../constants.ts';
import { type Channel, defineChannel } from '../../core/channel.ts';
import { TickbusError } from '../../errors.ts';
import { RedisPublisher } from '../../publisher.ts';
import { type InvalidMessage, RedisSubscriber } from '../../subscriber.ts';
import { MemoryConnection } from '../../testing.ts';
import { errorOf, frameOf, Recorder, recordingLogger, turns } from '../helpers.ts';

const PRICE_DATA = CHANNELS.PRICE_DATA;

/** Somebody on the server who does not use tickbus, and the options that lead there. */
interface Server {
  readonly options: { url: string } | { connection: MemoryConnection };
  send(channel: Channel, frame: Uint8Array): Promise<unknown>;
  /** Notes every message of a channel, as text. */
  listen(channel: Channel): Promise<Recorder<string>>;
  close(): Promise<unknown>;
}

async function redisServer(): Promise<Server> {
  const redis: LocalRedis = await startLocalRedis();
  const sending = createClient({ url: redis.url });
  const listening = createClient({ url: redis.url });
  for (const client of [sending, listening]) {
    client.on('error', () => {});
    await client.connect();
  }
  return {
    options: { url: redis.url },
    send: ({ name }, frame) => sending.publish(name, Buffer.from(frame)),
    listen: async ({ name }) => {
      const heard = new Recorder<string>();
      await listening.subscribe(name, heard.add);
      return heard;
    },
    close: () => {
      sending.destroy();
      listening.destroy();
      return redis.kill();
    },
  };
}

async function memoryServer(): Promise<Server> {
  const connection = new MemoryConnection();
  return {
    options: { connection },
    send: async ({ name }, frame) => connection.server.publishRaw(name, frame),
    listen: async ({ name }) => {
      const heard = new Recorder<string>();
      connection.server.subscribe(name, (frame) => heard.add(new TextDecoder().decode(frame)));
      return heard;
    },
    close: () => connection.close(),
  };
}

const utf8 = new TextEncoder();
const text = (value: string) => utf8.encode(value);
const valid = {
  message_type: 'price',
  data: { symbol: 'AAPL', price: 1, timestamp: 1 },
  timestamp: 1,
  sender: 'somebody',
};
const changed = (change: object) => frameOf({ ...valid, ...change });
const withData = (change: object) => changed({ data: { ...valid.data, ...change } });
/** The message with `"@"` in its payload replaced by a piece of JSON. */
const withJson = (json: string) =>
  text(JSON.stringify({ ...valid, data: { ...valid.data, x: '@' } }).replace('"@"', json));
const nestedJson = (depth: number) => '{"a":'.repeat(depth) + 1 + '}'.repeat(depth);
const missing = (field: string) => changed({ [field]: undefined });
const bytesWithin = (...bytes: number[]) => {
  const [head, tail] = JSON.stringify({ ...valid, sender: '@' }).split('@') as [string, string];
  return Uint8Array.from([...text(head), ...bytes, ...text(tail)]);
};

const INBOUND: readonly (readonly [name: string, frame: Uint8Array, field: string | RegExp | undefined])[] = [
  ['an empty message', text(''), undefined],
  ['invalid JSON', text('{"message_type":"price",'), undefined],
  ['text that is no JSON', text('hello'), undefined],
  ['two documents', text('{}{}'), undefined],
  ['an array', text('[1,2]'), undefined],
  ['a number', text('42'), undefined],
  ['a string', text('"price"'), undefined],
  ['null', text('null'), undefined],
  ['true', text('true'), undefined],
  ['an empty object', text('{}'), 'message_type'],
  ...['message_type', 'data', 'timestamp', 'sender'].map(
    (field) => [`no ${field}`, missing(field), field] as const,
  ),
  ['a message_type that is a number', changed({ message_type: 1 }), 'message_type'],
  ['an empty message_type', changed({ message_type: '' }), 'message_type'],
  ['data that is an array', changed({ data: [1] }), 'data'],
  ['data that is text', changed({ data: 'text' }), 'data'],
  ['data that is null', changed({ data: null }), 'data'],
  ['a timestamp that is text', changed({ timestamp: '1' }), 'timestamp'],
  ['a timestamp that is null', changed({ timestamp: null }), 'timestamp'],
  ['a sender that is a number', changed({ sender: 7 }), 'sender'],
  ['a seq that is text', changed({ seq: '1', epoch: 1 }), 'seq'],
  ['a negative seq', changed({ seq: -1, epoch: 1 }), 'seq'],
  ['an epoch that is no whole number', changed({ seq: 1, epoch: 1.5 }), 'epoch'],
  ['a seq without an epoch', changed({ seq: 1 }), /^(seq|epoch)$/],
  ['an epoch without a seq', changed({ epoch: 1 }), /^(seq|epoch)$/],
  ['an at that is text', changed({ at: 'now' }), 'at'],
  ['an id that is a number', changed({ id: 1 }), 'id'],
  ['an expires_at that is text', changed({ expires_at: 'soon' }), 'expires_at'],
  ['an unknown message type', changed({ message_type: 'quote' }), 'message_type'],
  ...['toString', 'constructor', '__proto__', 'hasOwnProperty'].map(
    (type) => [`the message type ${type}`, changed({ message_type: type }), 'message_type'] as const,
  ),
  ['a payload with a field of another type', withData({ price: '1' }), 'data.price'],
  ['a payload without a field', withData({ symbol: undefined }), 'data.symbol'],
  ['a payload with a value out of range', withData({ bid_size: -1 }), 'data.bid_size'],
  ['300 KiB', withData({ x: 'x'.repeat(300 * 1024) }), undefined],
  ['300 KiB of three-byte characters', withData({ x: '€'.repeat(100 * 1024) }), undefined],
  ['a depth of 1,000,000', withJson('['.repeat(1_000_000) + ']'.repeat(1_000_000)), undefined],
  [
    'a depth of 100,000 within the size',
    withJson('['.repeat(100_000) + ']'.repeat(100_000)),
    /^data\.x\[0\]/,
  ],
  ['a depth of 40 within the size', withJson(nestedJson(40)), /^data\.x(\.a)+$/],
  ['a byte that is not UTF-8', bytesWithin(0xff), undefined],
  ['an overlong form', bytesWithin(0xc0, 0x80), undefined],
  ['half a character', bytesWithin(0xe2, 0x82), undefined],
  ['a surrogate in UTF-8', bytesWithin(0xed, 0xa0, 0x80), undefined],
  ['a byte order mark', Uint8Array.from([0xef, 0xbb, 0xbf, ...frameOf(valid)]), undefined],
  ...['__proto__', 'constructor'].flatMap(
    (name) =>
      [
        [
          `the key ${name} at the top`,
          text(`{"${name}":{"polluted":1},${JSON.stringify(valid).slice(1)}`),
          name,
        ],
        [
          `the key ${name} in data`,
          text(JSON.stringify(valid).replace('"symbol"', `"${name}":{"polluted":1},"symbol"`)),
          `data.${name}`,
        ],
        [
          `the key ${name} deep inside`,
          withJson(`{"a":{"b":{"${name}":{"polluted":1}}}}`),
          `data.x.a.b.${name}`,
        ],
        [`the key ${name} within an array`, withJson(`[0,{"${name}":{"polluted":1}}]`), `data.x[1].${name}`],
      ] as const,
  ),
  ['NaN', withJson('NaN'), undefined],
  ['Infinity', withJson('Infinity'), undefined],
  ['-Infinity', withJson('-Infinity'), undefined],
  ['1e999', withJson('1e999'), 'data.x'],
  ['-1e999', withJson('[-1e999]'), 'data.x[0]'],
  ['1e999 as the price', text(JSON.stringify(valid).replace('"price":1', '"price":1e999')), 'data.price'],
  [
    '1e999 as the timestamp',
    text(JSON.stringify(valid).replace(/"timestamp":1,"sender"/, '"timestamp":1e999,"sender"')),
    'timestamp',
  ],
];

class Money {
  amount = 1;
}
const cycle: Record<string, unknown> = {};
cycle.self = [cycle];
const deep = (depth: number) => {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = { a: value };
  return value;
};
const extra = (value: unknown) => ({ ...valid.data, extra: value });

const OUTBOUND: readonly (readonly [name: string, data: unknown, field: string | RegExp])[] = [
  ['undefined', undefined, 'data'],
  ['null', null, 'data'],
  ['an array', [1], 'data'],
  ['a number', 42, 'data'],
  ['text', 'text', 'data'],
  ['a missing field', { symbol: 'AAPL', timestamp: 1 }, 'data.price'],
  ['a field of another type', { ...valid.data, price: '1' }, 'data.price'],
  ['300 KiB', extra('x'.repeat(300 * 1024)), 'data'],
  ['300 KiB of three-byte characters', extra('€'.repeat(100 * 1024)), 'data'],
  ['a depth of 40', extra(deep(40)), /^data\.extra(\.a)+$/],
  ['a depth of 1,000,000', extra(deep(1_000_000)), /^data\.extra(\.a)+$/],
  [
    '__proto__',
    JSON.parse('{"symbol":"A","price":1,"timestamp":1,"__proto__":{"polluted":1}}'),
    'data.__proto__',
  ],
  [
    '__proto__ deep inside',
    extra(JSON.parse('[{"a":{"__proto__":{"polluted":1}}}]')),
    'data.extra[0].a.__proto__',
  ],
  ['constructor', JSON.parse('{"symbol":"A","price":1,"timestamp":1,"constructor":{}}'), 'data.constructor'],
  ['NaN', { ...valid.data, price: Number.NaN }, 'data.price'],
  ['Infinity', { ...valid.data, price: Number.POSITIVE_INFINITY }, 'data.price'],
  ['NaN in a field that the schema does not know', extra({ a: Number.NaN }), 'data.extra.a'],
  [
    '-Infinity in a field that the schema does not know',
    extra([1, Number.NEGATIVE_INFINITY]),
    'data.extra[1]',
  ],
  ['undefined in an array', extra([1, undefined]), 'data.extra[1]'],
  ['a bigint', extra(1n), 'data.extra'],
  ['a function', extra(() => 1), 'data.extra'],
  ['a symbol', extra(Symbol('s')), 'data.extra'],
  ['a Map', extra(new Map([[1, 2]])), 'data.extra'],
  ['a Set', extra(new Set([1])), 'data.extra'],
  ['an instance of a class', extra(new Money()), 'data.extra'],
  ['a cycle', extra(cycle), /^data\.extra\.self\[0\]/],
  ['a Date', extra(new Date(0)), 'data.extra'],
  ['a Buffer', extra(Buffer.from('x')), 'data.extra'],
  ['a typed array', extra(new Float64Array(2)), 'data.extra'],
  ['a RegExp', extra(/x/), 'data.extra'],
  ['an Error', extra(new Error('x')), 'data.extra'],
  ['a boxed number', extra(Object(1)), 'data.extra'],
  ['an object with a toJSON of its own', extra({ toJSON: () => 1 }), 'data.extra'],
  ['a payload with a toJSON of its own', { ...valid.data, toJSON: () => 'text' }, /^data(\.toJSON)?$/],
];

describe.each([
  ['Redis', redisServer],
  ['memory', memoryServer],
])('on %s', (_, start) => {
  let server: Server;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.close());

  describe('what comes in', () => {
    const logger = recordingLogger();
    const invalid = new Recorder<InvalidMessage>();
    const received = new Recorder<string>();
    let subscriber: RedisSubscriber;
    let sent = 0;

    beforeAll(async () => {
      subscriber = new RedisSubscriber({ ...server.options, logger });
      subscriber.on('invalid_message', invalid.add);
      subscriber.subscribe(PRICE_DATA, ({ data }) => received.add(data.symbol));
      await subscriber.startListening();
    });
    afterAll(() => subscriber.close());

    /** Sends the frame and a valid message; what was told of the frame, once the valid one has arrived. */
    async function told(frame: Uint8Array): Promise<InvalidMessage[]> {
      const before = invalid.items.length;
      const symbol = `S${++sent}`;
      await server.send(PRICE_DATA, frame);
      await server.send(PRICE_DATA, withData({ symbol }));
      await received.first((one) => one === symbol);
      return invalid.items.slice(before);
    }

    it.each(INBOUND)('%s is reported, and the next message arrives', async (_name, frame, field) => {
      const count = subscriber.status(PRICE_DATA)?.invalid ?? 0;
      const delivered = received.items.length;
      const [one, ...others] = await told(frame);
      expect(others).toEqual([]);
      expect(one).toMatchObject({ channel: 'PRICE_DATA', error: { code: 'TICKBUS_INVALID_MESSAGE' } });
      expect(one?.error).toBeInstanceOf(TickbusError);
      if (field instanceof RegExp) expect(one?.error.field).toMatch(field);
      else expect(one?.error.field).toBe(field);
      expect(one?.error.field?.length ?? 0).toBeLessThan(300);
      expect(one?.error.message).toMatch(/^The (message|field) .*\.$/);
      expect(one?.preview.length).toBeLessThan(1_500);
      expect(`${one?.preview}${one?.error.message}`).not.toMatch(/\p{Cc}/u);
      expect(subscriber.status(PRICE_DATA)?.invalid).toBe(count + 1);
      expect(received.items).toHaveLength(delivered + 1);
      expect(Object.prototype).not.toHaveProperty('polluted');
    });

    it('terminal escapes are escaped in the event and in the log', async () => {
      const attacks = [
        text('\u001b[2J\u001b]0;owned\u0007 no JSON\r\n\u202egnp.exe'),
        changed({ message_type: '\u001b[31mred\u0000' }),
        text(JSON.stringify(valid).replace('"symbol":"AAPL"', '"\\u001b[2J":1e999')),
        withJson('{"\\u009b2J\\u2028":{"constructor":1}}'),
        bytesWithin(0x1b, 0x5b, 0x32, 0x4a),
      ];
      for (const frame of attacks) {
        const lines = logger.lines.length;
        const [one] = await told(frame);
        const line = logger.lines.slice(lines).find(({ level }) => level === 'warn');
        expect(line).toMatchObject({
          fields: { channel: 'PRICE_DATA', reason: one?.error.message, preview: one?.preview },
        });
        const shown = [
          line?.message,
          ...Object.values(line?.fields ?? {}),
          one?.error.field,
          one?.error.message,
        ];
        expect(shown.join(' ')).toContain('\\u');
        expect(shown.join(' ')).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
      }
    });
  });

  describe('what goes out', () => {
    const OUT = defineChannel('OUT', { kind: 'state', key: 'symbol', messages: PRICE_DATA.messages });
    let publisher: RedisPublisher;
    let heard: Recorder<string>;
    let sent = 0;

    beforeAll(async () => {
      publisher = new RedisPublisher({ ...server.options, sender: 'me' });
      heard = await server.listen(OUT);
    });
    afterAll(() => publisher.close());

    /** What a plain client hears of a publish: everything up to a valid message that follows it. */
    async function heardOf(publishing: () => Promise<unknown>): Promise<string[]> {
      const before = heard.items.length;
      const symbol = `S${++sent}`;
      await publishing();
      await publisher.publish(OUT, { symbol, price: 1, timestamp: 1 });
      await heard.first((message) => message.includes(`"${symbol}"`));
      return heard.items.slice(before, -1);
    }

    it.each(OUTBOUND)('%s is refused with its field, and nothing is sent', async (_name, data, field) => {
      let error: unknown;
      const heardMeanwhile = await heardOf(async () => {
        error = await errorOf(publisher.publish(OUT, data as typeof valid.data));
      });
      expect(error).toBeInstanceOf(TickbusError);
      expect(error).toMatchObject({ code: 'TICKBUS_INVALID_MESSAGE', retryable: false });
      expect((error as TickbusError).field).toMatch(
        field instanceof RegExp ? field : new RegExp(`^${escaped(field)}$`),
      );
      expect(heardMeanwhile).toEqual([]);
    });

    it.each(['quote', 'toString', 'constructor', '__proto__', ''])(
      'the message type %j is refused',
      async (type) => {
        let error: unknown;
        const heardMeanwhile = await heardOf(async () => {
          error = await errorOf(publisher.publish(OUT, valid.data, { type: type as 'price' }));
        });
        expect(error).toMatchObject({ code: 'TICKBUS_INVALID_MESSAGE', field: 'message_type' });
        expect(heardMeanwhile).toEqual([]);
      },
    );

    it('a bad message among good ones spoils none of them', async () => {
      const prices = [1, Number.NaN, 3];
      let outcomes: PromiseSettledResult<unknown>[] = [];
      const heardMeanwhile = await heardOf(async () => {
        const publishing = prices.map((price) =>
          publisher.publish(OUT, { symbol: 'M', price, timestamp: 1 }),
        );
        outcomes = await Promise.allSettled(publishing);
      });
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(heardMeanwhile.map((message) => JSON.parse(message).data.price)).toEqual([1, 3]);
    });
  });

  describe('handlers', () => {
    const BURST = 2_000;
    const NUMBERS = defineChannel('NUMBERS', {
      kind: 'event',
      messages: { number: z.object({ n: z.number() }) },
    });

    it('that throw or reject cost the others nothing, and the process lives', async () => {
      const unhandled: unknown[] = [];
      const listener = (reason: unknown) => unhandled.push(reason);
      process.on('unhandledRejection', listener);
      const logger = recordingLogger();
      const subscriber = new RedisSubscriber({ ...server.options, logger });
      const publisher = new RedisPublisher(server.options);
      const quick = new Recorder<number>();
      const awaited = new Recorder<number>();
      const errors = new Recorder<string>();
      const filter = () => {
        throw new Error('in a filter');
      };
      subscriber.on('status', () => {
        throw new Error('in a listener');
      });
      subscriber.on('handler_error', ({ error }) => errors.add((error as Error).message));
      subscriber.subscribe(NUMBERS, () => {
        throw new Error('thrown');
      });
      subscriber.subscribe(NUMBERS, async () => {
        throw new Error('rejected');
      });
      subscriber.subscribe(NUMBERS, () => {}, { where: filter });
      subscriber.subscribe(NUMBERS, ({ data }) => quick.add(data.n));
      subscriber.subscribe(NUMBERS, async ({ data }) => {
        await Promise.resolve();
        awaited.add(data.n);
      });
      await subscriber.startListening();
      const numbers = Array.from({ length: BURST }, (_value, n) => n);
      await Promise.all(numbers.map((n) => publisher.publish(NUMBERS, { n })));
      expect(await quick.reaches(BURST)).toEqual(numbers);
      expect(await awaited.reaches(BURST)).toEqual(numbers);
      await errors.reaches(BURST * 3);
      const count = (message: string) => errors.items.filter((one) => one === message).length;
      expect([count('thrown'), count('rejected'), count('in a filter')]).toEqual([BURST, BURST, BURST]);
      expect(subscriber.status(NUMBERS)).toMatchObject({
        received: BURST,
        handlerErrors: BURST * 3,
        lost: 0,
        gaps: 0,
      });
      expect(logger.lines.some(({ fields }) => 'event' in fields && fields.event === 'status')).toBe(true);
      await subscriber.close();
      await publisher.close();
      await turns();
      process.off('unhandledRejection', listener);
      expect(unhandled).toEqual([]);
    });
  });
});

function escaped(literal: string): string {
  return literal.replace(/[.[\]]/g, '\\$&');
}
