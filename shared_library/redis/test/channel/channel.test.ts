// defineChannel: defaults, keys and framing of a definition, and the options it rejects.

import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type ChannelOptions, defineChannel, type MessageSchemas } from '../../channel/channel.ts';
import { maxHistoryKeys } from '../../channel/history.ts';
import { errorWith } from '../channels.fixture.ts';

const tick = z.object({ symbol: z.string(), price: z.number() });
const messages = { tick, other: tick };

const invalidOption = (text: RegExp) =>
  errorWith('TICKBUS_INVALID_OPTION', { message: expect.stringMatching(text) });
const defining = (name: unknown, options: object) =>
  expect(() => defineChannel(name as string, options as ChannelOptions<MessageSchemas>));

describe('a channel', () => {
  const channel = defineChannel('TICKS', { kind: 'state', key: 'symbol', messages });

  it('converts to its name in a template string', () => {
    expect(`${channel}`).toBe('TICKS');
    expect(channel.name).toBe('TICKS');
  });

  it('is frozen', () => {
    expect(Object.isFrozen(channel)).toBe(true);
    expect(() => Object.assign(channel, { name: 'OTHER' })).toThrow(TypeError);
  });

  it('adopts messages of plain clients only if its definition says so', () => {
    const adopting = { kind: 'state', key: 'symbol', messages, adopt: true } as const;
    expect(channel.adopt).toBe(false);
    expect(defineChannel('A', adopting).adopt).toBe(true);
    expect(defineChannel('A', { ...adopting, adopt: false, gateway: true }).adopt).toBe(false);
    defining('A', { ...adopting, gateway: true }).toThrow(invalidOption(/a gateway feeds it/));
    defining('A', { ...adopting, adopt: 'yes' }).toThrow(invalidOption(/invalid adopt yes/));
    // An option of another kind has no effect.
    expect(defineChannel('A', { kind: 'event', messages, ...{ adopt: true } }).adopt).toBe(false);
  });

  it('defaults to the first message type, no history and no expiry', () => {
    expect(channel).toMatchObject({ kind: 'state', defaultType: 'tick', history: 0, expiresInMs: undefined });
    expect(defineChannel('E', { kind: 'event', messages })).toMatchObject({ history: 0, keyed: false });
    expect(defineChannel('E', { kind: 'event', history: 5, messages }).history).toBe(5);
    const keyed = defineChannel('E', { kind: 'event', key: 'symbol', history: { perKey: 5 }, messages });
    expect(keyed).toMatchObject({ history: 10_000, historyPerKey: 5 });
    const own = defineChannel('E', {
      kind: 'event',
      key: 'symbol',
      history: { perKey: 5, channel: 7 },
      messages,
    });
    expect([own.history, maxHistoryKeys(own), maxHistoryKeys({ ...own, layout: 16 })]).toEqual([
      7, 50_000, 6_250,
    ]);
    expect(maxHistoryKeys({ historyPerKey: 500 })).toBe(10_000);
    expect(defineChannel('C', { kind: 'command', messages }).expiresInMs).toBeUndefined();
    expect(defineChannel('C', { kind: 'command', expiresInMs: 5, messages }).expiresInMs).toBe(5);
  });
});

describe('framing', () => {
  it('defaults to "message" for every kind and accepts "batch" for state, event and plain', () => {
    const framings = (['state', 'event', 'plain'] as const).flatMap((kind) => {
      const options = { kind, key: 'symbol', messages } as const;
      return [defineChannel('T', options), defineChannel('T', { ...options, framing: 'batch' })];
    });
    expect(framings.map(({ framing }) => framing)).toEqual(Array(3).fill(['message', 'batch']).flat());
    expect(defineChannel('C', { kind: 'command', messages }).framing).toBe('message');
  });

  it('is rejected with TICKBUS_INVALID_OPTION if it is unknown, or "batch" on a command channel', () => {
    defining('T', { kind: 'plain', framing: 'lines', messages }).toThrow(
      invalidOption(/Use "message" or "batch"/),
    );
    defining('C', { kind: 'command', framing: 'batch', messages }).toThrow(
      invalidOption(/does not support `framing/),
    );
  });
});

describe('key', () => {
  it('reads a string or number field of the payload', () => {
    const channel = defineChannel('TICKS', { kind: 'state', key: 'price', messages });
    expect(channel.keyed).toBe(true);
    expect(channel.keyOf({ price: 12.5 })).toBe('12.5');
    expect(channel.keyOf({ price: 'text' })).toBe('text');
  });

  it.each([undefined, null, true, {}, []])('is undefined if the field is %s', (value) => {
    const channel = defineChannel('TICKS', { kind: 'state', key: 'symbol', messages });
    expect(channel.keyOf({ symbol: value })).toBeUndefined();
    expect(channel.keyOf({})).toBeUndefined();
  });

  it('can be a function of the payload', () => {
    const key = ({ symbol }: z.infer<typeof tick>) => symbol.toLowerCase();
    expect(defineChannel('TICKS', { kind: 'event', key, messages }).keyOf({ symbol: 'AAPL' })).toBe('aapl');
  });

  it('is required for kind "state" and optional for every other kind', () => {
    defining('TICKS', { kind: 'state', messages }).toThrow(
      invalidOption(/"TICKS" is of kind "state" and has no `key`/),
    );
    for (const kind of ['event', 'command', 'plain'] as const) {
      const channel = defineChannel('TICKS', { kind, messages });
      expect(channel.keyed).toBe(false);
      expect(channel.keyOf({ symbol: 'AAPL' })).toBeUndefined();
    }
  });
});

describe('defineChannel throws TICKBUS_INVALID_OPTION', () => {
  it.each(['', 'a b', 'a\tb', '{a}', 'a}', 'a\u0000', 'a\u001b[2J', 'x'.repeat(129), undefined, 7])(
    'if the name is %j',
    (name) => defining(name, { kind: 'plain', messages }).toThrow(invalidOption(/has an invalid name/)),
  );

  it.each(['PRICE_DATA', 'prices.eu-1', 'größe', 'x'.repeat(128)])('but not if the name is %s', (name) => {
    expect(defineChannel(name, { kind: 'plain', messages }).name).toBe(name);
  });

  it('with control characters of the name escaped in the error text', () => {
    defining('a\u001b[2J', { kind: 'plain', messages }).toThrow(invalidOption(/a\\u001b\[2J/));
  });

  it.each(['', '1st', 'a b', '__proto__x', 'a\u001b', 'x'.repeat(129)])('if a message type is %j', (type) => {
    defining('C', { kind: 'plain', messages: { [type]: tick } }).toThrow(
      invalidOption(/has the invalid message type/),
    );
  });

  it.each([{}, undefined])('if messages is %j', (none) => {
    defining('C', { kind: 'plain', messages: none }).toThrow(invalidOption(/has no message types/));
  });

  it.each([undefined, null, {}, { parse() {} }, { '~standard': {} }])('if a schema is %j', (schema) => {
    defining('C', { kind: 'plain', messages: { tick: schema } }).toThrow(
      invalidOption(/has no Standard Schema.*"tick"/),
    );
  });

  it.each([-1, 1.5, 100_001, Number.NaN, Number.POSITIVE_INFINITY, '5'])('if history is %s', (history) => {
    defining('C', { kind: 'event', history, messages }).toThrow(
      invalidOption(/whole number from 0 to 100000/),
    );
  });

  it.each([
    [{ perKey: 0 }, /history\.perKey 0\. Use a whole number from 1 to 10000/],
    [{ perKey: 10_001 }, /history\.perKey 10001/],
    [{}, /history\.perKey undefined/],
    [{ perKey: 5, channel: -1 }, /history\.channel -1\. Use a whole number from 0 to 100000/],
    [{ perKey: '5' }, /history\.perKey 5/],
    [null, /history null/],
  ])('if history is %j', (history, message) => {
    defining('C', { kind: 'event', key: 'symbol', history, messages }).toThrow(
      errorWith('TICKBUS_INVALID_OPTION', { message: expect.stringMatching(message) }),
    );
  });

  it('if it has a history of each key and no key', () => {
    defining('C', { kind: 'event', history: { perKey: 5 }, messages }).toThrow(
      /history of each key and no `key`/,
    );
  });

  it('but not if history is 100,000', () => {
    expect(defineChannel('C', { kind: 'event', history: 100_000, messages }).history).toBe(100_000);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('if maxQuietMs is %s', (maxQuietMs) => {
    defining('C', { kind: 'state', key: 'symbol', maxQuietMs, messages }).toThrow(
      invalidOption(/maxQuietMs/),
    );
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('if expiresInMs is %s', (expiresInMs) => {
    defining('C', { kind: 'command', expiresInMs, messages }).toThrow(invalidOption(/expiresInMs/));
  });
});
