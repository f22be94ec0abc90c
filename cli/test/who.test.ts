// `tickbus who` against a real server: named programs, their absence, and untrusted names.

import { silentLogger } from '@tickbus/test-kit';
import { createClient } from 'redis';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { call, hasControl, jsonLines, startInTerminal, tickbus, withServer } from './harness.ts';

const server = withServer();
const { env } = server;
const NAMES = ['momentum', 'momentum', '\u202eodd name'];
let connections: RedisConnection[];
let subscribers: RedisSubscriber[];

beforeAll(async () => {
  connections = NAMES.map(() => new RedisConnection({ url: server.redis.url, logger: silentLogger }));
  subscribers = NAMES.map((name, index) => {
    const connection = connections[index] as RedisConnection;
    const subscriber = new RedisSubscriber({ connection, name, logger: silentLogger });
    subscriber.subscribe(CHANNELS.BOT_STATUS, () => {});
    return subscriber;
  });
  await Promise.all(subscribers.map((subscriber) => subscriber.startListening()));
});
afterAll(async () => {
  await Promise.all(subscribers.map((subscriber) => subscriber.close()));
  await Promise.all(connections.map((connection) => connection.close()));
});

it('lists the named programs, as a process', async () => {
  const { code, stdout, stderr } = await tickbus(['who'], { env: env() });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const [head, ...rows] = stdout.trim().split('\n');
  expect(head).toMatch(/^NAME +UP +HOST +PID +INSTANCE +PUBLISHES +SUBSCRIBES$/);
  expect(rows).toHaveLength(3);
  expect(rows[0]).toMatch(new RegExp(`^momentum .* ${process.pid} .* BOT_STATUS$`));
  expect(rows[2]).toMatch(/^\\u202eodd name /);
  expect(hasControl(stdout)).toBe(false);
  const json = await call(['who', '--json', 'momentum'], { env: env() });
  expect(jsonLines(json.stdout)).toMatchObject([
    { name: 'momentum', state: 'joined', subscribes: ['BOT_STATUS'], publishes: [] },
    { name: 'momentum', state: 'joined' },
  ]);
});

it('exits with 1 if a program is not there, and says which', async () => {
  const { code, stdout, stderr } = await call(['who', 'momentum', 'mometum'], { env: env() });
  expect({ code, stderr }).toEqual({ code: 1, stderr: 'No program named mometum is there.\n' });
  expect(stdout.match(/^momentum/gm)).toHaveLength(2);
});

it('says what BOT_STATUS knows of a name that is not there, such as a plain client', async () => {
  const connection = connections[0] as RedisConnection;
  await using adopter = new RedisSubscriber({ connection, adopt: true, logger: silentLogger });
  adopter.subscribe(CHANNELS.BOT_STATUS, () => {});
  await adopter.startListening();
  const plain = await createClient({ url: server.redis.url }).connect();
  const data = { bot: 'py-bot', state: 'running' };
  await plain.publish(
    'BOT_STATUS',
    JSON.stringify({ message_type: 'bot_status', data, timestamp: Date.now(), sender: 'py' }),
  );
  plain.destroy();
  const who = async () => (await call(['who', 'py-bot'], { env: env() })).stderr;
  await expect
    .poll(who, { timeout: 50_000 })
    .toMatch(/^No program named py-bot is there\. A plain client py-bot reported running \d.* ago\.\n$/);
});

it('says that nobody is there', async () => {
  const args = ['who', '--namespace', 'empty', '--json'];
  expect(await call(args, { env: env() })).toEqual({
    code: 0,
    stdout: '',
    stderr: 'No named program is there.\n',
  });
});

it('redraws the table until Ctrl-C', async () => {
  const who = startInTerminal(['who', '--watch'], { env: env() });
  await who.out(/NAME +UP[\s\S]*NAME +UP/);
  who.type('\x03');
  expect((await who.ended).code).toBe(130);
});
