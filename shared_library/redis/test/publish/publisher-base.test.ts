// PublisherBase: the envelope, validation, order, closing and connecting.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import { deferred, errorOf, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { TickbusError } from '../../errors.ts';
import { PublisherBase, type PublisherSettings } from '../../publish/publisher-base.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import type { Receipt } from '../../transport/port.ts';
import { ALERTS, CHAT, COMMANDS, FakeTransport, FILLS, PRICES } from '../library.fixture.ts';

function setUp(settings: Partial<PublisherSettings> = {}) {
  const transport = new FakeTransport();
  const clock = new ManualClock();
  const publisher = new PublisherBase({ transport, clock, sender: 'me', ...settings });
  const sent = () => transport.published.flat().map(({ json }) => JSON.parse(json));
  return { transport, clock, publisher, sent };
}

describe('a message', () => {
  it('has the default type, the sender, the time and the unchanged payload', async () => {
    const { publisher, clock, sent } = setUp();
    await publisher.publish(ALERTS, { n: 1 });
    expect(sent()).toEqual([{ message_type: 'note', data: { n: 1 }, timestamp: clock.now(), sender: 'me' }]);
  });

  it('has the type and the sender of the call', async () => {
    const { publisher, sent } = setUp();
    await publisher.publish(ALERTS, { n: 1, level: 'high' }, { type: 'alarm', sender: 'other' });
    expect(sent()).toMatchObject([{ message_type: 'alarm', sender: 'other', data: { n: 1, level: 'high' } }]);
  });

  it('carries the key on a keyed channel', async () => {
    const { publisher, transport } = setUp();
    await publisher.publish(PRICES, { symbol: 'AAPL', price: 1 });
    await publisher.publish(FILLS, { n: 1 });
    expect(transport.published.flat().map(({ key }) => key)).toEqual(['AAPL', undefined]);
  });

  it('carries the schema input, not its output', async () => {
    const channel = defineChannel('C', {
      kind: 'plain',
      messages: { m: z.object({ t: z.string().trim() }) },
    });
    const { publisher, sent } = setUp();
    const payload = { t: ' x ', more: 1 };
    await publisher.publish(channel, payload);
    expect(sent()[0].data).toEqual(payload);
  });
});

describe('a command', () => {
  it('has a unique UUIDv7 of its time, and its expiry time', async () => {
    const { publisher, clock, sent } = setUp();
    await publisher.publish(COMMANDS, { n: 1 });
    await publisher.publish(COMMANDS, { n: 2 }, { expiresInMs: 50.4 });
    const [first, second] = sent();
    const uuidv7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    for (const { id } of [first, second]) {
      expect(id).toMatch(uuidv7);
      expect(Number.parseInt(id.replace('-', '').slice(0, 12), 16)).toBe(clock.now());
    }
    expect(first.id).not.toBe(second.id);
    expect(first.expires_at).toBe(clock.now() + 1_000);
    expect(second.expires_at).toBe(clock.now() + 50);
  });

  it('has no expiry on a channel without one; other kinds have neither id nor expiry', async () => {
    const channel = defineChannel('C', { kind: 'command', messages: COMMANDS.messages });
    const { publisher, sent } = setUp();
    await publisher.publish(channel, { n: 1 });
    await publisher.publish(FILLS, { n: 2 });
    await publisher.publish(CHAT, { n: 3 });
    expect(sent().map(({ id, expires_at }) => [typeof id, typeof expires_at])).toEqual([
      ['string', 'undefined'],
      ['undefined', 'undefined'],
      ['undefined', 'undefined'],
    ]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])(
    'rejects with TICKBUS_INVALID_OPTION if expiresInMs is %s',
    async (expiresInMs) => {
      const { publisher, sent } = setUp();
      const error = await errorOf(publisher.publish(COMMANDS, { n: 1 }, { expiresInMs }));
      expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION' });
      expect(sent()).toEqual([]);
    },
  );
});

describe('publish rejects without sending', () => {
  it('with TICKBUS_INVALID_MESSAGE for an invalid payload, an unknown type or a missing key', async () => {
    const { publisher, sent } = setUp();
    const loose = defineChannel('LOOSE', {
      kind: 'state',
      key: 'id',
      messages: { m: z.object({ id: z.union([z.string(), z.boolean()]) }) },
    });
    const refused = await Promise.all([
      errorOf(publisher.publish(FILLS, { n: '1' as unknown as number })),
      errorOf(publisher.publish(FILLS, { n: 1 }, { type: 'toString' as 'note' })),
      errorOf(publisher.publish(loose, { id: true })),
    ]);
    expect(refused.map((error) => error as object)).toMatchObject([
      { code: 'TICKBUS_INVALID_MESSAGE', field: 'data.n' },
      { code: 'TICKBUS_INVALID_MESSAGE', field: 'message_type' },
      { code: 'TICKBUS_INVALID_MESSAGE', field: 'data' },
    ]);
    expect(sent()).toEqual([]);
  });

  it('with TICKBUS_INVALID_MESSAGE if the schema or the key function throws', async () => {
    const failure = new Error('in the schema');
    const throwing: StandardSchemaV1<object> = {
      '~standard': {
        version: 1,
        vendor: 'by hand',
        validate: () => {
          throw failure;
        },
      },
    };
    const { publisher, sent } = setUp();
    const channel = defineChannel('C', { kind: 'plain', messages: { m: throwing } });
    const keyed = defineChannel('K', {
      kind: 'state',
      key: ({ id }) => (id as string).toLowerCase(),
      messages: { m: z.object({ id: z.string().optional() }) },
    });
    expect(await errorOf(publisher.publish(channel, {}))).toMatchObject({
      code: 'TICKBUS_INVALID_MESSAGE',
      cause: failure,
    });
    expect(await errorOf(publisher.publish(keyed, {}))).toMatchObject({ code: 'TICKBUS_INVALID_MESSAGE' });
    expect(sent()).toEqual([]);
  });

  it.each([
    ['deadlineMs', 0],
    ['deadlineMs', -1],
    ['deadlineMs', Number.NaN],
    ['maxPendingBytes', -1],
    ['maxPendingBytes', Number.NaN],
  ])('constructor throws TICKBUS_INVALID_OPTION if %s is %s', (option, value) => {
    expect(() => setUp({ [option]: value })).toThrow(
      expect.objectContaining({ code: 'TICKBUS_INVALID_OPTION', message: expect.stringContaining(option) }),
    );
  });
});

describe('order', () => {
  it('follows the calls within a channel; channels do not wait for each other', async () => {
    const { publisher, transport } = setUp();
    const slow = deferred<Receipt>();
    transport.onPublish = (batch) =>
      batch[0]?.json.includes('"n":1')
        ? slow.promise
        : Promise.resolve({ first: { epoch: 1, seq: 1 }, receivers: 0 });
    const first = publisher.publish(FILLS, { n: 1 });
    const second = publisher.publish(FILLS, { n: 2 });
    await eventLoopTurns();
    const third = publisher.publish(FILLS, { n: 3 });
    await publisher.publish(CHAT, { n: 4 });
    slow.resolve({ first: { epoch: 1, seq: 1 }, receivers: 0 });
    await Promise.all([first, second, third]);
    const numbers = transport.published.map((batch) => batch.map(({ json }) => JSON.parse(json).data.n));
    expect(numbers).toEqual([[1, 2], [4], [3]]);
  });
});

describe('close', () => {
  it('waits for the messages in flight', async () => {
    const { publisher, transport } = setUp();
    const answer = deferred<Receipt>();
    transport.onPublish = () => answer.promise;
    const published = publisher.publish(FILLS, { n: 1 });
    let closed = false;
    const closing = publisher.close().then(() => {
      closed = true;
    });
    await eventLoopTurns();
    expect(closed).toBe(false);
    answer.resolve({ first: { epoch: 1, seq: 1 }, receivers: 0 });
    await closing;
    expect((await published).position).toEqual({ epoch: 1, seq: 1 });
  });

  it('waits no longer than the deadline', async () => {
    const { publisher, transport, clock } = setUp({ deadlineMs: 100 });
    transport.onPublish = () => new Promise(() => {});
    const unknown = errorOf(publisher.publish(FILLS, { n: 1 }));
    const closing = publisher.close();
    await eventLoopTurns();
    await clock.advance(100);
    await closing;
    expect(await unknown).toMatchObject({ code: 'TICKBUS_OUTCOME_UNKNOWN' });
  });

  it('resolves for every caller while a message is in flight', async () => {
    const { publisher, transport } = setUp();
    const answer = deferred<Receipt>();
    transport.onPublish = () => answer.promise;
    void publisher.publish(FILLS, { n: 1 });
    let ended = 0;
    for (let n = 0; n < 2; n++) void publisher.close().then(() => ended++);
    await eventLoopTurns();
    answer.resolve({ first: { epoch: 1, seq: 1 }, receivers: 0 });
    await eventLoopTurns();
    expect(ended).toBe(2);
  });

  it('makes publish and connect reject with TICKBUS_CLOSED, and can be called again', async () => {
    const { publisher, sent } = setUp();
    await publisher.close();
    await publisher.close();
    for (const call of [publisher.publish(FILLS, { n: 1 }), publisher.connect()]) {
      expect(await errorOf(call)).toMatchObject({ code: 'TICKBUS_CLOSED' });
    }
    expect(sent()).toEqual([]);
  });

  it('runs at the end of `await using`', async () => {
    const { publisher } = setUp();
    {
      await using scoped = publisher;
      await scoped.publish(FILLS, { n: 1 });
    }
    expect(await errorOf(publisher.publish(FILLS, { n: 2 }))).toMatchObject({ code: 'TICKBUS_CLOSED' });
  });
});

describe('connect', () => {
  it('runs on the first publish, which rejects with the connection error', async () => {
    const { publisher, transport, sent } = setUp();
    transport.connect = () => Promise.reject({ code: 'TICKBUS_CONNECT_FAILED' });
    expect(await errorOf(publisher.publish(FILLS, { n: 1 }))).toEqual({ code: 'TICKBUS_CONNECT_FAILED' });
    expect(await errorOf(publisher.connect())).toEqual({ code: 'TICKBUS_CONNECT_FAILED' });
    expect(sent()).toEqual([]);
  });
});

describe('the id of a command', () => {
  it('is generated or taken from the call, and returned with the outcome', async () => {
    const { publisher, sent } = setUp();
    const made = await publisher.publish(COMMANDS, { n: 1 });
    const given = await publisher.publish(COMMANDS, { n: 2 }, { id: 'order-7' });
    expect(made.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(given.id).toBe('order-7');
    expect(sent().map(({ id }) => id)).toEqual([made.id, 'order-7']);
  });

  it('is remembered until the command expires: at least one minute, ten without expiry', async () => {
    const { publisher, transport } = setUp();
    await publisher.publish(COMMANDS, { n: 1 }, { expiresInMs: 5_000 });
    await publisher.publish(COMMANDS, { n: 1 }, { expiresInMs: 90_000.5 });
    await publisher.publish(defineChannel('FOR_EVER', { kind: 'command', messages: COMMANDS.messages }), {
      n: 1,
    });
    expect(transport.published.flat().map(({ idempotency }) => idempotency?.rememberMs)).toEqual([
      60_000, 90_001, 600_000,
    ]);
  });

  it('that was published before resolves with the first outcome', async () => {
    const { publisher, transport } = setUp();
    const position = { epoch: 5, seq: 9 };
    transport.onPublish = async () => ({
      first: { epoch: 5, seq: 12 },
      receivers: 3,
      repeated: new Map([[1, { position, receivers: 2 }]]),
    });
    const [one, two, three] = await Promise.all(
      ['a', 'b', 'c'].map((id) => publisher.publish(COMMANDS, { n: 1 }, { id })),
    );
    expect(one).toEqual({ position: { epoch: 5, seq: 12 }, receivers: 3, id: 'a' });
    expect(two).toEqual({ position, receivers: 2, id: 'b', repeated: true });
    expect(three).toEqual({ position: { epoch: 5, seq: 13 }, receivers: 3, id: 'c' });
  });

  it('is reported in the error of each command if the outcome of a batch is unknown', async () => {
    const { publisher, transport } = setUp();
    transport.onPublish = () =>
      Promise.reject(new TickbusError('TICKBUS_OUTCOME_UNKNOWN', 'The reply was lost.'));
    const errors = await Promise.all(
      ['a', 'b'].map((id) => errorOf(publisher.publish(COMMANDS, { n: 1 }, { id }))),
    );
    expect(errors).toMatchObject([
      { code: 'TICKBUS_OUTCOME_UNKNOWN', messageId: 'a', retryable: false },
      { code: 'TICKBUS_OUTCOME_UNKNOWN', messageId: 'b', message: expect.stringContaining("{ id: 'b' }") },
    ]);
    expect(JSON.parse(JSON.stringify(errors[0])).messageId).toBe('a');
    const plain = await errorOf(publisher.publish(ALERTS, { n: 1 }));
    expect(plain).toMatchObject({ code: 'TICKBUS_OUTCOME_UNKNOWN', messageId: undefined });
  });

  it.each(['', 'with blank', 'ü', 'x'.repeat(129)])(
    'rejects with TICKBUS_INVALID_OPTION if it is %j',
    async (id) => {
      const { publisher, transport } = setUp();
      const error = await errorOf(publisher.publish(COMMANDS, { n: 1 }, { id }));
      expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'id' });
      expect(transport.published).toEqual([]);
    },
  );

  it('rejects with TICKBUS_INVALID_OPTION on other kinds of channel', async () => {
    const { publisher } = setUp();
    const error = await errorOf(publisher.publish(ALERTS, { n: 1 }, { id: 'a' }));
    expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'id' });
  });
});
