// `tickbus sub` against a real server, and `tickbus pub` as a process. pub.test.ts has the other tests of pub.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  COMMAND,
  call,
  hasControl,
  jsonLines,
  startInTerminal,
  startTickbus,
  tickbus,
  withoutColours,
  withServer,
} from './harness.ts';

const server = withServer();
const { env } = server;
let plain: ReturnType<typeof createClient>;
beforeAll(async () => {
  plain = createClient({ url: server.redis.url });
  await plain.connect();
});
afterAll(async () => {
  plain.destroy();
});

const WAIT = { timeout: 20_000, interval: 10 };
/** Resolves when the channel has a subscriber on the server. */
const subscribed = (channel: string) =>
  vi.waitFor(async () => expect((await plain.pubSubNumSub(channel))[channel]).toBeGreaterThan(0), WAIT);
const price = (symbol: string, value = 1) => JSON.stringify({ symbol, price: value, timestamp: 0 });

describe.concurrent('as a process', () => {
  it('sub prints one JSON object per line into a pipe, and pub prints a receipt', async ({ expect }) => {
    const sub = startTickbus(['sub', 'PRICE_DATA', '--key', 'PIPE', '-n', '2', '-v'], { env: env() });
    await sub.err(/Listening to PRICE_DATA/);
    const pub = await tickbus(['pub', 'PRICE_DATA', price('PIPE', 187.5), '-n', '2'], { env: env() });
    expect(pub).toMatchObject({ code: 0, stderr: '' });
    expect(jsonLines(pub.stdout)).toMatchObject([
      {
        channel: 'PRICE_DATA',
        message_type: 'price',
        receivers: expect.any(Number),
        seq: expect.any(Number),
      },
      { receivers: expect.any(Number) },
    ]);
    const { code, stdout } = await sub.ended;
    expect(code).toBe(0);
    expect(jsonLines(stdout)).toMatchObject([
      {
        channel: 'PRICE_DATA',
        message_type: 'price',
        data: { symbol: 'PIPE', price: 187.5 },
        seq: expect.any(Number),
      },
      { sender: expect.stringMatching(/.+@.+/) },
    ]);
  });

  it('prints readable, coloured lines on a terminal, and exits with 130 on Ctrl-C', async ({ expect }) => {
    const sub = startInTerminal(['sub', 'PRICE_DATA', '--key', 'TTY'], { env: env() });
    await sub.out(/Listening to PRICE_DATA\. Ctrl-C ends it\./);
    await call(['pub', 'PRICE_DATA', price('TTY')], { env: env() });
    await sub.out(/price=/);
    sub.type('\x03');
    const { code, stdout } = await sub.ended;
    expect(code).toBe(130);
    expect(stdout).toContain('\x1b[36mPRICE_DATA\x1b[39m');
    expect(withoutColours(stdout)).toMatch(
      /\d\d:\d\d:\d\d\.\d{3} PRICE_DATA price symbol=TTY price=1 timestamp=0 \(\S+@\S+ #\d+\)/,
    );
  });

  it('respects NO_COLOR on a terminal', async ({ expect }) => {
    const sub = startInTerminal(['sub', 'PRICE_DATA', '--key', 'MONO', '-n', '1'], {
      env: { ...env(), NO_COLOR: '1' },
    });
    await sub.out(/Listening/);
    await call(['pub', 'PRICE_DATA', price('MONO')], { env: env() });
    const { code, stdout } = await sub.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/PRICE_DATA price symbol=MONO/);
    expect(stdout).not.toContain('\x1b[');
  });

  it('exits quietly with 0 if the reader closes the pipe', async ({ expect }) => {
    const sub = startTickbus(['sub', 'anything', '-v'], { env: env() });
    await sub.err(/Listening/);
    sub.closeOutput();
    const timer = setInterval(() => plain.publish('anything', '{}'), 20);
    const { code, stderr } = await sub.ended;
    clearInterval(timer);
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/EPIPE|error|^tickbus:/im);
  });

  it('reports a failed write to stdout, for example on a full disk', async ({ expect }) => {
    const shell = promisify(execFile)('sh', ['-c', `${process.execPath} ${COMMAND} config > /dev/full`]);
    await expect(shell).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^tickbus: Cannot write the output: ENOSPC\b.*\n$/),
    });
  });

  it('exits with 143 on SIGTERM, and 130 on SIGINT', async ({ expect }) => {
    const subs = (['SIGTERM', 'SIGINT'] as const).map(async (signal) => {
      const sub = startTickbus(['sub', 'nothing', '-v'], { env: env() });
      await sub.err(/Listening/);
      sub.signal(signal);
      return (await sub.ended).code;
    });
    expect(await Promise.all(subs)).toEqual([143, 130]);
  });

  it('publishes each line of stdin, and stops at the first invalid line', async ({ expect }) => {
    const lines = [price('A'), '', price('B'), '{"symbol":"C","price":"high","timestamp":0}', price('D')];
    const pub = await tickbus(['pub', 'PRICE_DATA', '-'], { env: env(), input: lines.join('\n') });
    expect(pub.code).toBe(1);
    expect(jsonLines(pub.stdout)).toHaveLength(2);
    expect(pub.stderr).toMatch(
      /tickbus: Line 4: The field "data.price" of a PRICE_DATA "price" message is invalid/,
    );
  });
});

describe('sub', () => {
  async function runSub(args: readonly string[], messages: readonly [channel: string, text: string][]) {
    const sub = call(['sub', ...args], { env: env() });
    // Publish only after the server reports the subscription.
    const channel = messages[0]?.[0] ?? '';
    await subscribed(channel);
    for (const [name, text] of messages) await plain.publish(name, text);
    return sub;
  }
  const envelope = (type: string, data: object, sender = 'me') =>
    JSON.stringify({ message_type: type, data, timestamp: 0, sender });

  it('prints valid and invalid messages of a channel that is not bundled, with a note', async () => {
    const { code, stdout, stderr } = await runSub(
      ['notes', '-n', '3'],
      [
        ['notes', envelope('note', { text: 'hello' })],
        ['notes', 'not json'],
        ['notes', '{"message_type":"note"}'],
      ],
    );
    expect(code).toBe(0);
    expect(jsonLines(stdout)).toEqual([
      { channel: 'notes', message_type: 'note', data: { text: 'hello' }, timestamp: 0, sender: 'me' },
      { channel: 'notes', raw: 'not json' },
      { channel: 'notes', raw: '{"message_type":"note"}' },
    ]);
    expect(stderr).toContain('notes is not a known channel');
  });

  it('splits a batch into its messages', async () => {
    const [one, two] = [envelope('n', { i: 1 }), envelope('n', { i: 2 })];
    const args = ['batches', '--where', 'i=*', '-n', '3', '-q'];
    const { stdout } = await runSub(args, [
      ['batches', `[${one},${two}]`],
      ['batches', '[1,2]'],
      ['batches', `[{},${one}]`],
    ]);
    expect(jsonLines(stdout).map(({ data }) => data)).toEqual([{ i: 1 }, { i: 2 }, { i: 1 }]);
  });

  it('prints values nested too deeply for JSON.stringify', async () => {
    const nested = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const deep = `{"message_type":"n","data":{"x":${nested}},"timestamp":0,"sender":"s"}`;
    const messages: [string, string][] = [
      ['deep', deep],
      ['deep', `[${deep}]`],
    ];
    const { stdout } = await runSub(['deep', '-n', '2', '-q'], messages);
    expect(jsonLines(stdout).map(({ raw }) => raw)).toEqual([deep, `[${deep}]`]);
    const where = ['deep', '-q', '-n', '1', '--where'];
    const filtered = await runSub([...where, 'y=1'], [...messages, ['deep', envelope('n', { y: 1 })]]);
    expect(jsonLines(filtered.stdout)).toMatchObject([{ data: { y: 1 } }]);
    const sub = call(['sub', 'deep', '-n', '1'], { env: env(), terminal: true });
    await subscribed('deep');
    await plain.publish('deep', deep);
    expect(withoutColours((await sub).stdout)).toContain('n x=(nested too deeply) (s)');
  });

  it('suggests a similar channel name', async () => {
    const { stderr } = await runSub(['price-data', '-n', '1'], [['price-data', '{}']]);
    expect(stderr).toContain('Did you mean PRICE_DATA?');
  });

  it('searches a key on all keyed channels if no channel is given', async () => {
    const sub = call(['sub', '--key', 'everywhere', '-n', '2'], { env: env() });
    await subscribed('FEED_STATUS');
    await plain.publish('BOT_STATUS', envelope('bot_status', { bot: 'everywhere' }));
    await plain.publish('FEED_STATUS', envelope('feed_status', { feed: 'everywhere' }));
    const { code, stdout } = await sub;
    expect(code).toBe(0);
    expect(jsonLines(stdout).map(({ channel }) => channel)).toEqual(['BOT_STATUS', 'FEED_STATUS']);
  });

  it('prints the bytes unchanged with --raw', async () => {
    const text = '{ "message_type":"x",  "data":{}, "timestamp":1e3, "sender":"é" }';
    const { stdout } = await runSub(['raw', '--raw', '-n', '1', '-q'], [['raw', text]]);
    expect(stdout).toBe(`${text}\n`);
  });

  it('filters by type, sender and fields, combined with AND', async () => {
    const { stdout } = await runSub(
      ['f', '--type', 'a*', '--sender', 'me', '--where', 'x.y=1?', '--where', 'z=*end', '-n', '1'],
      [
        ['f', envelope('b', { x: { y: 12 }, z: 'the end' })],
        ['f', envelope('ab', { x: { y: 12 }, z: 'the end' }, 'you')],
        ['f', envelope('ab', { x: { y: 1 }, z: 'the end' })],
        ['f', envelope('ab', { x: { y: 12 } })],
        ['f', 'not json'],
        ['f', envelope('ab', { x: { y: 12 }, z: 'the end', found: true })],
      ],
    );
    expect(jsonLines(stdout)).toMatchObject([{ data: { found: true } }]);
  });

  it('prints stored values with --snapshot, then exits', async () => {
    await call(['pub', 'BOT_STATUS', '{"bot":"b1","state":"running"}'], { env: env() });
    await call(['pub', 'BOT_STATUS', '{"bot":"b1","state":"paused"}'], { env: env() });
    const { code, stdout } = await call(['sub', '--snapshot', 'BOT_STATUS'], { env: env() });
    expect(code).toBe(0);
    expect(jsonLines(stdout)).toMatchObject([
      { snapshot: true, data: { bot: 'b1', state: 'paused' }, seq: 2 },
    ]);
    const nothing = await call(['sub', '--snapshot', 'mine'], { env: env() });
    expect(nothing).toMatchObject({ code: 0, stdout: '' });
    expect(nothing.stderr).toContain('No matching message is stored on the server.');
  });

  it('exits with 124 if no message, or too few, arrive in time', async () => {
    const none = await call(['sub', 'quiet', '-t', '50ms', '-q'], { env: env() });
    expect(none).toEqual({ code: 124, stdout: '', stderr: 'tickbus: No message arrived in time.\n' });
    const some = await runSub(['some', '-n', '2', '-t', '300ms', '-q'], [['some', '{}']]);
    expect(some).toMatchObject({ code: 124, stderr: 'tickbus: Only 1 of 2 messages arrived in time.\n' });
    const enough = await runSub(['enough', '-t', '300ms', '-q'], [['enough', '{}']]);
    expect(enough).toMatchObject({ code: 0, stderr: '' });
  });

  it('reports missed messages', async () => {
    const controller = new AbortController();
    const sub = call(['sub', 'BOT_STATUS', '--sender', 'nobody'], {
      env: env(),
      signal: controller.signal,
      onStderr: () => controller.abort(new Error('the end')),
    });
    await subscribed('BOT_STATUS');
    await call(['pub', 'BOT_STATUS', '{"bot":"b2","state":"running"}'], { env: env() });
    // Simulates two published messages that did not arrive.
    await plain.hIncrBy('tickbus:{BOT_STATUS}:head', 'seq', 2);
    await call(['pub', 'BOT_STATUS', '{"bot":"b2","state":"running"}'], { env: env() });
    expect((await sub).stderr).toMatch(/warning: Gap on BOT_STATUS: missed \d+ to \d+ \(2 messages\)\./);
  });

  it('escapes control characters on a terminal', async () => {
    const sub = call(['sub', 'evil', '\x1b[2J', '-n', '2'], { env: env(), terminal: true });
    await subscribed('evil');
    await plain.publish('evil', envelope('x', { text: '\x1b]0;title\x07\u202e' }, '\x1b[2J'));
    await plain.publish('evil', 'raw \x1b[2J');
    const { stdout, stderr } = await sub;
    expect(hasControl(withoutColours(stdout + stderr))).toBe(false);
    expect(stdout).toContain('\\u001b]0;title');
  });

  it.each([
    [['sub', '--where', 'symbol'], /--where "symbol" is not field=value/],
    [['sub', '--count', '0'], /--count.*Use a whole number, 1 or above/],
    [['sub', '--timeout', 'soon'], /--timeout.*Use a time such as 500ms/],
    [['sub', '--key', 'AAPL', 'mine'], /mine is not a known channel, so --key cannot be used/],
    [['sub', '--key', 'a,,b', 'PRICE_DATA'], /none of them empty/],
    [['sub', '--frobnicate'], /unknown option '--frobnicate'/],
    [['sub', ''], /The channel name is empty/],
  ])('rejects %j with exit code 64', async (args, sentence) => {
    const { code, stdout, stderr } = await call(args, { env: env() });
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toMatch(sentence);
  });
});
