import { errorOf } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { defineChannel } from '../../channel/channel.ts';
import { TickbusError } from '../../errors.ts';
import { ALERTS, CHAT, COMMANDS, FILLS } from '../channels.fixture.ts';
import { fakePublisher } from './publisher.fixture.ts';

describe('a command', () => {
  it('has a unique UUIDv7 of its time, and its expiry time', async () => {
    const { publisher, clock, sent } = fakePublisher();
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
    const { publisher, sent } = fakePublisher();
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
      const { publisher, sent } = fakePublisher();
      const error = await errorOf(publisher.publish(COMMANDS, { n: 1 }, { expiresInMs }));
      expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION' });
      expect(sent()).toEqual([]);
    },
  );
});

describe('the id of a command', () => {
  it('is generated or taken from the call, and returned with the outcome', async () => {
    const { publisher, sent } = fakePublisher();
    const made = await publisher.publish(COMMANDS, { n: 1 });
    const given = await publisher.publish(COMMANDS, { n: 2 }, { id: 'order-7' });
    expect(made.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(given.id).toBe('order-7');
    expect(sent().map(({ id }) => id)).toEqual([made.id, 'order-7']);
  });

  it('is remembered until the command expires: at least one minute, ten without expiry', async () => {
    const { publisher, transport } = fakePublisher();
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
    const { publisher, transport } = fakePublisher();
    const position = { epoch: 5, seq: 9 };
    transport.onPublish = async () => ({
      first: { epoch: 5, seq: 12 },
      receivers: 3,
      repeated: new Map([[1, { position, receivers: 2 }]]),
    });
    const [first, second, third] = await Promise.all(
      ['a', 'b', 'c'].map((id) => publisher.publish(COMMANDS, { n: 1 }, { id })),
    );
    expect(first).toEqual({ position: { epoch: 5, seq: 12 }, receivers: 3, id: 'a' });
    expect(second).toEqual({ position, receivers: 2, id: 'b', repeated: true });
    expect(third).toEqual({ position: { epoch: 5, seq: 13 }, receivers: 3, id: 'c' });
  });

  it('is reported in the error of each command if the outcome of a batch is unknown', async () => {
    const { publisher, transport } = fakePublisher();
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
      const { publisher, transport } = fakePublisher();
      const error = await errorOf(publisher.publish(COMMANDS, { n: 1 }, { id }));
      expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'id' });
      expect(transport.published).toEqual([]);
    },
  );

  it('rejects with TICKBUS_INVALID_OPTION on other kinds of channel', async () => {
    const { publisher } = fakePublisher();
    const error = await errorOf(publisher.publish(ALERTS, { n: 1 }, { id: 'a' }));
    expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'id' });
  });
});
