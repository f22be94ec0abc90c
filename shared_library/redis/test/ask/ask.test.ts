// Ask: one outcome for each command, by the answer, by what is known about the publish, or by time.

import { errorOf, silentLogger } from '@tickbus/test-kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Asks } from '../../ask/asks.ts';
import { defineChannel } from '../../channel/channel.ts';
import { CHANNELS } from '../../constants.ts';
import { type AskError, RedisPublisher } from '../../publisher.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { MemoryConnection } from '../../testing.ts';

const { TRADE_COMMANDS, COMMAND_RESULTS } = CHANNELS;
const PAUSE = { type: 'pause' } as const;

type Outcome = 'accepted' | 'done' | 'rejected' | 'expired' | 'failed';

let clock: ManualClock;
let link: MemoryConnection;
let publisher: RedisPublisher;
let bot: RedisSubscriber;
let botPublisher: RedisPublisher;
/** The ids that the bot has received. */
let received: string[];

beforeEach(() => {
  clock = new ManualClock();
  received = [];
  link = new MemoryConnection({ clock });
  const connection = new MemoryConnection({ server: link.server });
  publisher = new RedisPublisher({ connection: link, clock, sender: 'desk', logger: silentLogger });
  bot = new RedisSubscriber({ connection, clock, logger: silentLogger });
  botPublisher = new RedisPublisher({ connection, clock, logger: silentLogger });
});
afterEach(() => Promise.all([publisher.close(), bot.close(), botPublisher.close()]));

/** The bot `momentum` answers each command with these outcomes. */
async function answering(...outcomes: Outcome[]): Promise<void> {
  bot.subscribe(TRADE_COMMANDS, async ({ id = '' }) => {
    received.push(id);
    for (const outcome of outcomes) await answer(id, outcome);
  });
  await bot.startListening();
}

function answer(command_id: string, outcome: Outcome) {
  const detail = `It is ${outcome}.`;
  const result = { command_id, bot: 'momentum', action: 'pause', outcome, detail, by: 'desk' };
  return botPublisher.publish(COMMAND_RESULTS, result);
}

const ask = (more: Parameters<typeof publisher.ask<typeof TRADE_COMMANDS, 'pause'>>[2] = {}) =>
  publisher.ask(TRADE_COMMANDS, { bot: 'momentum' }, { ...PAUSE, ...more });
/** Asks, and waits until the server has published the command. @returns the error of the call, later */
async function published(more: Parameters<typeof ask>[0]): Promise<{ readonly failed: Promise<AskError> }> {
  let onPublished: () => void = () => {};
  const isPublished = new Promise<void>((resolve) => {
    onPublished = resolve;
  });
  const failed = failure(ask({ ...more, onPublished }));
  await isPublished;
  return { failed };
}
const failure = (asked: Promise<unknown>) => errorOf(asked) as Promise<AskError>;

describe('an answer', () => {
  it('resolves the call with its payload', async () => {
    await answering('done');
    const result = await ask({ sender: 'operator' });
    expect(result).toMatchObject({ command_id: received[0], outcome: 'done', detail: 'It is done.' });
  });

  it.each([
    ['rejected', 'TICKBUS_REJECTED', false, /^momentum rejected pause and did nothing\. It is rejected\.$/],
    ['expired', 'TICKBUS_EXPIRED', true, /^pause expired before momentum got to it, so nothing was done\./],
    ['failed', 'TICKBUS_FAILED', false, /^momentum tried pause without success\. It is failed\.$/],
  ] as const)('%s is an error with the code %s', async (outcome, code, retryable, text) => {
    await answering(outcome);
    const error = await failure(ask());
    expect(error).toMatchObject({ code, retryable, messageId: received[0], answer: { outcome } });
    expect(error.message).toMatch(text);
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({ code, answer: { outcome } });
  });

  it('accepted is reported, and the next one counts', async () => {
    await answering('accepted', 'done');
    const accepted: unknown[] = [];
    const result = await ask({ onAccepted: ({ outcome }) => accepted.push(outcome) });
    expect([accepted, result.outcome]).toEqual([['accepted'], 'done']);
  });

  it('may come before the report of the publish', async () => {
    await answering('done');
    const published: number[] = [];
    await ask({ onPublished: ({ receivers }) => published.push(receivers) });
    await expect.poll(() => published).toEqual([1]);
  });

  it.each(['onPublished', 'onAccepted'])('rejects with the error of %s', async (callback) => {
    await answering('accepted', 'done');
    const broken = () => {
      throw new Error('mine');
    };
    expect(await failure(ask({ [callback]: broken }))).toMatchObject({ message: 'mine' });
  });

  it('to another command does not count', async () => {
    await answering();
    const asked = ask({ id: 'mine' });
    await expect.poll(() => received).toEqual(['mine']);
    await answer('of-another', 'failed');
    await answer('mine', 'done');
    expect(await asked).toMatchObject({ command_id: 'mine', outcome: 'done' });
  });

  it('of many asks reaches the right one, on one subscription', async () => {
    await answering('done');
    const ids = Array.from({ length: 300 }, (_, n) => `ask-${n}`);
    const results = await Promise.all(ids.map((id) => ask({ id })));
    expect(results.map(({ command_id }) => command_id)).toEqual(ids);
    expect((await answer('none', 'done')).receivers).toBe(1);
  });
});

describe('without an answer', () => {
  it('nobody listens: fails at once', async () => {
    const error = await failure(ask());
    expect(error).toMatchObject({ code: 'TICKBUS_ABSENT', retryable: true, messageId: undefined });
    expect(error.message).toMatch(/^Nobody named momentum listens to TRADE_COMMANDS: pause was not sent\./);
  });

  it('fails after its time, when the command has expired', async () => {
    await answering();
    const { failed } = await published({ timeoutMs: 2_000 });
    await clock.advance(1_999);
    const early = await Promise.race([failed, Promise.resolve('pending')]);
    expect(early).toBe('pending');
    await clock.advance(1);
    const error = await failed;
    expect(error).toMatchObject({ code: 'TICKBUS_NO_ANSWER', retryable: false, messageId: received[0] });
    expect(error.message).toMatch(/^momentum has not answered within 2000 ms: .*It does not start later/);
  });

  it('names the invalid field of an answer that was dropped, and takes a valid one that follows', async () => {
    await answering();
    const corrected = ask({ id: 'three' });
    const sent = await Promise.all([published({ id: 'one' }), published({ id: 'two' })]);
    for (const command_id of ['one', 'three']) {
      const data = { command_id, bot: 'momentum', action: 'pause', outcome: 'done' };
      const envelope = { message_type: 'command_result', data, timestamp: 0, sender: 'python' };
      link.server.publishRaw('COMMAND_RESULTS', Buffer.from(JSON.stringify(envelope)));
    }
    await answer('three', 'done');
    expect(await corrected).toMatchObject({ command_id: 'three' });
    await clock.advance(10_000);
    const errors = await Promise.all(sent.map(({ failed }) => failed));
    expect(errors.map(({ code }) => code)).toEqual(['TICKBUS_NO_ANSWER', 'TICKBUS_NO_ANSWER']);
    expect(errors[0]?.message).toMatch(
      /^momentum answered with an invalid message on COMMAND_RESULTS, which was dropped: .*"data\.by"/,
    );
    expect(errors[1]?.message).toMatch(/^momentum has not answered within 10000 ms/);
  });

  it('gives the command the life of the ask, unless told otherwise', async () => {
    const lives: number[] = [];
    bot.subscribe(TRADE_COMMANDS, ({ expires_at = 0, timestamp }) => lives.push(expires_at - timestamp));
    await bot.startListening();
    const asks = [{ timeoutMs: 500 }, { timeoutMs: 60_000 }, { expiresInMs: 700 }];
    const sent = await Promise.all(asks.map(published));
    expect(lives).toEqual([500, 30_000, 700]);
    await clock.advance(60_000);
    for (const { failed } of sent) expect((await failed).code).toBe('TICKBUS_NO_ANSWER');
  });

  it('says that it may still start, if the command outlives the call', async () => {
    await answering();
    const { failed } = await published({ timeoutMs: 1_000, expiresInMs: 5_000 });
    await clock.advance(1_000);
    expect((await failed).message).toContain('It may still start until 5000 ms after sending.');
  });

  it('is settled by close', async () => {
    await answering();
    const { failed } = await published({ id: 'one' });
    await publisher.close();
    expect(await failed).toMatchObject({ code: 'TICKBUS_CLOSED', messageId: 'one' });
    expect(await failure(ask())).toMatchObject({ code: 'TICKBUS_CLOSED' });
    expect((await answer('none', 'done')).receivers).toBe(0);
  });
});

describe('nothing is sent', () => {
  it('if the link is down', async () => {
    await answering('done');
    await ask();
    link.disconnect();
    expect(await failure(ask())).toMatchObject({ code: 'TICKBUS_NOT_CONNECTED', retryable: true });
    link.reconnect();
    expect(await ask()).toMatchObject({ outcome: 'done' });
    expect(received).toHaveLength(2);
  });

  it.each([
    ['an invalid payload', { bot: '' }, PAUSE, 'TICKBUS_INVALID_MESSAGE', 'data.bot'],
    ['no payload', undefined, PAUSE, 'TICKBUS_INVALID_MESSAGE', undefined],
    ['an invalid time', { bot: 'b' }, { timeoutMs: 0 }, 'TICKBUS_INVALID_OPTION', 'timeoutMs'],
    ['an unknown option', { bot: 'b' }, { timeout: 1 }, 'TICKBUS_INVALID_OPTION', 'timeout'],
    ['an invalid id', { bot: 'b' }, { ...PAUSE, id: '' }, 'TICKBUS_INVALID_OPTION', 'id'],
  ])('for %s', async (_, data, options, code, field) => {
    await answering('done');
    const error = await failure(publisher.ask(TRADE_COMMANDS, data as never, options as never));
    expect(error).toMatchObject({ code, ...(field !== undefined && { field }) });
    expect(received).toEqual([]);
  });

  it('on a channel without answers', async () => {
    const plain = defineChannel('PLAIN', { kind: 'command', messages: { go: z.object({}) } });
    const error = await failure(publisher.ask(plain as never, {} as never));
    expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'channel' });
    expect(error.message).toContain('PLAIN has no channel of answers');
  });

  it('twice at once under one id', async () => {
    await answering();
    const { failed } = await published({ id: 'same', timeoutMs: 100 });
    expect(await failure(ask({ id: 'same' }))).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'id' });
    expect(received).toEqual(['same']);
    await clock.advance(100);
    expect(await failed).toMatchObject({ code: 'TICKBUS_NO_ANSWER' });
  });

  it('if presence knows that nobody of that name is there', async () => {
    const published: unknown[] = [];
    const asks = new Asks({
      clock,
      check: () => {},
      publish: async (...args) => {
        published.push(args);
        return { position: undefined, receivers: 1 };
      },
      newSubscriber: () => new RedisSubscriber({ connection: link, clock, logger: silentLogger }),
      presence: {
        find: async (name) => ({
          ...{ isAbsent: name === 'momentun', isGone: false, instances: new Set(), subscribes: false },
        }),
        onEnd: () => {},
        close: async () => {},
      },
    });
    const error = await failure(asks.ask(TRADE_COMMANDS, { bot: 'momentun' }, PAUSE));
    expect(error).toMatchObject({ code: 'TICKBUS_ABSENT', messageId: undefined });
    expect(error.message).toMatch(/^Nobody named momentun listens to TRADE_COMMANDS: pause was not sent\./);
    expect(published).toEqual([]);
    const others = ['momentum', 'known'].map((name) =>
      failure(asks.ask(TRADE_COMMANDS, { bot: name }, PAUSE)),
    );
    await expect.poll(() => published).toHaveLength(2);
    await asks.close();
    expect((await Promise.all(others)).map(({ code }) => code)).toEqual(['TICKBUS_CLOSED', 'TICKBUS_CLOSED']);
  });
});

it('works on an own pair of channels, with any other outcome as a success', async () => {
  const reply = z.object({ command_id: z.string(), outcome: z.string(), filled: z.number() });
  const REPLIES = defineChannel('REPLIES', { kind: 'event', history: 100, messages: { reply } });
  const ORDERS = defineChannel('ORDERS', {
    kind: 'command',
    messages: { order: z.object({ quantity: z.number() }) },
    answers: REPLIES,
  });
  bot.subscribe(ORDERS, ({ id = '', data }) =>
    botPublisher.publish(REPLIES, { command_id: id, outcome: 'partly_filled', filled: data.quantity - 1 }),
  );
  await bot.startListening();
  const { outcome, filled } = await publisher.ask(ORDERS, { quantity: 5 });
  expect([outcome, filled]).toEqual(['partly_filled', 4]);
});

it('rejects a definition of answers that cannot work', () => {
  const messages = { go: z.object({}) };
  const answers = CHANNELS.COMMAND_RESULTS;
  expect(() => defineChannel('A', { kind: 'event', messages, answers } as never)).toThrow(
    /only commands have/,
  );
  const wrong = { kind: 'command', messages, answers: CHANNELS.BOT_STATUS };
  expect(() => defineChannel('A', wrong as never)).toThrow(/no channel of kind "event"/);
});
