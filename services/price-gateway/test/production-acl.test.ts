// No command that docs/production.md permits for a user stops or slows another client, except the named commands.

import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalRedis } from '@tickbus/local-redis';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { COSTLY, ELEMENTS, EXCEPTIONS, FILL } from './production-commands.fixture.ts';
import { startProductionRedis, USER_NAMES } from './production-users.fixture.ts';

/**
 * Maximum milliseconds that another client may wait. Measured as processor time of the server's main thread, because
 * elapsed time also grows when other processes use the machine.
 */
const MAX_COST_MS = 100;
/** Attempts for a command that exceeds `MAX_COST_MS`, because the server's background work can add to the cost. */
const ATTEMPTS = 3;
/** Milliseconds after which the bystander counts as stopped. */
const STOPPED_MS = 5_000;
/** Milliseconds to wait for the command itself. Some turn replies off. */
const EXECUTED_MS = 1_000;

type Client = ReturnType<typeof newClient>;
const newClient = (url: string) => createClient({ url, RESP: 3 }).on('error', () => {});

let redis: LocalRedis;
let admin: Client;
/** Another client, whose commands must be executed at once. */
let bystander: Client;

beforeAll(async () => {
  redis = await startProductionRedis();
  admin = newClient(redis.url);
  bystander = newClient(redis.url);
  await Promise.all([admin.connect(), bystander.connect()]);
  for (const [key, fill] of FILL) {
    const script = `local text = string.rep('x', 200) for i = 1, ${ELEMENTS} do ${fill} end`;
    await admin.eval(script, { keys: [`source:${key}`] });
  }
});
afterAll(() => {
  admin.destroy();
  bystander.destroy();
  return redis.kill();
});

/** Names of all commands of the server; subcommands as in `client|list`. */
async function allCommands(): Promise<{ name: string; arity: number }[]> {
  const flat = (info: unknown[]): { name: string; arity: number }[] => {
    const [name, arity, subcommands] = [String(info[0]), Number(info[1]), info[9] as unknown[][] | undefined];
    return subcommands?.length ? subcommands.flatMap(flat) : [{ name, arity }];
  };
  return (await admin.sendCommand<unknown[][]>(['COMMAND'])).flatMap(flat);
}

/** The commands that the user may run on some key or channel. */
async function allowedCommands(user: string): Promise<string[]> {
  const allowed: string[] = [];
  for (const { name, arity } of await allCommands()) {
    const words = name.split('|');
    while (words.length < Math.abs(arity)) words.push('1');
    const reply = await admin.sendCommand(['ACL', 'DRYRUN', user, ...words]).catch(String);
    if (!String(reply).includes('permissions to run')) allowed.push(name);
  }
  return allowed;
}

/** Processor time of the server's main thread, in milliseconds. */
async function serverTimeMs(): Promise<number> {
  const info = await admin.info('cpu');
  const seconds = (kind: string) =>
    Number(new RegExp(`used_cpu_${kind}_main_thread:([\\d.]+)`).exec(info)?.[1]);
  return 1_000 * (seconds('user') + seconds('sys'));
}

/** Restores the collections that an attack has changed. */
async function restore(command: readonly string[]): Promise<void> {
  for (const key of FILL.keys()) {
    const isIntact = (await admin.exists(key)) === 1 && !command.includes(key);
    if (!isIntact) await admin.copy(`source:${key}`, key, { REPLACE: true });
  }
}

async function settlesWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(ms, false, { signal: timer.signal }).catch(() => false);
  const isSettled = await Promise.race([promise.then(() => true), late]);
  timer.abort();
  return isSettled;
}

/** Milliseconds by which the command of `user` delays another client; infinite if that client is stopped. */
async function costOf(user: string, command: readonly string[], stoppedMs = STOPPED_MS): Promise<number> {
  await restore(command);
  const attacker = newClient(redis.url.replace('//', `//${user}:secret@`));
  await attacker.connect();
  const before = await serverTimeMs();
  const commands = [[...command], ['PING']].map((each) => attacker.sendCommand(each).catch(() => {}));
  // The client receives no reply to a command like SUBSCRIBE, but one to the PING behind it.
  const executed = Promise.race(commands);
  // Ensures that the command is sent before that of the bystander.
  await new Promise((resolve) => setImmediate(resolve));
  const isAnswered = await settlesWithin(stoppedMs, bystander.set('bystander', 'x'));
  if (!command.includes('BLOCK')) await settlesWithin(EXECUTED_MS, executed);
  attacker.destroy();
  return isAnswered ? (await serverTimeMs()) - before : Number.POSITIVE_INFINITY;
}

it.each(USER_NAMES)(
  'no command of %s stops or slows another client, except the named ones',
  async (user) => {
    const exceptions = [...(EXCEPTIONS['*'] ?? []), ...(EXCEPTIONS[user] ?? [])];
    const allowed = await allowedCommands(user);
    expect(allowed).toEqual(expect.arrayContaining(['ping', ...exceptions]));
    const tried = allowed.filter((name) => !exceptions.includes(name));
    // Every allowed command must be listed in `COSTLY`. CLIENT PAUSE, KEYS, FLUSHALL and the like must not be allowed.
    expect(tried.filter((name) => COSTLY[name] === undefined)).toEqual([]);
    const connection = await bystander.clientId();
    const slow: string[] = [];
    for (const name of tried)
      for (const command of COSTLY[name] ?? []) {
        let cost = await costOf(user, command);
        for (let attempt = 1; attempt < ATTEMPTS && cost > MAX_COST_MS; attempt++)
          cost = Math.min(cost, await costOf(user, command));
        if (cost > MAX_COST_MS) slow.push(`${command.join(' ').slice(0, 80)}: ${Math.round(cost)} ms`);
      }
    expect(slow).toEqual([]);
    expect(await bystander.clientId()).toBe(connection);
  },
  120_000,
);

it.each(USER_NAMES)('%s may not run a command that stops the server or loses its data', async (user) => {
  const dangerous = [
    ['CLIENT', 'PAUSE', '60000'],
    ['CLIENT', 'UNBLOCK', '1'],
    ['CLIENT', 'NO-EVICT', 'on'],
    ['CLIENT', 'TRACKING', 'on'],
    ['FLUSHALL'],
    ['FLUSHDB'],
    ['SWAPDB', '0', '1'],
    ['SHUTDOWN', 'NOSAVE'],
    ['SAVE'],
    ['BGSAVE'],
    ['BGREWRITEAOF'],
    ['KEYS', '*'],
    ['SCAN', '0'],
    ['RANDOMKEY'],
    ['SORT', 'k'],
    ['DEBUG', 'SLEEP', '1'],
    ['MONITOR'],
    ['CONFIG', 'SET', 'maxmemory', '1'],
    ['CONFIG', 'RESETSTAT'],
    ['ACL', 'SETUSER', 'x'],
    ['ACL', 'DELUSER', 'x'],
    ['SCRIPT', 'FLUSH'],
    ['FUNCTION', 'FLUSH'],
    ['MODULE', 'LIST'],
    ['REPLICAOF', 'NO', 'ONE'],
    ['SYNC'],
    ['PSUBSCRIBE', '*'],
    ['RENAME', 'a', 'b'],
    ['COPY', 'a', 'b'],
    ['RESTORE', 'a', '0', 'b'],
    ['MIGRATE', 'h', '1', 'k', '0', '1'],
    ['BLPOP', 'k', '0'],
    ['WAIT', '1', '0'],
    ['LCS', 'a', 'b'],
    ['SETRANGE', 'k', '500000000', 'x'],
    ['LATENCY', 'RESET'],
  ];
  for (const command of dangerous)
    expect(await admin.sendCommand(['ACL', 'DRYRUN', user, ...command]).catch(String)).toMatch(
      /no permissions to run|unknown command|not found/i,
    );
});

it('bot: writes neither prices, nor the status of feeds, nor any lease, not even by script', async () => {
  await expectDenied('bot', [
    ['HSET', 'tickbus:{PRICE_DATA}:last', 'AAPL', '{}'],
    ['HSET', 'tickbus:{PRICE_DATA}:head', 'epoch', '1'],
    ['DEL', 'tickbus:{PRICE_DATA}:lease'],
    ['PUBLISH', 'PRICE_DATA', '{}'],
    ['PUBLISH', 'tickbus:{PRICE_DATA}:frames', '[]'],
    ['PUBLISH', 'tickbus:{BOT_STATUS}:frames', '[]'],
    ['PUBLISH', 'FEED_STATUS', '{}'],
    script("'DEL', KEYS[1]"),
    script("'PUBLISH', 'PRICE_DATA', '{}'"),
    script("'FLUSHALL'"),
    // A lease on TRADE_COMMANDS would fence the commands of all others.
    ...['TRADE_COMMANDS', 'COMMAND_RESULTS', 'BOT_STATUS'].flatMap((channel) => [
      ['SET', `tickbus:{${channel}}:lease`, '7'],
      ['SET', `tickbus:{${channel}}:head`, 'text'],
      ['DEL', `tickbus:{${channel}}:head`],
    ]),
    ['DEL', 'tickbus:{COMMAND_RESULTS}:history'],
    ['DEL', 'tickbus:{BOT_STATUS}:last'],
    ['DEL', 'tickbus:{TRADE_COMMANDS}:id:x'],
  ]);
});

it('monitor: writes no lease, and deletes no record of AUDIT', async () => {
  await expectDenied('monitor', [
    ['SET', 'tickbus:{TRADE_COMMANDS}:lease', '7'],
    ['DEL', 'tickbus:{AUDIT}:history'],
    ['SET', 'tickbus:{AUDIT}:history', 'text'],
    ['PUBLISH', 'tickbus:{AUDIT}:frames', '[]'],
  ]);
});

it('gateway: publishes on its own channels only, and not on the frames of others', async () => {
  const others = ['BARS', 'TRADE_COMMANDS', 'COMMAND_RESULTS', 'BOT_STATUS', 'AUDIT'];
  await expectDenied(
    'gateway',
    others.flatMap((channel) => [
      ['PUBLISH', channel, '{}'],
      ['PUBLISH', `tickbus:{${channel}}:frames`, '[]'],
    ]),
  );
});

it('bars: writes no trade and no price, and no lease but that of BARS', async () => {
  await expectDenied('bars', [
    ['PUBLISH', 'TRADES', '{}'],
    ['PUBLISH', 'tickbus:{TRADES}:frames', '[]'],
    ['PUBLISH', 'PRICE_DATA', '{}'],
    ['PUBLISH', 'FEED_STATUS', '{}'],
    ['HSET', 'tickbus:{FEED_STATUS}:last', 'alpaca', '{}'],
    ['SET', 'tickbus:{TRADES}:lease', '7'],
    ['XADD', 'tickbus:{TRADES}:history', '*', 'm', '{}'],
    ['HSET', 'tickbus:{TRADES}:head', 'epoch', '1'],
    ['GET', 'tickbus:{PRICE_DATA}:lease'],
  ]);
});

it.each(USER_NAMES)('%s receives whole batches, so that others do too', async (user) => {
  const channel = user === 'bars' ? 'TRADES' : 'PRICE_DATA';
  const command = ['SUBSCRIBE', channel, `tickbus:{${channel}}:frames`];
  expect(await admin.sendCommand(['ACL', 'DRYRUN', user, ...command])).toBe('OK');
});

function script(command: string): string[] {
  return ['EVAL', `return redis.call(${command})`, '1', 'tickbus:{PRICE_DATA}:lease'];
}

async function expectDenied(user: string, commands: readonly string[][]): Promise<void> {
  const client = newClient(redis.url.replace('//', `//${user}:secret@`));
  await client.connect();
  for (const command of commands)
    await expect(client.sendCommand(command), command.join(' ')).rejects.toThrow(
      /NOPERM|user executing the script can't/,
    );
  client.destroy();
}

it('a script that never ends stops everybody, until the operator ends it', async () => {
  const [reader, operator] = ['reader', 'operator'].map((user) =>
    newClient(redis.url.replace('//', `//${user}:secret@`)),
  ) as [Client, Client];
  await Promise.all([reader.connect(), operator.connect()]);
  await admin.configSet('busy-reply-threshold', '1');
  const ended = reader.eval('while true do end').catch(String);
  await expect(bystander.set('bystander', 'x')).rejects.toThrow(/^BUSY/);
  await operator.sendCommand(['SCRIPT', 'KILL']);
  expect(await ended).toContain('Script killed by user');
  await bystander.set('bystander', 'x');
  await admin.configSet('busy-reply-threshold', '5000');
  reader.destroy();
  operator.destroy();
});

it('a command that stops or slows others is noticed', async () => {
  await admin.sendCommand(['ACL', 'SETUSER', 'careless', 'on', '>secret', 'allkeys', '+@all']);
  const pause = ['CLIENT', 'PAUSE', '60000', 'WRITE'];
  expect(await costOf('careless', pause, 500)).toBe(Number.POSITIVE_INFINITY);
  await admin.sendCommand(['CLIENT', 'UNPAUSE']);
  expect(await costOf('careless', ['EVAL', 'for i = 1, 3e7 do end', '0'])).toBeGreaterThan(MAX_COST_MS);
}, 60_000);
