// `tickbus pub` against a real server.

import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { call, jsonLines, withServer } from './harness.ts';

const server = withServer();
const { env } = server;
let plain: ReturnType<typeof createClient>;
beforeAll(async () => {
  plain = createClient({ url: server.redis.url });
  await plain.connect();
});
afterAll(() => plain.destroy());

describe('pub', () => {
  it.each([
    [
      ['pub', 'PRICE_DTA', '{}'],
      /Unknown channel PRICE_DTA\. Did you mean PRICE_DATA\? Use one of PRICE_DATA, /,
    ],
    [['pub', 'mine', '{}'], /Unknown channel mine\. Use one of [^?]+, or add --plain/],
    [['pub', 'PRICE_DATA', '{"symbol":'], /The payload is not valid JSON: /],
    [['pub', 'PRICE_DATA', 'price', '[1]'], /The payload is JSON, but not an object/],
    [['pub', 'PRICE_DATA', 'price'], /The payload is missing\. Add a JSON object after the type/],
    [['pub', 'PRICE_DATA'], /The payload is missing\. Add a JSON object after the channel/],
    [
      ['pub', 'PRICE_DATA', '{"symbol":"A","timestamp":0}'],
      /The field "data.price" of a PRICE_DATA "price" message/,
    ],
    [
      ['pub', 'PRICE_DATA', 'quote', '{}'],
      /The field "message_type" is "quote", which PRICE_DATA does not define/,
    ],
    [['pub', 'PRICE_DATA', '--plain', 'x', '{}'], /PRICE_DATA is a known channel\. Omit --plain/],
    [['pub', 'mine', '--plain', '{}'], /--plain needs a message type/],
    [['pub'], /missing required argument 'channel'/],
    [['--url', 'http://x', 'pub', 'PRICE_DATA', '{}'], /--url is not a Redis URL/],
    [
      ['--env-file', 'no-such-file', 'pub', 'PRICE_DATA', '{}'],
      /Cannot read --env-file: no-such-file does not exist/,
    ],
    [['-q', '-v', 'pub', 'PRICE_DATA', '{}'], /cannot be used with/],
  ])('rejects %j with exit code 64, and sends nothing', async (args, sentence) => {
    const { code, stdout, stderr } = await call(args, { env: env() });
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toMatch(sentence);
  });

  it('warns if nobody received the message, except with --quiet', async () => {
    const args = ['pub', 'FEED_STATUS', '{"feed":"f","state":"live"}', '--sender', 'tester'];
    const { code, stderr } = await call(args, { env: env() });
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: 'warning: No subscriber on FEED_STATUS received the message.\n',
    });
    expect(await call([...args, '-q'], { env: env() })).toEqual({ code: 0, stdout: '', stderr: '' });
    const kept = await plain.hGet('tickbus:{FEED_STATUS}:last', 'f');
    expect(JSON.parse(kept ?? '')).toMatchObject({ sender: 'tester', seq: 2 });
  });

  it('explains the rejection while a gateway holds the channel', async () => {
    await plain.set('tickbus:{INSTRUMENT_STATUS}:lease', '1');
    await plain.hSet('tickbus:{INSTRUMENT_STATUS}:head', { token: '1', holder: '1 1700000000000 desk-17' });
    const args = ['pub', 'INSTRUMENT_STATUS', '{"feed":"f","symbol":"A","state":"refused"}'];
    const { code, stderr } = await call(args, { env: env() });
    await plain.del(['tickbus:{INSTRUMENT_STATUS}:lease', 'tickbus:{INSTRUMENT_STATUS}:head']);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /another process holds the lease of INSTRUMENT_STATUS: desk-17, since 2023-11-14T22:13:20.000Z\./,
    );
  });

  it('prints a sentence on a terminal', async () => {
    const { stdout } = await call(['pub', 'BOT_STATUS', '{"bot":"b3","state":"running"}'], {
      env: env(),
      terminal: true,
    });
    expect(stdout).toMatch(/^Published on BOT_STATUS: bot_status, 0 receivers, number \d+\.\n$/);
  });

  it('validates and prints with --dry-run, without a server', async () => {
    const nowhere = { REDIS_URL: 'redis://127.0.0.1:1' };
    const good = await call(['pub', 'TRADE_COMMANDS', 'pause', '{"bot":"b"}', '--dry-run'], { env: nowhere });
    expect(good.code).toBe(0);
    expect(jsonLines(good.stdout)).toEqual([
      {
        message_type: 'pause',
        data: { bot: 'b' },
        timestamp: expect.any(Number),
        sender: expect.any(String),
        id: expect.any(String),
        expires_at: expect.any(Number),
      },
    ]);
    const bad = await call(['pub', 'TRADE_COMMANDS', 'pause', '{"bot":7}', '--dry-run'], { env: nowhere });
    expect(bad).toMatchObject({ code: 64, stdout: '' });
    expect(bad.stderr).toContain('"data.bot"');
  });

  it('publishes without a sequence on any channel with --plain', async () => {
    const listener = await plain.duplicate().connect();
    let onMessage: (text: string) => void = () => {};
    const received = new Promise<string>((resolve) => {
      onMessage = resolve;
    });
    await listener.subscribe('others', (text) => onMessage(text));
    const { code, stdout } = await call(['pub', 'others', '--plain', 'note', '{"a":1}'], { env: env() });
    expect(code).toBe(0);
    expect(jsonLines(stdout)).toEqual([{ channel: 'others', message_type: 'note', receivers: 1 }]);
    expect(JSON.parse(await received)).toEqual({
      message_type: 'note',
      data: { a: 1 },
      timestamp: expect.any(Number),
      sender: expect.any(String),
    });
    listener.destroy();
  });

  it('waits --interval between messages, and stops at once on a signal', async () => {
    const controller = new AbortController();
    const pub = call(['pub', 'BOT_STATUS', '{"bot":"b4","state":"running"}', '-n', '3', '-i', '1h'], {
      env: env(),
      signal: controller.signal,
    });
    await vi.waitFor(async () => expect(await plain.hExists('tickbus:{BOT_STATUS}:last', 'b4')).toBe(1), {
      timeout: 20_000,
      interval: 10,
    });
    controller.abort(new Error('the end'));
    const { code, stdout } = await pub;
    expect(code).toBe(1);
    expect(jsonLines(stdout)).toHaveLength(1);
  });
});
