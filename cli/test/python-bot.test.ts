// A bot in Python that publishes its status with a plain PUBLISH: `bots`, `check bot`, the monitor and late subscribers
// see it, marked, and nobody says that it is running once it is dead.

import { once } from 'node:events';
import { startMonitor } from '@tickbus/monitor';
import { silentLogger } from '@tickbus/test-kit';
import { LACKS_PYTHON, runPython } from '@tickbus/test-kit/python';
import type { MessageOf } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { describe, expect, it } from 'vitest';
import { checkBot } from '../checks.ts';
import { call, jsonLines, withServer } from './harness.ts';

const server = withServer();
const { env } = server;

const pythonBot = (name: string, times: number) =>
  runPython(`
import json, redis, time
client = redis.Redis(port=${server.redis.port})
for n in range(${times}):
    client.publish('BOT_STATUS', json.dumps({
        'message_type': 'bot_status', 'timestamp': time.time() * 1000, 'sender': 'python',
        'data': {'bot': '${name}', 'state': 'running', 'detail': 'In Python.', 'status_interval_ms': 100}}))
    time.sleep(0.1)
`);

/** The bots that the page of the monitor shows when it is opened. */
async function shownBots(url: string): Promise<{ bot: string }[]> {
  const abort = new AbortController();
  const { body } = await fetch(`${url}/api/stream`, { signal: abort.signal });
  let text = '';
  for await (const chunk of body as ReadableStream<Uint8Array>) {
    text += new TextDecoder().decode(chunk);
    if (text.includes('\n\n')) break;
  }
  abort.abort();
  return JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '{}').bots;
}

async function lateStatuses(): Promise<MessageOf<typeof CHANNELS.BOT_STATUS>[]> {
  await using late = new RedisSubscriber({ url: server.redis.url, logger: silentLogger });
  const statuses: MessageOf<typeof CHANNELS.BOT_STATUS>[] = [];
  late.tap(CHANNELS.BOT_STATUS, ({ message, delivery }) => {
    if (delivery === 'snapshot') statuses.push(message);
  });
  await late.startListening();
  return statuses;
}

describe.skipIf(LACKS_PYTHON)('a bot in Python', () => {
  it('is seen while the monitor runs, and overdue after its end', async () => {
    expect((await call(['check', 'bot', 'py-bot'], { env: env() })).code).toBe(2);
    const options = { url: server.redis.url, port: 0, logger: silentLogger };
    const monitor = await startMonitor(options);
    const bot = pythonBot('py-bot', 100_000);
    const check = () => call(['check', 'bot', 'py-bot'], { env: env() });
    const said: string[] = [];
    try {
      // The limits of the command allow for a slow machine.
      const patient = ['check', 'bot', 'py-bot', '--warn', '1h', '--critical', '1h'];
      await expect
        .poll(async () => (await call(patient, { env: env() })).stdout, { timeout: 50_000 })
        .toMatch(/^OK: py-bot, a plain client, reported running \(In Python\) [\d.]+ m?s ago\.\n$/);
      const listed = await call(['bots', '--json'], { env: env() });
      expect(jsonLines(listed.stdout)).toMatchObject([{ bot: 'py-bot', state: 'running', adopted: true }]);
      expect((await call(['bots'], { env: env() })).stdout).toContain('(plain client) In Python.');
      await expect
        .poll(() => shownBots(monitor.url))
        .toMatchObject([{ bot: 'py-bot', state: 'running', isPlain: true }]);
      // A status that arrives while the stored one is read replaces it.
      await expect
        .poll(lateStatuses, { timeout: 50_000 })
        .toMatchObject([
          { adopted: true, snapshot: true, sender: 'python', data: { bot: 'py-bot', state: 'running' } },
        ]);
    } finally {
      bot.kill('SIGKILL');
    }
    await once(bot, 'close');
    await expect
      .poll(
        async () => {
          const { stdout, code } = await check();
          said.push(stdout);
          return code;
        },
        { timeout: 50_000 },
      )
      .toBe(2);
    expect(said.filter((text) => text.includes('is running'))).toEqual([]);
    await monitor.close();
    // Without the monitor, the last value stays and says nothing: a bot that runs looks the same.
    const verdict = async () =>
      jsonLines((await call(['bots', '--json'], { env: env() })).stdout)[0]?.verdict;
    expect(await verdict()).toBe('unjudged');
    expect(await check()).toMatchObject({
      code: 3,
      stdout: expect.stringMatching(
        /^UNKNOWN: py-bot cannot be judged: nothing keeps the statuses of plain clients \(no gateway, no monitor\)\. py-bot, a plain client, reported running /,
      ),
    });
    expect(await call(['status'], { env: env() })).toMatchObject({
      code: 2,
      stdout: expect.stringMatching(/^Cannot tell: py-bot cannot be judged: nothing keeps /),
    });
    await server.publish('FEED_STATUS', { feed: 'alpaca', state: 'live', interval_ms: 600_000 });
    await expect.poll(verdict, { timeout: 50_000 }).toBe('overdue');
    expect((await call(['status'], { env: env() })).stdout).toContain('The bot py-bot is gone or hangs: ');
    // A new monitor shows it as overdue.
    const again = await startMonitor(options);
    await expect
      .poll(() => shownBots(again.url), { timeout: 50_000 })
      .toMatchObject([{ bot: 'py-bot', overdue: true, isPlain: true }]);
    await again.close();
  });

  it('is not kept while nobody adopts it', async () => {
    await once(pythonBot('unheard', 1), 'close');
    expect((await lateStatuses()).map(({ data }) => data.bot)).not.toContain('unheard');
  });
});

it('a plain client that names the instance of another bot is not said to be there', () => {
  const data = { bot: 'b', state: 'running', instance: 'present' };
  const envelope = {
    message_type: 'bot_status',
    data,
    timestamp: 0,
    sender: 'python',
    adopted: true as const,
  };
  const summary = (...instances: readonly string[]) => {
    const parts = { name: 'a', host: 'h', pid: 1, subscribes: [], publishes: [] };
    const present = instances.map((instance) => ({ ...parts, instance }));
    return checkBot({ key: 'b', envelope, ageMs: 0 }, {}, present).summary;
  };
  expect(summary('present')).toBe('b, a plain client, reported running 0 ms ago');
  expect(summary()).toBe('b, a plain client, reported running 0 ms ago');
});
