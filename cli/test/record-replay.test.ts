// `tickbus record` and `tickbus replay` against a real server, with recorded messages and recorded venue frames.

import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { createClient } from 'redis';
import { RedisConnection } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { call, jsonLines, startTickbus, tickbus, withServer } from './harness.ts';

const captures = new URL('../../../shared/data/', import.meta.url);

const server = withServer();
const { env } = server;
let other: ReturnType<typeof createClient>;
let folder: string;
beforeAll(async () => {
  other = createClient({ url: server.redis.url });
  await other.connect();
  folder = await mkdtemp(join(tmpdir(), 'tickbus-record-'));
});
afterAll(async () => {
  other.destroy();
  await rm(folder, { recursive: true });
});
const price = (symbol: string, value: number, timestamp = Date.now()) => ({
  symbol,
  price: value,
  timestamp,
});

interface RecordedMessage {
  readonly data: Record<string, unknown>;
  readonly sender: string;
  readonly message_type: string;
}

/** Collects the messages published on a channel from now on, in order. */
async function listening(channel: (typeof CHANNELS)[keyof typeof CHANNELS]) {
  const subscriber = new RedisSubscriber({ url: server.redis.url, logger: silentLogger });
  const received: { data: Record<string, unknown>; sender: string; type: string }[] = [];
  subscriber.tap(channel, ({ message, delivery }) => {
    const { data, sender, message_type: type } = message as RecordedMessage;
    if (delivery !== 'snapshot') received.push({ data, sender, type });
  });
  await subscriber.startListening();
  return { received, close: () => subscriber.close() };
}

it('records until Ctrl-C, and replays to the same channels, as processes', async () => {
  const path = join(folder, 'session.jsonl');
  const recording = startTickbus(
    ['record', path, 'PRICE_DATA', 'BOT_STATUS', 'TRADE_COMMANDS', 'mine', '-v'],
    {
      env: env(),
    },
  );
  await recording.err(/Recording PRICE_DATA, BOT_STATUS, TRADE_COMMANDS, mine\./);
  const publisher = new RedisPublisher({ url: server.redis.url, logger: silentLogger, sender: 'origin' });
  const before = Date.now();
  await publisher.publish(CHANNELS.PRICE_DATA, price('AAPL', 1, before - 500));
  await publisher.publish(CHANNELS.BOT_STATUS, { bot: 'b', state: 'running' });
  await publisher.publish(CHANNELS.TRADE_COMMANDS, { bot: 'b' }, { type: 'pause' });
  await publisher.publish(CHANNELS.PRICE_DATA, price('MSFT', 2));
  await publisher.close();
  await call(['pub', 'mine', '--plain', 'note', '{"a":1}', '-q'], { env: env() });
  // From a publisher without tickbus.
  await other.publish('mine', 'two\nlines');
  await call(['pub', 'mine', '--plain', 'end', '{}', '-q'], { env: env() });
  const written = async () => jsonLines(await readFile(path, 'utf8'));
  await vi.waitFor(async () => expect(await written()).toHaveLength(7), { timeout: 50_000 });
  recording.signal('SIGINT');
  const { code, stdout, stderr } = await recording.ended;
  expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
  expect(stderr).toContain(`7 messages are in ${path}.`);
  expect(await written()).toMatchObject([
    {
      at: expect.any(Number),
      dir: 'in',
      channel: 'PRICE_DATA',
      frame: { data: { symbol: 'AAPL' }, seq: expect.any(Number) },
    },
    { channel: 'BOT_STATUS' },
    { channel: 'TRADE_COMMANDS', frame: { message_type: 'pause' } },
    { channel: 'PRICE_DATA' },
    { channel: 'mine', frame: { message_type: 'note', data: { a: 1 } } },
    { channel: 'mine', frame: 'two\nlines' },
    { channel: 'mine' },
  ]);

  const prices = await listening(CHANNELS.PRICE_DATA);
  const commands = await listening(CHANNELS.TRADE_COMMANDS);
  const started = Date.now();
  const replayed = await tickbus(['replay', path, '--speed', 'max'], { env: env() });
  expect(replayed).toMatchObject({ code: 0, stdout: '' });
  expect(replayed.stderr).toBe(
    'Published 2 on PRICE_DATA, 1 on BOT_STATUS, 2 on mine. ' +
      'Omitted: 1 (commands: add --commands), 1 (not tickbus messages).\n',
  );
  await vi.waitFor(() => expect(prices.received).toHaveLength(2), { timeout: 50_000 });
  expect(prices.received).toMatchObject([
    { data: { symbol: 'AAPL', price: 1 }, sender: 'origin', type: 'price' },
    { data: { symbol: 'MSFT', price: 2 }, sender: 'origin' },
  ]);
  // The price is as old as in the recording: half a second.
  const age = Date.now() - Number(prices.received[0]?.data.timestamp);
  expect(age).toBeGreaterThanOrEqual(500);
  expect(age).toBeLessThan(500 + (Date.now() - started) + 2_000);
  expect(commands.received).toEqual([]);
  const only = await call(
    ['replay', path, '--only', 'b', '--commands', '--sender', 'again', '--speed', 'max'],
    {
      env: env(),
    },
  );
  expect(only.stderr).toMatch(
    /^Published 1 on BOT_STATUS, 1 on TRADE_COMMANDS\. Omitted: 1 \(not tickbus messages/,
  );
  await vi.waitFor(() => expect(commands.received).toMatchObject([{ type: 'pause', sender: 'again' }]), {
    timeout: 20_000,
  });
  await Promise.all([prices.close(), commands.close()]);
});

describe('record', () => {
  it('stops after --count, or exits with 124 if fewer messages arrive in time', async () => {
    const path = join(folder, 'count.jsonl.gz');
    const recording = call(['record', path, 'FEED_STATUS', '-n', '2', '--key', 'f*'], { env: env() });
    const status = (feed: string) =>
      call(['pub', 'FEED_STATUS', JSON.stringify({ feed, state: 'live' })], { env: env() });
    const ended = vi.fn();
    recording.then(ended);
    while (ended.mock.calls.length === 0) for (const feed of ['other', 'f1', 'f2']) await status(feed);
    expect(await recording).toMatchObject({ code: 0, stdout: '' });
    const lines = jsonLines(gunzipSync(await readFile(path)).toString());
    expect(lines).toHaveLength(2);
    for (const { frame } of lines) expect((frame as { data: { feed: string } }).data.feed).toMatch(/^f[12]$/);
    const late = await call(['record', join(folder, 'late'), 'silence', '-t', '50ms', '-q'], { env: env() });
    expect(late).toEqual({ code: 124, stdout: '', stderr: 'tickbus: No message arrived in time.\n' });
  });

  it('overwrites a file only with --force', async () => {
    const path = join(folder, 'precious');
    await writeFile(path, 'precious');
    const { code, stderr } = await call(['record', path, '-t', '1ms'], { env: env() });
    expect(code).toBe(64);
    expect(stderr).toContain(`${path} already exists`);
    expect(await readFile(path, 'utf8')).toBe('precious');
    await call(['record', path, '--force', '-t', '1ms'], { env: env() });
    expect(await readFile(path, 'utf8')).toBe('');
    const nowhere = await call(['record', join(folder, 'no', 'such', 'folder'), '-t', '1ms'], { env: env() });
    expect(nowhere).toMatchObject({ code: 64, stderr: expect.stringMatching(/Cannot create .*: ENOENT/) });
  });
});

it('reports a failed write to the file, as a process', async () => {
  const recording = startTickbus(['record', '/dev/full', 'full', '--force', '-v'], { env: env() });
  await recording.err(/Recording full/);
  await other.publish('full', 'x');
  const { code, stderr } = await recording.ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^tickbus: Cannot write to \/dev\/full: ENOSPC\b/m);
});

describe('replay', () => {
  async function captureOf(name: string, ...lines: object[]): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return path;
  }
  const recorded = (at: number, data: object, type = 'price') => ({
    at,
    dir: 'in',
    channel: 'PRICE_DATA',
    frame: { message_type: type, data, timestamp: 0, sender: 's' },
  });

  it.skipIf(!existsSync(captures)).each([
    // 613 bookTicker, 91 aggTrade.
    ['binance-futures-2021-07-22.jsonl.gz', 704],
    // 107 ticker, 97 match, 10 last_match.
    ['coinbase-2021-04-17.jsonl.gz', 214],
  ])(
    'publishes the prices of the recorded venue %s (skipped without ../shared/data)',
    async (name, prices) => {
      const path = fileURLToPath(new URL(name, captures));
      const { received, close } = await listening(CHANNELS.PRICE_DATA);
      const { code, stderr } = await call(['replay', path, '--speed', 'max'], { env: env() });
      expect({ code, stderr }).toEqual({ code: 0, stderr: `Published ${prices} on PRICE_DATA.\n` });
      await vi.waitFor(() => expect(received).toHaveLength(prices), { timeout: 50_000 });
      for (const { data, sender } of received) {
        expect(sender).toBe('replay');
        // Each price is as old as in the recording, where the last match of a quiet product was minutes old.
        expect(Math.abs(Date.now() - Number(data.timestamp))).toBeLessThan(600_000);
      }
      await close();
    },
  );

  it('keeps the recorded pace, divided by --speed', async () => {
    const path = await captureOf('pace.jsonl', recorded(0, price('P', 1)), recorded(3, price('P', 2)));
    const { received, close } = await listening(CHANNELS.PRICE_DATA);
    const started = performance.now();
    await call(['replay', path, '--speed', '10'], { env: env() });
    expect(performance.now() - started).toBeGreaterThanOrEqual(300);
    await vi.waitFor(() => expect(received).toHaveLength(2), { timeout: 50_000 });
    await close();
  });

  it('restarts with --loop, until a signal', async () => {
    const path = await captureOf('loop.jsonl', recorded(0, price('L', 1)));
    const { received, close } = await listening(CHANNELS.PRICE_DATA);
    const replaying = startTickbus(['replay', path, '--loop'], { env: env() });
    await vi.waitFor(() => expect(received.length).toBeGreaterThan(5), { timeout: 50_000 });
    replaying.signal('SIGINT');
    expect((await replaying.ended).code).toBe(130);
    await close();
  });

  it('omits invalid messages, reports why, and exits with 1', async () => {
    const lines = [recorded(0, price('V', 1)), recorded(0, { symbol: 'V' }), recorded(0, {}, 'quote')];
    const { code, stderr } = await call(['replay', await captureOf('bad.jsonl', ...lines)], { env: env() });
    expect(code).toBe(1);
    expect(stderr).toMatch(/warning: Omitted an invalid message of PRICE_DATA: The field "data.price"/);
    expect(stderr).toContain('Published 1 on PRICE_DATA. Omitted: 2 (invalid).');
  });

  it('fails while a gateway holds the channel', async () => {
    await using held = await startLocalRedis();
    const connection = new RedisConnection({ url: held.url, logger: silentLogger });
    await connection.publishing.connect();
    const lease = connection.publishing.lease(CHANNELS.PRICE_DATA);
    await vi.waitFor(async () => expect((await lease.acquire(30)).state).toBe('held'), {
      timeout: 20_000,
      interval: 10,
    });
    await vi.waitFor(async () => expect((await lease.acquire(60_000)).state).toBe('held'), {
      timeout: 20_000,
      interval: 10,
    });
    const path = await captureOf('held.jsonl', recorded(0, price('H', 1)));
    const { code, stderr } = await call(['replay', path, '--url', held.url]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      new RegExp(`: another process holds the lease of PRICE_DATA: \\S+-${process.pid}, since \\S+Z\\.`),
    );
    await connection.close();
  });

  it.each([
    [['replay', 'no-such-file'], 1, /^tickbus: The capture no-such-file could not be read/],
    [['replay'], 64, /missing required argument 'file'/],
    [['replay', 'x', '--speed', '0'], 64, /Use a number above 0, or max/],
    [['replay', 'x', '--url', 'redis://127.0.0.1:1'], 1, /Cannot connect to Redis/],
  ])('fails for %j', async (args, expected, sentence) => {
    const { code, stdout, stderr } = await call(args, { env: env() });
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
    expect(stderr).toMatch(sentence);
  });

  it('skips channel names that tickbus does not allow, and reports why nothing was published', async () => {
    const lines = [recorded(0, price('N', 1)), { ...recorded(0, {}, 'n'), channel: 'not a name' }];
    const path = await captureOf('names.jsonl', ...lines);
    const { code, stderr } = await call(['replay', path], { env: env() });
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: 'Published 1 on PRICE_DATA. Omitted: 1 (not tickbus messages).\n',
    });
    const none = await call(['replay', path, '--only', 'M*'], { env: env() });
    expect(none.code).toBe(1);
    expect(none.stderr).toMatch(
      /^Published nothing\. Omitted: 1 \(not tickbus messages\), 1 \(excluded by --only\)\.\n/,
    );
  });

  it('reports where a file is broken, and an empty file', async () => {
    const broken = await call(
      ['replay', await captureOf('broken.jsonl', recorded(0, price('B', 1)), { at: 'x' })],
      {
        env: env(),
      },
    );
    expect(broken).toMatchObject({ code: 1, stderr: expect.stringContaining('Line 2 of') });
    const empty = await call(['replay', await captureOf('empty.jsonl'), '--loop'], { env: env() });
    expect(empty).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Nothing to replay in'),
    });
  });
});
