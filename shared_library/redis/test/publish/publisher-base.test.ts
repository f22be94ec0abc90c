// PublisherBase: the envelope, validation, order, closing and connecting.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import { deferred, errorOf, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import type { Receipt } from '../../transport/port.ts';
import { ALERTS, CHAT, errorWith, FILLS, PRICES, receiptAt } from '../channels.fixture.ts';
import { fakePublisher } from './publisher.fixture.ts';

describe('a message', () => {
  it('has the default type, the sender, the time and the unchanged payload', async () => {
    const { publisher, clock, sent } = fakePublisher();
    await publisher.publish(ALERTS, { n: 1 });
    expect(sent()).toEqual([{ message_type: 'note', data: { n: 1 }, timestamp: clock.now(), sender: 'me' }]);
  });

  it('has the type and the sender of the call', async () => {
    const { publisher, sent } = fakePublisher();
    await publisher.publish(ALERTS, { n: 1, level: 'high' }, { type: 'alarm', sender: 'other' });
    expect(sent()).toMatchObject([{ message_type: 'alarm', sender: 'other', data: { n: 1, level: 'high' } }]);
  });

  it('carries the key on a keyed channel', async () => {
    const { publisher, transport } = fakePublisher();
    await publisher.publish(PRICES, { symbol: 'AAPL', price: 1 });
    await publisher.publish(FILLS, { n: 1 });
    expect(transport.published.flat().map(({ key }) => key)).toEqual(['AAPL', undefined]);
  });

  it('carries the schema input, not its output', async () => {
    const channel = defineChannel('C', {
      kind: 'plain',
      messages: { m: z.object({ t: z.string().trim() }) },
    });
    const { publisher, sent } = fakePublisher();
    const payload = { t: ' x ', more: 1 };
    await publisher.publish(channel, payload);
    expect(sent()[0].data).toEqual(payload);
  });
});

describe('the first messages', () => {
  it('keep their order, in whichever microtask of the connection they are published', async () => {
    for (let microtasks = 0; microtasks < 12; microtasks++) {
      const { publisher, sent } = fakePublisher();
      const outcomes = [publisher.publish(FILLS, { n: 1 }), publisher.publish(FILLS, { n: 2 })];
      for (let left = microtasks; left > 0; left--) await Promise.resolve();
      outcomes.push(publisher.publish(FILLS, { n: 3 }));
      await Promise.all(outcomes);
      expect(sent().map(({ data }) => data.n)).toEqual([1, 2, 3]);
    }
  });
});

describe('endsKey', () => {
  it('marks the message of a state channel, and only with true', async () => {
    const { publisher, transport } = fakePublisher();
    const price = { symbol: 'AAPL', price: 1 };
    await publisher.publish(PRICES, price, { endsKey: true });
    await publisher.publish(PRICES, price, { endsKey: false });
    expect(transport.published.flat().map(({ key, endsKey }) => [key, endsKey])).toEqual([
      ['AAPL', true],
      ['AAPL', undefined],
    ]);
  });

  it('is rejected by name on a channel without last values, and if it is not a boolean', async () => {
    const { publisher, sent } = fakePublisher();
    const rejected = { code: 'TICKBUS_INVALID_OPTION', field: 'endsKey' };
    const price = { symbol: 'AAPL', price: 1 };
    for (const options of [{ endsKey: 1 }, { endsKey: 'yes' }] as unknown as { endsKey: boolean }[])
      await expect(publisher.publish(PRICES, price, options)).rejects.toMatchObject(rejected);
    await expect(publisher.publish(FILLS, { n: 1 }, { endsKey: true })).rejects.toMatchObject(rejected);
    expect(sent()).toEqual([]);
  });
});

describe('publish rejects without sending', () => {
  it('with TICKBUS_INVALID_MESSAGE for an invalid payload, an unknown type or a missing key', async () => {
    const { publisher, sent } = fakePublisher();
    const loose = defineChannel('LOOSE', {
      kind: 'state',
      key: 'id',
      messages: { m: z.object({ id: z.union([z.string(), z.boolean()]) }) },
    });
    const errors = await Promise.all([
      errorOf(publisher.publish(FILLS, { n: '1' as unknown as number })),
      errorOf(publisher.publish(FILLS, { n: 1 }, { type: 'toString' as 'note' })),
      errorOf(publisher.publish(loose, { id: true })),
    ]);
    expect(errors.map((error) => error as object)).toMatchObject([
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
    const { publisher, sent } = fakePublisher();
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
    ['replicas', -1],
    ['replicas', 1.5],
    ['replicas', Number.NaN],
  ])('constructor throws TICKBUS_INVALID_OPTION if %s is %s', (option, value) => {
    expect(() => fakePublisher({ [option]: value })).toThrow(
      errorWith('TICKBUS_INVALID_OPTION', { message: expect.stringContaining(option) }),
    );
  });
});

describe('order', () => {
  it('follows the calls within a channel; channels do not wait for each other', async () => {
    const { publisher, transport } = fakePublisher();
    const slow = deferred<Receipt>();
    transport.onPublish = (batch) =>
      batch[0]?.json.includes('"n":1') ? slow.promise : Promise.resolve(receiptAt(1));
    const first = publisher.publish(FILLS, { n: 1 });
    const second = publisher.publish(FILLS, { n: 2 });
    await eventLoopTurns();
    const third = publisher.publish(FILLS, { n: 3 });
    await publisher.publish(CHAT, { n: 4 });
    slow.resolve(receiptAt(1));
    await Promise.all([first, second, third]);
    const numbers = transport.published.map((batch) => batch.map(({ json }) => JSON.parse(json).data.n));
    expect(numbers).toEqual([[1, 2], [4], [3]]);
  });
});

describe('close', () => {
  it('waits for the messages in flight', async () => {
    const { publisher, transport } = fakePublisher();
    const reply = deferred<Receipt>();
    transport.onPublish = () => reply.promise;
    const published = publisher.publish(FILLS, { n: 1 });
    let closed = false;
    const closing = publisher.close().then(() => {
      closed = true;
    });
    await eventLoopTurns();
    expect(closed).toBe(false);
    reply.resolve(receiptAt(1));
    await closing;
    expect((await published).position).toEqual({ epoch: 1, seq: 1 });
  });

  it('waits no longer than the deadline', async () => {
    const { publisher, transport, clock } = fakePublisher({ deadlineMs: 100 });
    transport.onPublish = () => new Promise(() => {});
    const unknown = errorOf(publisher.publish(FILLS, { n: 1 }));
    const closing = publisher.close();
    await eventLoopTurns();
    await clock.advance(100);
    await closing;
    expect(await unknown).toMatchObject({ code: 'TICKBUS_OUTCOME_UNKNOWN' });
  });

  it('resolves for every caller while a message is in flight', async () => {
    const { publisher, transport } = fakePublisher();
    const reply = deferred<Receipt>();
    transport.onPublish = () => reply.promise;
    void publisher.publish(FILLS, { n: 1 });
    let ended = 0;
    for (let n = 0; n < 2; n++) void publisher.close().then(() => ended++);
    await eventLoopTurns();
    reply.resolve(receiptAt(1));
    await eventLoopTurns();
    expect(ended).toBe(2);
  });

  it('makes publish and connect reject with TICKBUS_CLOSED, and can be called again', async () => {
    const { publisher, sent } = fakePublisher();
    await publisher.close();
    await publisher.close();
    for (const call of [publisher.publish(FILLS, { n: 1 }), publisher.connect()]) {
      expect(await errorOf(call)).toMatchObject({ code: 'TICKBUS_CLOSED' });
    }
    expect(sent()).toEqual([]);
  });

  it('runs at the end of `await using`', async () => {
    const { publisher } = fakePublisher();
    {
      await using scoped = publisher;
      await scoped.publish(FILLS, { n: 1 });
    }
    expect(await errorOf(publisher.publish(FILLS, { n: 2 }))).toMatchObject({ code: 'TICKBUS_CLOSED' });
  });
});

describe('connect', () => {
  it('runs on the first publish, which rejects with the connection error', async () => {
    const { publisher, transport, sent } = fakePublisher();
    transport.connect = () => Promise.reject({ code: 'TICKBUS_CONNECT_FAILED' });
    expect(await errorOf(publisher.publish(FILLS, { n: 1 }))).toEqual({ code: 'TICKBUS_CONNECT_FAILED' });
    expect(await errorOf(publisher.connect())).toEqual({ code: 'TICKBUS_CONNECT_FAILED' });
    expect(sent()).toEqual([]);
  });
});
