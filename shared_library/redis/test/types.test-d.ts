// Compile-time checks: payload types follow from the channel, narrowing follows from the options.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import {
  type BotStatus,
  type CancelOrder,
  type DeepReadonly,
  defineChannel,
  type From,
  type Message,
  type MessageOf,
  type MessageType,
  type Payload,
  type PayloadInput,
  type PlaceOrder,
  type Price,
  type Published,
} from 'tickbus';
import { CHANNELS, CONFIG } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { MemoryConnection } from 'tickbus/testing';
import { describe, expectTypeOf, it } from 'vitest';
import { z } from 'zod';

const { PRICE_DATA, TRADE_COMMANDS } = CHANNELS;
const connection = new MemoryConnection();
const publisher = new RedisPublisher({ connection });
const subscriber = new RedisSubscriber({ connection });
const tick = { symbol: 'AAPL', price: 1, timestamp: 1 };

it('the example of the plan compiles', async () => {
  const subscriber = new RedisSubscriber({ host: CONFIG.HOST, port: CONFIG.PORT });
  subscriber.subscribe(CHANNELS.PRICE_DATA, (message) => {
    console.log(`Received price: ${message.data.price} for ${message.data.symbol}`);
  });
  await subscriber.startListening();

  const publisher = new RedisPublisher({ host: CONFIG.HOST, port: CONFIG.PORT });
  await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'AAPL', price: 50000.0, timestamp: 1650123456 });
});

describe('publish', () => {
  it('accepts the payload of the default type and resolves with Published', () => {
    expectTypeOf(publisher.publish(PRICE_DATA, tick)).resolves.toEqualTypeOf<Published>();
    expectTypeOf<PayloadInput<typeof PRICE_DATA>>().toEqualTypeOf<Price>();
  });

  it('rejects other payloads', () => {
    // @ts-expect-error a missing field
    publisher.publish(PRICE_DATA, { symbol: 'AAPL', timestamp: 1 });
    // @ts-expect-error a field of another type
    publisher.publish(PRICE_DATA, { ...tick, price: '1' });
    // @ts-expect-error a field outside the schema
    publisher.publish(PRICE_DATA, { symbol: 'AAPL', price: 1, timestamp: 1, prize: 1 });
    // @ts-expect-error the payload is missing
    publisher.publish(PRICE_DATA, undefined);
    // @ts-expect-error a name instead of a channel
    publisher.publish('PRICE_DATA', tick);
  });

  it('accepts only the payload of the given type', () => {
    const order = { bot: 'b', symbol: 'AAPL', side: 'buy', quantity: 1 } as const;
    publisher.publish(TRADE_COMMANDS, order, { type: 'place_order' });
    publisher.publish(TRADE_COMMANDS, { bot: 'b', order_id: 'o' }, { type: 'cancel_order' });
    // @ts-expect-error the payload of another type
    publisher.publish(TRADE_COMMANDS, { bot: 'b', order_id: 'o' }, { type: 'place_order' });
    // @ts-expect-error no such type
    publisher.publish(TRADE_COMMANDS, order, { type: 'place' });
    // @ts-expect-error no such side
    publisher.publish(TRADE_COMMANDS, { ...order, side: 'hold' }, { type: 'place_order' });
  });

  it('rejects unknown options', () => {
    // @ts-expect-error no such option
    publisher.publish(PRICE_DATA, tick, { retries: 3 });
    // @ts-expect-error milliseconds are a number
    publisher.publish(TRADE_COMMANDS, { bot: 'b' }, { type: 'pause', expiresInMs: '1s' });
  });
});

describe('subscribe', () => {
  it('passes the message of the channel to the handler', () => {
    subscriber.subscribe(PRICE_DATA, (message) => {
      expectTypeOf(message).toEqualTypeOf<Message<'price', Price>>();
      expectTypeOf(message.data.price).toEqualTypeOf<number>();
      expectTypeOf(message.data.bid).toEqualTypeOf<number | undefined>();
      expectTypeOf(message.snapshot).toEqualTypeOf<true | undefined>();
      // @ts-expect-error messages are read-only
      message.timestamp = 1;
      // @ts-expect-error and so are their payloads
      message.data.price = 1;
    });
  });

  it('passes a payload that is read-only at every depth, and still fits the types of before', () => {
    const leg = z.object({ symbol: z.string(), amounts: z.array(z.number()) });
    const at = z.number().transform((ms) => new Date(ms));
    const basket = z.object({ legs: z.array(leg), total: leg.optional(), at, tags: z.map(z.string(), leg) });
    const BASKETS = defineChannel('BASKETS', { kind: 'event', messages: { basket } });
    const single = (given: z.infer<typeof leg>['symbol'], when: Date) => [given, when];
    subscriber.subscribe(BASKETS, ({ data }) => {
      single(data.legs[0]?.symbol ?? '', data.at);
      expectTypeOf(data.legs[0]?.amounts).toEqualTypeOf<readonly number[] | undefined>();
      expectTypeOf(data.at).toEqualTypeOf<Date>();
      // @ts-expect-error an array
      data.legs.push();
      // @ts-expect-error a nested array
      data.total?.amounts.push(1);
      // @ts-expect-error a Map
      data.tags.clear();
      // @ts-expect-error a nested field
      if (data.total) data.total.symbol = 'A';
    });
    const onOrder = (order: PlaceOrder) => order.quantity;
    const onBot = (status: BotStatus) => status.bot;
    subscriber.subscribe(TRADE_COMMANDS, ({ data }) => onOrder(data), { types: ['place_order'] });
    subscriber.subscribe(CHANNELS.BOT_STATUS, ({ data }) => onBot(data));
  });

  it('a received payload can be published again', () => {
    const fill = z.object({ lots: z.array(z.object({ n: z.number() })) });
    const FILLS = defineChannel('FILLS', { kind: 'event', messages: { fill } });
    subscriber.subscribe(FILLS, ({ data }) => publisher.publish(FILLS, data));
    subscriber.subscribe(CHANNELS.BOT_STATUS, ({ data }) => publisher.publish(CHANNELS.BOT_STATUS, data));
  });

  it('passes a union over the types, discriminated by message_type', () => {
    subscriber.subscribe(TRADE_COMMANDS, (message) => {
      expectTypeOf(message.message_type).toEqualTypeOf<
        'place_order' | 'cancel_order' | 'cancel_all' | 'pause' | 'resume'
      >();
      if (message.message_type === 'place_order')
        expectTypeOf(message.data).toEqualTypeOf<DeepReadonly<PlaceOrder>>();
      if (message.message_type === 'cancel_order')
        expectTypeOf(message.data).toEqualTypeOf<DeepReadonly<CancelOrder>>();
      // @ts-expect-error only some commands have this field
      message.data.order_id;
    });
  });

  it('narrows to the requested types in the handler, in where and in a loop', async () => {
    subscriber.subscribe(
      TRADE_COMMANDS,
      ({ data }) => expectTypeOf(data).toEqualTypeOf<DeepReadonly<PlaceOrder>>(),
      {
        types: ['place_order'],
        where: ({ data }) => data.side === 'buy',
      },
    );
    subscriber.subscribe(
      TRADE_COMMANDS,
      ({ message_type }) => expectTypeOf(message_type).toEqualTypeOf<'pause' | 'resume'>(),
      { types: ['pause', 'resume'] },
    );
    for await (const { data } of subscriber.messages(TRADE_COMMANDS, { types: ['cancel_order'] })) {
      expectTypeOf(data).toEqualTypeOf<DeepReadonly<CancelOrder>>();
    }
  });

  it('rejects filters that the channel does not support', () => {
    // @ts-expect-error no such type
    subscriber.subscribe(PRICE_DATA, () => {}, { types: ['tick'] });
    // @ts-expect-error keys are a list
    subscriber.subscribe(PRICE_DATA, () => {}, { keys: 'AAPL' });
    // @ts-expect-error no such option
    subscriber.subscribe(PRICE_DATA, () => {}, { filter: () => true });
    // @ts-expect-error no such field
    subscriber.subscribe(PRICE_DATA, ({ data }) => data.prize);
  });

  it('types events by their name', () => {
    subscriber.on('status', (status) => {
      if (status.type === 'gap') expectTypeOf(status.lost).toEqualTypeOf<number | undefined>();
      if (status.type === 'disconnected') expectTypeOf(status.error.retryable).toEqualTypeOf<boolean>();
    });
    subscriber.on('invalid_message', ({ preview }) => expectTypeOf(preview).toEqualTypeOf<string>());
    subscriber.on('gap', ({ from }) => expectTypeOf(from).toEqualTypeOf<number | undefined>());
    // @ts-expect-error no such event
    subscriber.on('loss', () => {});
  });
});

it('publish without `type` accepts the default type of the channel', () => {
  const publisher = new RedisPublisher();
  const order = { bot: 'b', symbol: 'A', side: 'buy', quantity: 1 } as const;
  void publisher.publish(CHANNELS.TRADE_COMMANDS, order);
  // @ts-expect-error `type: 'pause'` is required
  void publisher.publish(CHANNELS.TRADE_COMMANDS, { bot: 'b' });
  void publisher.publish(CHANNELS.TRADE_COMMANDS, { bot: 'b' }, { type: 'pause' });
});

it('a publisher can skip validation, a subscriber cannot', () => {
  new RedisPublisher({ connection, validate: false });
  // @ts-expect-error not a boolean
  new RedisPublisher({ connection, validate: 'no' });
  // @ts-expect-error incoming messages are always validated
  new RedisSubscriber({ connection, validate: false });
});

it('a handler of one type requires the filter for it', () => {
  const subscriber = new RedisSubscriber();
  const handler = ({ data }: MessageOf<typeof CHANNELS.TRADE_COMMANDS, 'place_order'>) => data.side;
  subscriber.subscribe(CHANNELS.TRADE_COMMANDS, handler, { types: ['place_order'] });
  // @ts-expect-error without the filter other types arrive too
  subscriber.subscribe(CHANNELS.TRADE_COMMANDS, handler);
});

describe('defineChannel', () => {
  const schema = z.object({ id: z.number(), note: z.string().trim().default('') });

  it('infers the schema input for publishers and its output for handlers', () => {
    const channel = defineChannel('ORDERS', { kind: 'event', history: 10, messages: { order: schema } });
    expectTypeOf<MessageType<typeof channel>>().toEqualTypeOf<'order'>();
    expectTypeOf<PayloadInput<typeof channel>>().toEqualTypeOf<{ id: number; note?: string | undefined }>();
    expectTypeOf<Payload<typeof channel>>().toEqualTypeOf<{ id: number; note: string }>();
    expectTypeOf<MessageOf<typeof channel>>().toEqualTypeOf<Message<'order', { id: number; note: string }>>();
    publisher.publish(channel, { id: 1 });
  });

  it('accepts a key field that every payload has, or a function of the payload', () => {
    const messages = { order: schema };
    defineChannel('ORDERS', { kind: 'state', key: 'id', messages });
    defineChannel('ORDERS', { kind: 'state', key: ({ note = '' }) => note.toLowerCase(), messages });
    // @ts-expect-error no such field
    defineChannel('ORDERS', { kind: 'state', key: 'symbol', messages });
    // @ts-expect-error kind state requires a key
    defineChannel('ORDERS', { kind: 'state', messages });
    // @ts-expect-error a key is a string
    defineChannel('ORDERS', { kind: 'state', key: ({ id }) => id, messages });
  });

  it('accepts only the options of its kind', () => {
    const messages = { order: schema };
    // @ts-expect-error no such kind
    defineChannel('ORDERS', { kind: 'stream', messages });
    // @ts-expect-error only events have a history
    defineChannel('ORDERS', { kind: 'plain', history: 5, messages });
    // @ts-expect-error only commands expire
    defineChannel('ORDERS', { kind: 'event', expiresInMs: 5, messages });
    // @ts-expect-error not a schema
    defineChannel('ORDERS', { kind: 'plain', messages: { order: {} } });
  });

  it('accepts any Standard Schema', () => {
    const celsius: StandardSchemaV1<{ c: string }, { c: number }> = {
      '~standard': {
        version: 1,
        vendor: 'by hand',
        validate: (value) => ({ value: { c: Number((value as { c: string }).c) } }),
      },
    };
    const channel = defineChannel('TEMPERATURE', { kind: 'plain', messages: { celsius } });
    publisher.publish(channel, { c: '20' });
    // @ts-expect-error publish takes the input of the schema, not its output
    publisher.publish(channel, { c: 20 });
    subscriber.subscribe(channel, ({ data }) => expectTypeOf(data).toEqualTypeOf<{ readonly c: number }>());
  });
});

describe('options', () => {
  it('from has one form', () => {
    const subscribe = (from: From) => subscriber.subscribe(CHANNELS.BARS, () => {}, { keys: ['A'], from });
    subscribe({ last: 200 });
    subscribe({ position: { epoch: 1, seq: 1 } });
    subscribe({ time: new Date() });
    // @ts-expect-error a position has an epoch
    subscribe({ position: { seq: 1 } });
    // @ts-expect-error an unknown form
    subscribe({ first: 1 });
  });

  it('accept a server or a shared connection, not both', () => {
    new RedisPublisher({ url: 'redis://cache', sender: 'me' });
    // @ts-expect-error either a connection or a URL, not both
    new RedisPublisher({ connection, url: 'redis://cache' });
    // @ts-expect-error the port is a number
    new RedisSubscriber({ port: '6379' });
  });

  it('CONFIG is read-only', () => {
    // @ts-expect-error read-only
    CONFIG.HOST = 'other';
  });
});
