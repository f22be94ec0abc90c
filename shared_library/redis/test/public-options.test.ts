// Callers in JavaScript: an option that TypeScript would reject is rejected by name, with advice.

import { errorOf, silentLogger } from '@tickbus/test-kit';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { RedisAdmin } from '../admin.ts';
import { defineBot } from '../bot.ts';
import { defineChannel } from '../channel/channel.ts';
import { RedisConnection } from '../connection.ts';
import { CHANNELS } from '../constants.ts';
import { TickbusError } from '../errors.ts';
import { RedisLease } from '../lease.ts';
import { RedisPublisher } from '../publisher.ts';
import type { From } from '../subscribe/from.ts';
import { RedisSubscriber } from '../subscriber.ts';
import { MemoryConnection } from '../testing.ts';
import { pricePayload } from './channels.fixture.ts';

const { BARS, PRICE_DATA, TRADE_COMMANDS } = CHANNELS;
const connection = new MemoryConnection();
const publisher = new RedisPublisher({ connection });
const subscriber = new RedisSubscriber({ connection, logger: silentLogger });
const messages = { tick: z.object({ symbol: z.string() }) };
afterAll(() => Promise.all([publisher.close(), subscriber.close(), connection.close()]));

/** Each place that takes options: the name of a valid option, which the tests misspell, and a call with options. */
const PLACES: readonly [place: string, option: string, call: (options: never) => unknown][] = [
  ['RedisConnection', 'connectTimeoutMs', (options) => new RedisConnection(options)],
  ['RedisAdmin', 'connectTimeoutMs', (options) => new RedisAdmin(options)],
  ['RedisPublisher', 'deadlineMs', (options) => new RedisPublisher(options)],
  ['RedisSubscriber', 'freshness', (options) => new RedisSubscriber(options)],
  ['freshness', 'linkTimeoutMs', (freshness) => new RedisSubscriber({ freshness })],
  ['RedisLease', 'marginMs', (options) => new RedisLease(Object.assign({ name: 'job' }, options))],
  ['MemoryConnection', 'server', (options) => new MemoryConnection(options)],
  ['publish', 'sender', (options) => publisher.publish(PRICE_DATA, pricePayload(), options)],
  ['ask', 'timeoutMs', (options) => publisher.ask(TRADE_COMMANDS, { bot: 'b' } as never, options)],
  ['defineBot', 'statusIntervalMs', (options) => defineBot(options)],
  ['subscribe', 'queueLimit', (options) => subscriber.subscribe(PRICE_DATA, () => {}, options)],
  ['subscribe', 'types', (options) => subscriber.messages(PRICE_DATA, options)],
  ['from', 'position', (from) => subscriber.subscribe(BARS, () => {}, { from })],
  ['latest', 'maxAgeMs', (bounds) => subscriber.latest(PRICE_DATA, 'A', bounds)],
  ['latest', 'maxQuietMs', (bounds) => subscriber.requireFresh(PRICE_DATA, 'A', bounds)],
  [
    'history of the channel "TICKS"',
    'perKey',
    (history) => defineChannel('TICKS', { kind: 'event', key: 'symbol', messages, history }),
  ],
  [
    'channel "TICKS"',
    'framing',
    (options) => defineChannel('TICKS', Object.assign({ kind: 'plain' as const, messages }, options)),
  ],
];

/** The error of a call that throws or rejects. */
async function rejection(call: () => unknown): Promise<TickbusError> {
  const error = await errorOf(Promise.resolve().then(call));
  expect(error).toBeInstanceOf(TickbusError);
  return error as TickbusError;
}

describe.each(PLACES)('%s', (place, option, call) => {
  const withName = (name: string) => rejection(() => call({ [name]: 'hunter2' } as never));

  it(`rejects a misspelt "${option}" by name and suggests the right one`, async () => {
    const misspelt = `${option.slice(0, -1)}x`;
    const error = await withName(misspelt);
    expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: misspelt });
    expect(error.message).toContain(place);
    expect(error.message).toContain(`"${misspelt}"`);
    expect(error.message).toContain(`Did you mean "${option}"?`);
    const folded = option.toLowerCase() === option ? option.toUpperCase() : option.toLowerCase();
    expect((await withName(folded)).message).toContain(`Did you mean "${option}"?`);
  });

  it('rejects any other name with the list of options, without the value', async () => {
    const error = await withName('completely\u202edifferent');
    expect(error.message).toMatch(
      /has no option "completely\\u202edifferent", so nothing was done\. Use .*\w\./,
    );
    expect(error.message).toContain(option);
    expect(error.message).not.toContain('hunter2');
  });

  it.each(['text', 7, null])('rejects options that are %j', async (options) => {
    if (place.includes('channel') || place === 'RedisLease') return;
    expect(await rejection(() => call(options as never))).toMatchObject({ code: 'TICKBUS_INVALID_OPTION' });
  });
});

describe('a channel given as a string or as anything else', () => {
  it.each<[string, (channel: never) => unknown]>([
    ['publish', (channel) => publisher.publish(channel, {} as never)],
    ['wanted', (channel) => publisher.wanted(channel)],
    ['subscribe', (channel) => subscriber.subscribe(channel, () => {})],
    ['messages', (channel) => subscriber.messages(channel)],
    ['tap', (channel) => subscriber.tap(channel, () => {})],
    ['latest', (channel) => subscriber.latest(channel, 'A')],
    ['requireFresh', (channel) => subscriber.requireFresh(channel, 'A', { maxAgeMs: 1 })],
    ['status', (channel) => subscriber.status(channel)],
    ['RedisLease', (channel) => new RedisLease({ connection, channel })],
  ])('is rejected by %s, with advice', async (_, call) => {
    for (const [channel, text] of [
      ['PRICE_DATA', /is the string "PRICE_DATA", so nothing was done\. .*CHANNELS\.PRICE_DATA/],
      [{ name: 'PRICE_DATA' }, /is an object/],
      [null, /is null/],
    ] as const) {
      const error = await rejection(() => call(channel as never));
      expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'channel' });
      expect(error.message).toMatch(text);
    }
  });
});

describe('a value of another type', () => {
  const subscribe = (options: object) => () => subscriber.subscribe(PRICE_DATA, () => {}, options);
  it.each<[string, () => unknown, RegExp]>([
    ['keys', subscribe({ keys: 'AAPL' }), /keys is the string "AAPL"\. .*keys: \['AAPL'\]/],
    ['keys', subscribe({ keys: [1] }), /keys contains a number/],
    ['keys', subscribe({ keys: { AAPL: true } }), /keys is an object/],
    ['types', subscribe({ types: 'price' }), /types is the string "price"/],
    ['where', subscribe({ where: 'AAPL' }), /where is a string\. Use a function/],
    ['queueLimit', subscribe({ queueLimit: '10' }), /queueLimit is a string/],
    ['name', subscribe({ name: 5 }), /name is a number/],
    ['reconnect', () => new RedisPublisher({ reconnect: 'no' } as never), /reconnect is a string/],
    ['validate', () => new RedisPublisher({ validate: 0 } as never), /validate is a number/],
    ['replicas', () => new RedisPublisher({ replicas: '1' } as never), /replicas is a string\. Use a number/],
    ['sender', () => new RedisPublisher({ sender: 7 } as never), /sender is a number/],
    ['logger', () => new RedisSubscriber({ logger: {} } as never), /logger has no method "debug"/],
    ['connection', () => new RedisPublisher({ connection: 'redis' } as never), /connection is a string/],
    ['url', () => new RedisPublisher({ connection, url: 'redis://:hunter2@x' } as never), /together with/],
    ['key', () => subscriber.latest(PRICE_DATA, 7 as never), /key is a number/],
    [
      'key',
      () => defineChannel('T', { kind: 'plain', messages, key: 7 } as never),
      /key of the channel "T" is a num/,
    ],
  ])('for %s is rejected by name', async (field, call, text) => {
    const error = await rejection(call);
    expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field });
    expect(error.message).toMatch(text);
  });

  it('for a handler, an observer or a listener is rejected', async () => {
    const calls = [
      () => subscriber.subscribe(TRADE_COMMANDS, 'handler' as never),
      () => subscriber.tap(TRADE_COMMANDS, undefined as never),
      () => subscriber.on('gap', null as never),
    ];
    for (const call of calls) expect((await rejection(call)).message).toMatch(/is not a function/);
  });
});

it('an unknown event is rejected, and the known ones are named', async () => {
  const lease = new RedisLease({ name: 'job', connection });
  for (const listen of [
    () => subscriber.on('gaps' as never, () => {}),
    () => lease.on('gaps' as never, () => {}),
  ]) {
    const error = await rejection(listen);
    expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'event' });
    expect(error.message).toMatch(/has no event "gaps", so nothing would be reported\. Use .*(gap|gained)/);
  }
});

it('options that are undefined are accepted', () => {
  const options = { url: undefined, host: undefined, sender: undefined, lease: undefined, logger: undefined };
  expect(() => new RedisPublisher({ ...options, connection })).not.toThrow();
  expect(() =>
    subscriber.subscribe(PRICE_DATA, () => {}, { keys: undefined, types: undefined }),
  ).not.toThrow();
});

describe('from', () => {
  const position = { epoch: 1, seq: 1 };
  const EVENTS = defineChannel('EVENTS', { kind: 'event', messages });
  const KEYED = defineChannel('KEYED', {
    kind: 'event',
    key: 'symbol',
    history: { perKey: 5, channel: 0 },
    messages,
  });
  const subscribe = (from: unknown, keys?: readonly string[]) => () =>
    subscriber.subscribe(BARS, () => {}, { from: from as From, keys });
  it.each<[string, () => unknown, RegExp]>([
    ['nothing in it', subscribe({}), /not exactly one of `last`/],
    ['two fields', subscribe({ last: 5, time: 0 }), /not exactly one of `last`/],
    ['last 0', subscribe({ last: 0 }), /from\.last is 0\. Use a number of messages from 1/],
    ['last 1.5', subscribe({ last: 1.5 }), /from\.last is 1\.5/],
    ['last "5"', subscribe({ last: '5' }), /from\.last is a string/],
    ['too much', subscribe({ last: 100_000 }, ['a', 'b', 'c']), /asks for 300000 messages.*fewer/],
    ['no position', subscribe({ position: 5 }), /from\.position is 5, not a position/],
    ['half a position', subscribe({ position: { epoch: 1 } }), /from\.position is an object, not a position/],
    ['a negative seq', subscribe({ position: { epoch: 1, seq: -1 } }), /not a position/],
    ['positions without keys', subscribe({ positions: { a: position } }), /from\.positions needs `keys`/],
    ['positions in a list', subscribe({ positions: [position] }, ['a']), /from\.positions is an array/],
    ['a wrong position', subscribe({ positions: { a: 7 } }, ['a']), /from\.positions of "a" is 7/],
    [
      'an invalid date',
      subscribe({ time: new Date(Number.NaN) }),
      /from\.time is an object\. Use a valid Date/,
    ],
    ['a negative time', subscribe({ time: -1 }), /from\.time is -1/],
    ['seconds', subscribe({ time: 1_767_367_800 }), /from\.time is 1767367800, which looks like seconds/],
    [
      'microseconds',
      subscribe({ time: 1_767_367_800_000_000 }),
      /which looks like a unit below milliseconds/,
    ],
    [
      'a state channel',
      () => subscriber.subscribe(PRICE_DATA, () => {}, { from: { last: 5 } }),
      /from does not apply to PRICE_DATA: .* kind "event" with a history/,
    ],
    [
      'a command channel',
      () => subscriber.messages(TRADE_COMMANDS, { from: { last: 5 } }),
      /from does not apply to TRADE_COMMANDS/,
    ],
    [
      'an event channel without a history',
      () => subscriber.subscribe(EVENTS, () => {}, { from: { last: 5 } }),
      /from does not apply to EVENTS/,
    ],
    [
      'a history of keys only',
      () => subscriber.subscribe(KEYED, () => {}, { from: { last: 5 } }),
      /from needs `keys`: KEYED/,
    ],
  ])('with %s is rejected by name', async (_, call, text) => {
    const error = await rejection(call);
    expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'from' });
    expect(error.message).toMatch(text);
  });

  it('is accepted in each form', () => {
    const forms: From[] = [
      { last: 5 },
      { position },
      { positions: { a: position } },
      { time: 0 },
      { time: new Date() },
    ];
    for (const from of forms)
      expect(() => subscriber.subscribe(BARS, () => {}, { keys: ['a'], from })()).not.toThrow();
  });
});
