// `tickbus cmd` against a real server and the sample bots.

import { TcpProxy } from '@tickbus/fault-kit/proxy';
import { startLocalRedis } from '@tickbus/local-redis';
import { paperTrader } from '@tickbus/sample-bots/paper-trader';
import { silentLogger } from '@tickbus/test-kit';
import { Random } from '@tickbus/test-kit/random';
import { createClient } from 'redis';
import { RedisConnection } from 'tickbus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Interrupted } from '../exit.ts';
import { call, jsonLines, startInTerminal, tickbus, withoutColours, withServer } from './harness.ts';

const server = withServer();
const { env } = server;
let plain: ReturnType<typeof createClient>;
let connection: RedisConnection;
let bot: ReturnType<typeof paperTrader>;

beforeAll(async () => {
  plain = createClient({ url: server.redis.url });
  await plain.connect();
  connection = new RedisConnection({ url: server.redis.url, logger: silentLogger });
  bot = paperTrader({ connection, logger: silentLogger });
  await bot.start();
});
afterAll(async () => {
  await bot.stop();
  await connection.close();
  plain.destroy();
});

async function audited(): Promise<Record<string, unknown>[]> {
  const { stdout } = await call(['sub', 'AUDIT', '--snapshot'], { env: env() });
  return jsonLines(stdout).map(({ data }) => data as Record<string, unknown>);
}

describe('as a process', () => {
  it('prints the outcome as JSON into a pipe, and exits accordingly', async () => {
    const done = await tickbus(['cmd', 'paper-trader', 'pause', '--wait', '--yes'], { env: env() });
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(jsonLines(done.stdout)).toEqual([
      {
        command_id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7/),
        bot: 'paper-trader',
        action: 'pause',
        outcome: 'done',
        detail: 'paper-trader is paused.',
        by: expect.stringMatching(/.@./),
      },
    ]);
    const order = '{"symbol":"AAPL","side":"buy","quantity":1}';
    const rejected = await tickbus(['cmd', 'paper-trader', 'place_order', order, '-wy'], { env: env() });
    expect(rejected.code).toBe(1);
    expect(jsonLines(rejected.stdout)).toMatchObject([
      { outcome: 'rejected', detail: 'paper-trader is paused.' },
    ]);
  });

  it('asks for confirmation on a terminal, and sends only after yes', async () => {
    const before = bot.stats.commandsReceived;
    const no = startInTerminal(['cmd', 'paper-trader', 'resume', '-w'], { env: env() });
    await no.out(/Send resume to paper-trader on 127\.0\.0\.1:\d+\? \[y\/N\] /);
    no.type('n\r');
    expect(await no.ended).toMatchObject({ code: 1, stdout: expect.stringContaining('Nothing was sent.') });
    expect(bot.stats.commandsReceived).toBe(before);
    const yes = startInTerminal(['cmd', 'paper-trader', 'resume', '-w'], { env: env() });
    await yes.out(/\[y\/N\] /);
    yes.type('y\r');
    const { code, stdout } = await yes.ended;
    expect(code).toBe(0);
    expect(withoutColours(stdout)).toContain('resume to paper-trader: done. paper-trader is running.');
    const interrupted = startInTerminal(['cmd', 'paper-trader', 'resume'], { env: env() });
    await interrupted.out(/\[y\/N\] /);
    interrupted.type('\x03');
    expect((await interrupted.ended).code).toBe(130);
  });
});

describe('cmd', () => {
  it('sends without waiting, and writes an AUDIT entry', async () => {
    const { code, stdout } = await call(['cmd', 'paper-trader', 'resume', '-y', '--sender', 'ops'], {
      env: env(),
    });
    expect(code).toBe(0);
    const [sent] = jsonLines(stdout);
    expect(sent).toMatchObject({ outcome: 'sent', receivers: 1 });
    expect(await audited()).toContainEqual({
      actor: expect.stringMatching(/.@./),
      tool: 'tickbus',
      action: 'send_command',
      channel: 'TRADE_COMMANDS',
      message_type: 'resume',
      bot: 'paper-trader',
      command_id: sent?.command_id,
      outcome: 'sent',
    });
  });

  it('warns without --wait, too, that PRESENCE has nobody of that name', async () => {
    const misspelt = await call(['cmd', 'paper-tradr', 'resume', '-y'], { env: env() });
    expect(misspelt).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(
        /warning: PRESENCE has no program named paper-tradr, so only a plain client/,
      ),
    });
    const right = await call(['cmd', 'paper-trader', 'resume', '-y'], { env: env() });
    expect(right.stderr).toBe('');
  });

  it('waits for the final outcome', async () => {
    const listener = await plain.duplicate().connect();
    const sent = new Promise<string>((resolve) => {
      listener.subscribe('TRADE_COMMANDS', (text) => {
        const { id, data } = JSON.parse(text);
        if (data.bot === 'slow-bot') resolve(id);
      });
    });
    const waiting = call(['cmd', 'slow-bot', 'pause', '-wy'], { env: env() });
    const result = { command_id: await sent, bot: 'slow-bot', action: 'pause', by: 'me' };
    for (const outcome of [
      { outcome: 'done', command_id: 'of another' },
      { outcome: 'accepted', detail: 'It is on its way.' },
      { outcome: 'failed', detail: 'It broke.' },
    ])
      await call(['pub', 'COMMAND_RESULTS', JSON.stringify({ ...result, ...outcome })], { env: env() });
    const { code, stdout, stderr } = await waiting;
    listener.destroy();
    expect(code).toBe(1);
    expect(stderr).toContain('slow-bot accepted the command. It is on its way.');
    expect(jsonLines(stdout)).toMatchObject([{ outcome: 'failed', detail: 'It broke.' }]);
  });

  it('exits with 1 at once if nobody of that name is there, and sends nothing', async () => {
    const { code, stdout, stderr } = await call(['cmd', 'paper-tradr', 'pause', '-wy', '-t', '10m'], {
      env: env(),
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('Nobody named paper-tradr listens to TRADE_COMMANDS: pause was not sent.');
    expect(await audited()).toContainEqual(
      expect.objectContaining({ bot: 'paper-tradr', outcome: 'failed' }),
    );
  });

  it('exits with 124 if the bot does not answer', async () => {
    const listener = await plain.duplicate().connect();
    await listener.subscribe('TRADE_COMMANDS', () => {});
    const { code, stdout, stderr } = await call(['cmd', 'nobody', 'pause', '-wy', '-t', '3s'], {
      env: env(),
    });
    listener.destroy();
    expect({ code, stdout }).toEqual({ code: 124, stdout: '' });
    expect(stderr).toContain(
      'nobody has not answered within 3000 ms: it is not running, or busy. Whether nobody obeys pause is unknown.',
    );
    expect(stderr).toContain('No bot named nobody has reported a status.');
  });

  it('warns about the sent command if interrupted while waiting', async () => {
    const listener = await plain.duplicate().connect();
    const controller = new AbortController();
    await listener.subscribe('TRADE_COMMANDS', () => controller.abort(new Interrupted()));
    const { code, stdout, stderr } = await call(['cmd', 'nobody', 'pause', '-wy'], {
      env: env(),
      signal: controller.signal,
    });
    listener.destroy();
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
    expect(stderr).toContain(
      'warning: nobody has not answered yet. It may still start the command until 10 s after sending.',
    );
  });

  it.each([
    [['paper-trader', 'explode', '-y'], /Unknown action explode\. Use one of place_order, cancel_order/],
    [['paper-trader', 'pause'], /Cannot ask for confirmation without a terminal\. Use --yes/],
    [['paper-trader', 'pause', '{"bot":"other"}', '-y'], /The payload names another bot/],
    [['paper-trader', 'pause', '{', '-y'], /The payload is not valid JSON/],
    [
      ['paper-trader', 'place_order', '{"symbol":"A","side":"up","quantity":1}', '-y'],
      /The field "data.side"/,
    ],
    [['paper-trader'], /missing required argument 'action'/],
    [['paper-trader', 'pause', '-y', '-t', 'never'], /Use a time such as 500ms/],
  ])('rejects %j with exit code 64, and sends nothing', async (args, sentence) => {
    const before = bot.stats.commandsReceived;
    const { code, stdout, stderr } = await call(['cmd', ...args], { env: env() });
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toMatch(sentence);
    expect(bot.stats.commandsReceived).toBe(before);
  });

  it('fails without a listener, and without a server', async () => {
    await using empty = await startLocalRedis();
    const alone = await call(['cmd', 'b', 'pause', '-wy', '--url', empty.url]);
    expect(alone).toMatchObject({ code: 1, stdout: '' });
    expect(alone.stderr).toContain('Nobody named b listens to TRADE_COMMANDS: pause was not sent.');
    const nowhere = await call(['cmd', 'b', 'pause', '-y', '--url', 'redis://127.0.0.1:1']);
    expect(nowhere.code).toBe(1);
    expect(nowhere.stderr).toMatch(/tickbus: Cannot connect to Redis at redis:\/\/127\.0\.0\.1:1/);
  });

  it('publishes once if the reply to the first attempt is lost', async () => {
    await using proxy = await TcpProxy.start({ port: server.redis.port, random: new Random(1) });
    const { commandsReceived } = bot.stats;
    const swallowed = proxy.dropReplyTo('"message_type":"pause"');
    const sending = call(['cmd', 'paper-trader', 'pause', '-wy', '-t', '25s'], {
      env: { REDIS_URL: `redis://127.0.0.1:${proxy.port}` },
    });
    (await swallowed).reset();
    const { code, stdout, stderr } = await sending;
    expect({ code, stderr, reports: jsonLines(stdout) }).toMatchObject({
      code: 0,
      stderr: '',
      reports: [{ outcome: 'done' }],
    });
    expect(bot.stats.commandsReceived).toBe(commandsReceived + 1);
  });
});
