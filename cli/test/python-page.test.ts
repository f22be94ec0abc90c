// The bot in Python of docs/plain-clients.md runs as it is printed there.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { TcpProxy } from '@tickbus/fault-kit/proxy';
import { silentLogger } from '@tickbus/test-kit';
import { LACKS_PYTHON, runPython } from '@tickbus/test-kit/python';
import { Random } from '@tickbus/test-kit/random';
import { createClient } from 'redis';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { expect, it } from 'vitest';
import { call, jsonLines, withServer } from './harness.ts';

const server = withServer();
const { env } = server;
const page = readFileSync(new URL('../../docs/plain-clients.md', import.meta.url), 'utf8');
const [, program = ''] = /```python\n(.*?)\n```/s.exec(page) ?? [];

it.skipIf(LACKS_PYTHON)(
  'it reports, answers commands, also after a cut, and says that it has stopped',
  async () => {
    const plain = await createClient({ url: server.redis.url }).connect();
    await using subscriber = new RedisSubscriber({ url: server.redis.url, logger: silentLogger });
    const states: string[] = [];
    subscriber.subscribe(CHANNELS.BOT_STATUS, ({ data }) => states.push(data.state), { keys: ['py-bot'] });
    await subscriber.startListening();
    const bot = runPython(program, env());
    const listeners = async () => (await plain.pubSubNumSub('TRADE_COMMANDS')).TRADE_COMMANDS;
    const send = (...args: string[]) => call(['cmd', 'py-bot', ...args, '-wy'], { env: env() });
    try {
      await expect.poll(listeners, { timeout: 50_000 }).toBe(1);
      const paused = await send('pause');
      expect(paused).toMatchObject({ code: 0, stderr: '' });
      expect(jsonLines(paused.stdout)).toMatchObject([{ outcome: 'done', detail: 'py-bot is paused.' }]);
      await expect.poll(() => states.at(-1), { timeout: 50_000 }).toBe('paused');
      const rejected = await send('cancel_all');
      expect(rejected.code).toBe(1);
      expect(rejected.stdout).toContain('py-bot does not support cancel_all.');
      await plain.publish('TRADE_COMMANDS', 'no JSON');
      await plain.publish('TRADE_COMMANDS', '[]');
      expect(await plain.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub'])).toBeGreaterThanOrEqual(1);
      // Nothing is sent while the bot does not listen.
      await expect.poll(async () => (await send('resume')).stderr, { timeout: 50_000 }).toBe('');
    } finally {
      plain.destroy();
      bot.kill('SIGTERM');
    }
    await once(bot, 'close');
    await expect.poll(() => states.at(-1), { timeout: 50_000 }).toBe('stopped');
  },
);

it.skipIf(LACKS_PYTHON)('it outlives a Redis that hangs, and reports a crash as an error', async () => {
  await using subscriber = new RedisSubscriber({ url: server.redis.url, logger: silentLogger });
  const states: string[] = [];
  subscriber.subscribe(CHANNELS.BOT_STATUS, ({ data }) => states.push(data.state), { keys: ['py-bot'] });
  await subscriber.startListening();
  const proxy = await TcpProxy.start({ port: server.redis.port, random: new Random(1) });
  // redis-py 8 has such a time limit by default. A cancelled order makes this bot crash.
  const url = `redis://127.0.0.1:${proxy.port}?socket_timeout=1`;
  const crashing = program.replace(
    "    if action not in ('pause', 'resume'):",
    "    if action == 'cancel_all': 1 / 0\n$&",
  );
  const bot = runPython(crashing, { REDIS_URL: url });
  const send = (...args: string[]) => call(['cmd', 'py-bot', ...args, '-y'], { env: env() });
  try {
    await expect.poll(async () => (await send('pause', '-w')).code, { timeout: 50_000 }).toBe(0);
    const { accepted } = proxy;
    proxy.inject({ type: 'blackhole' });
    // It gave up its connection and connects again.
    await expect.poll(() => proxy.accepted, { timeout: 50_000 }).toBeGreaterThan(accepted);
    proxy.heal();
    await expect.poll(async () => (await send('resume', '-w')).stderr, { timeout: 50_000 }).toBe('');
    const exitCode = async () => {
      await send('cancel_all');
      return bot.exitCode;
    };
    await expect.poll(exitCode, { timeout: 50_000 }).toBe(1);
    await expect.poll(() => states.at(-1), { timeout: 50_000 }).toBe('error');
  } finally {
    bot.kill('SIGKILL');
    await proxy.close();
  }
});
