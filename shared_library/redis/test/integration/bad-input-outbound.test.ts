// Invalid outgoing messages, on Redis and in memory: rejected with the offending field, and not sent.

import { type EventRecorder, errorOf } from '@tickbus/test-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineChannel } from '../../channel/channel.ts';
import { CHANNELS } from '../../constants.ts';
import { TickbusError } from '../../errors.ts';
import { RedisPublisher } from '../../publisher.ts';
import { describeOnServers, validPrice } from './bad-input.fixture.ts';

class Fee {
  amount = 1;
}
const cycle: Record<string, unknown> = {};
cycle.self = [cycle];
const deep = (depth: number) => {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = { a: value };
  return value;
};
const extra = (value: unknown) => ({ ...validPrice.data, extra: value });

const OUTBOUND: readonly (readonly [name: string, data: unknown, field: string | RegExp])[] = [
  ['undefined', undefined, 'data'],
  ['null', null, 'data'],
  ['an array', [1], 'data'],
  ['a number', 42, 'data'],
  ['text', 'text', 'data'],
  ['a missing field', { symbol: 'AAPL', timestamp: 1 }, 'data.price'],
  ['a field of another type', { ...validPrice.data, price: '1' }, 'data.price'],
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
  ['NaN', { ...validPrice.data, price: Number.NaN }, 'data.price'],
  ['Infinity', { ...validPrice.data, price: Number.POSITIVE_INFINITY }, 'data.price'],
  ['NaN in a field outside the schema', extra({ a: Number.NaN }), 'data.extra.a'],
  ['-Infinity in a field outside the schema', extra([1, Number.NEGATIVE_INFINITY]), 'data.extra[1]'],
  ['undefined in an array', extra([1, undefined]), 'data.extra[1]'],
  ['a bigint', extra(1n), 'data.extra'],
  ['a function', extra(() => 1), 'data.extra'],
  ['a symbol', extra(Symbol('s')), 'data.extra'],
  ['a Map', extra(new Map([[1, 2]])), 'data.extra'],
  ['a Set', extra(new Set([1])), 'data.extra'],
  ['a class instance', extra(new Fee()), 'data.extra'],
  ['a cycle', extra(cycle), /^data\.extra\.self\[0\]/],
  ['a Date', extra(new Date(0)), 'data.extra'],
  ['a Buffer', extra(Buffer.from('x')), 'data.extra'],
  ['a typed array', extra(new Float64Array(2)), 'data.extra'],
  ['a RegExp', extra(/x/), 'data.extra'],
  ['an Error', extra(new Error('x')), 'data.extra'],
  ['a boxed number', extra(Object(1)), 'data.extra'],
  ['an object with its own toJSON', extra({ toJSON: () => 1 }), 'data.extra'],
  ['a payload with its own toJSON', { ...validPrice.data, toJSON: () => 'text' }, /^data(\.toJSON)?$/],
];

describeOnServers((server) => {
  describe('outgoing messages', () => {
    const OUT = defineChannel('OUT', {
      kind: 'state',
      key: 'symbol',
      messages: CHANNELS.PRICE_DATA.messages,
    });
    let publisher: RedisPublisher;
    let received: EventRecorder<string>;
    let sent = 0;

    beforeAll(async () => {
      publisher = new RedisPublisher({ ...server().options, sender: 'me' });
      received = await server().listen(OUT);
    });
    afterAll(() => publisher.close());

    /** What a plain client receives during the call, up to a valid message published after it. */
    async function receivedDuring(publishing: () => Promise<unknown>): Promise<string[]> {
      const before = received.items.length;
      const symbol = `S${++sent}`;
      await publishing();
      await publisher.publish(OUT, { symbol, price: 1, timestamp: 1 });
      await received.first((message) => message.includes(`"${symbol}"`));
      return received.items.slice(before, -1);
    }

    it.each(OUTBOUND)(
      'publish rejects %s with TICKBUS_INVALID_MESSAGE and its field, and sends nothing',
      async (_name, data, field) => {
        let error: unknown;
        const receivedMeanwhile = await receivedDuring(async () => {
          error = await errorOf(publisher.publish(OUT, data as typeof validPrice.data));
        });
        expect(error).toBeInstanceOf(TickbusError);
        expect(error).toMatchObject({ code: 'TICKBUS_INVALID_MESSAGE', retryable: false });
        expect((error as TickbusError).field).toMatch(
          field instanceof RegExp ? field : new RegExp(`^${escaped(field)}$`),
        );
        expect(receivedMeanwhile).toEqual([]);
      },
    );

    it.each(['quote', 'toString', 'constructor', '__proto__', ''])(
      'publish rejects the message type %j with TICKBUS_INVALID_MESSAGE',
      async (type) => {
        let error: unknown;
        const receivedMeanwhile = await receivedDuring(async () => {
          error = await errorOf(publisher.publish(OUT, validPrice.data, { type: type as 'price' }));
        });
        expect(error).toMatchObject({ code: 'TICKBUS_INVALID_MESSAGE', field: 'message_type' });
        expect(receivedMeanwhile).toEqual([]);
      },
    );

    it('publish rejects an invalid message and sends the valid ones around it', async () => {
      const prices = [1, Number.NaN, 3];
      let outcomes: PromiseSettledResult<unknown>[] = [];
      const receivedMeanwhile = await receivedDuring(async () => {
        const publishing = prices.map((price) =>
          publisher.publish(OUT, { symbol: 'M', price, timestamp: 1 }),
        );
        outcomes = await Promise.allSettled(publishing);
      });
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(receivedMeanwhile.map((message) => JSON.parse(message).data.price)).toEqual([1, 3]);
    });
  });
});

function escaped(literal: string): string {
  return literal.replace(/[.[\]]/g, '\\$&');
}
