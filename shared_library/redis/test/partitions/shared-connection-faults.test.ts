// What one partition may do to the others, which share its connection and its transactions.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger as logger, RecordingLogger } from '@tickbus/test-kit';
import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { expect, it } from 'vitest';
import { partitionOf } from '../../channel/partitions.ts';
import { RedisConnection } from '../../connection.ts';
import type { TickbusError } from '../../errors.ts';
import { RedisLease } from '../../lease.ts';
import { RedisPublisher } from '../../publisher.ts';
import {
  changeUser,
  closeAfterEach,
  connectPlainClient,
  createUser,
} from '../integration/integration.fixture.ts';
import { fills, SYMBOLS } from './partitions.fixture.ts';

const PARTITIONS = 4;
const channel = fills(PARTITIONS);
/** The partition with a fault. */
const BAD = 2;
const BAD_HEAD = `tickbus:{FILLS#${BAD}/${PARTITIONS}}:head`;
const EVERYTHING = ['~*', '&*', '+@all'];

const closing = closeAfterEach();

interface HolderOptions {
  readonly args?: readonly string[];
  readonly userRules?: readonly string[];
  readonly ttlMs?: number;
}

async function open({ args = [], userRules, ttlMs = 60_000 }: HolderOptions = {}) {
  const redis: LocalRedis = await startLocalRedis({ args });
  closing.push(() => redis.kill());
  const admin = await connectPlainClient(redis.url, closing);
  const direct = new RedisConnection({ url: redis.url, logger });
  closing.push(() => direct.close());
  await useLeasesOnce(direct, channel, PARTITIONS);
  const url = userRules === undefined ? redis.url : await createUser(redis, 'writer', ...userRules);
  const connection = new RedisConnection({ url, logger });
  const log = new RecordingLogger();
  const lease = new RedisLease({ connection, channel, ttlMs, retryMs: 50, logger: log });
  const lost: string[] = [];
  lease.on('lost', ({ reason }) => lost.push(reason));
  const gained = new Promise<void>((resolve) => lease.on('gained', () => resolve()));
  await lease.start();
  await gained;
  const publisher = new RedisPublisher({ connection, lease, deadlineMs: 8_000 });
  closing.push(
    () => connection.close(),
    () => lease.close(),
    () => publisher.close(),
  );
  return { redis, admin, publisher, lease, lost, log };
}

/** One message of each symbol, in one turn. The distinct outcomes of the partition with a fault, and of the others. */
async function publishRound(publisher: RedisPublisher, n: number, textOf = (_symbol: string) => '') {
  const bad = new Set<string>();
  const good = new Set<string>();
  const errors: TickbusError[] = [];
  await Promise.all(
    SYMBOLS.map(async (symbol) => {
      const isBad = partitionOf(symbol, PARTITIONS) === BAD;
      const data = { symbol, n, text: textOf(symbol) };
      const outcome = await publisher.publish(channel, data).then(
        () => 'published',
        (error: TickbusError) => {
          if (!isBad) errors.push(error);
          return error.code;
        },
      );
      (isBad ? bad : good).add(outcome);
    }),
  );
  return { bad: [...bad], good: [...good], errors };
}

it('a batch that the server refuses leaves those of other partitions to be published', async () => {
  const { redis, publisher } = await open({ userRules: EVERYTHING });
  await publishRound(publisher, 0);
  const allowed = [0, 1, 3].map((index) => `~tickbus:{FILLS#${index}/${PARTITIONS}}:*`);
  await changeUser(redis, 'writer', 'resetkeys', '~tickbus:{FILLS}:*', ...allowed);
  // Each turn of the event loop has a message of the refused partition.
  const refused = SYMBOLS.find((key) => partitionOf(key, PARTITIONS) === BAD) ?? '';
  let isSettled = false;
  const round = publishRound(publisher, 1).finally(() => {
    isSettled = true;
  });
  while (!isSettled) {
    void publisher.publish(channel, { symbol: refused, n: 2 }).catch(() => {});
    await nextTurn();
  }
  expect(await round).toMatchObject({ bad: ['TICKBUS_DENIED'], good: ['published'] });
});

it('a foreign value at the head of one partition stops only that partition', async () => {
  const { admin, publisher, lost, lease } = await open();
  await publishRound(publisher, 0);
  await admin.del(BAD_HEAD);
  await admin.set(BAD_HEAD, 'foreign');
  const first = await publishRound(publisher, 1);
  expect(first).toMatchObject({ bad: ['TICKBUS_OUTCOME_UNKNOWN'], good: ['published'] });
  expect(await publishRound(publisher, 2)).toMatchObject({ good: ['published'] });
  expect(lease.holds).toBe(true);
  expect(lost).toEqual([]);
});

it('messages of several partitions that the server takes one by one are published', async () => {
  const { admin, publisher } = await open();
  await publishRound(publisher, 0);
  // The server closes the connection of a client with a larger transaction.
  await admin.configSet('maxmemory-clients', '900kb');
  const text = 'x'.repeat(200_000);
  const { bad, good } = await publishRound(publisher, 1, () => text);
  expect({ bad, good }).toEqual({ bad: ['published'], good: ['published'] });
}, 20_000);

it('a message that the server does not take ends with an error, and stops the others for one turn', async () => {
  const { admin, publisher } = await open();
  await publishRound(publisher, 0);
  await admin.configSet('maxmemory-clients', '450kb');
  const bad = SYMBOLS.find((key) => partitionOf(key, PARTITIONS) === BAD);
  const text = 'x'.repeat(250_000);
  const { bad: codes, errors } = await publishRound(publisher, 1, (symbol) => (symbol === bad ? text : ''));
  expect(codes).toEqual(['TICKBUS_NOT_SENT']);
  expect(errors.every(({ code }) => code === 'TICKBUS_NOT_SENT')).toBe(true);
  expect(await publishRound(publisher, 2)).toMatchObject({ good: ['published'], bad: ['published'] });
}, 20_000);

it('a server without memory refuses every batch of a transaction, and publishes again when it has some', async () => {
  const { admin, publisher } = await open();
  await publishRound(publisher, 0);
  await admin.configSet('maxmemory', '1');
  const { bad, good, errors } = await publishRound(publisher, 1);
  expect({ bad, good }).toEqual({ bad: ['TICKBUS_SERVER_ERROR'], good: ['TICKBUS_SERVER_ERROR'] });
  expect(errors.every(({ message }) => message.includes('OOM'))).toBe(true);
  await admin.configSet('maxmemory', '0');
  expect(await publishRound(publisher, 2)).toMatchObject({ good: ['published'], bad: ['published'] });
});
