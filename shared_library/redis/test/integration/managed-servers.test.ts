// Servers that have renamed a command, and users who may not run it: each operation works, or fails with the name of
// the command, and nothing is published.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger as logger, RecordingLogger } from '@tickbus/test-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TickbusError } from '../../errors.ts';
import { RedisLease, RedisPublisher, RedisSubscriber } from '../../index.ts';
import { STATE } from './exclusive-writer.fixture.ts';
import { createUser, until } from './integration.fixture.ts';

/** `works`, or the code of the error, whose message names the command. */
type Outcome = 'works' | TickbusError['code'];

interface Outcomes {
  readonly publish: Outcome;
  readonly lease: Outcome;
  readonly listen: Outcome;
}

const works: Outcomes = { publish: 'works', lease: 'works', listen: 'works' };
const denied = 'TICKBUS_DENIED' as const;

/**
 * The Redis commands that tickbus uses, and what does not work without each one. If `listen` fails, last values cannot
 * be read, the status `recovery_failed` says why, and messages are received live.
 */
const COMMANDS: Readonly<Record<string, Partial<Outcomes>>> = {
  EVAL: { publish: denied, lease: denied, listen: denied },
  EVALSHA: { publish: denied, lease: denied, listen: denied },
  SCRIPT: {},
  CONFIG: {},
  CLIENT: {},
  SELECT: {},
  INFO: { publish: denied, lease: denied },
  MULTI: {},
  EXEC: {},
  WATCH: {},
  XREAD: {},
  PING: {},
  SUBSCRIBE: { listen: denied },
  PUBLISH: { publish: denied },
  TIME: { publish: denied, lease: denied, listen: denied },
  GET: { publish: denied, lease: denied },
  HMGET: { publish: denied, lease: denied, listen: denied },
  HSET: { publish: denied, lease: denied },
  HDEL: { publish: denied, lease: denied },
  DEL: { publish: denied, lease: denied },
  HSCAN: { listen: denied },
  SET: { lease: denied },
  PTTL: { lease: denied },
  PEXPIRE: { lease: denied },
};

/** The outcome of an error, which must be definite and name the command. */
function outcomeOf(error: unknown, command: string): Outcome {
  expect(error).toBeInstanceOf(TickbusError);
  expect((error as TickbusError).message).toMatch(new RegExp(`\\b${command}\\b`, 'i'));
  expect((error as TickbusError).retryable).toBe(false);
  return (error as TickbusError).code;
}

async function publishOutcome(url: string, command: string): Promise<Outcome> {
  await using publisher = new RedisPublisher({ url, logger });
  return publisher.publish(STATE, { key: 'a', n: 1 }).then(
    () => 'works' as const,
    (error: unknown) => outcomeOf(error, command),
  );
}

async function leaseOutcome(url: string, command: string): Promise<Outcome> {
  const log = new RecordingLogger();
  const failures = () => log.lines.flatMap(({ fields }) => ('err' in fields ? [fields.err] : []));
  await using lease = new RedisLease({ url, channel: STATE, ttlMs: 200, logger: log });
  await lease.start();
  await until(() => lease.holds || failures().length > 0);
  if (!lease.holds) return outcomeOf(failures()[0], command);
  await using publisher = new RedisPublisher({ url, lease, logger });
  for (;;) {
    const code = await publisher.publish(STATE, { key: 'a', n: 2 }).then(
      () => undefined,
      (error: TickbusError) => error.code,
    );
    if (code === denied) expect(command).toBe('PUBLISH');
    if (code === undefined || code === denied) return 'works';
    // On a busy machine the short lease can expire before the publish.
    await until(() => lease.holds);
  }
}

async function listenOutcome(url: string, command: string): Promise<Outcome> {
  await using subscriber = new RedisSubscriber({ url, logger });
  let failure: unknown;
  subscriber.on('status', (status) => {
    if (status.type === 'recovery_failed') failure = status.error;
  });
  subscriber.subscribe(STATE, () => {});
  try {
    await subscriber.startListening();
  } catch (error) {
    return outcomeOf(error, command);
  }
  if (failure === undefined) return 'works';
  // Freshness cannot be proved, so no value is returned.
  expect(() => subscriber.requireFresh(STATE, 'a', { maxAgeMs: 60_000 })).toThrow(/STATE/);
  return outcomeOf(failure, command);
}

async function outcomes(url: string, command: string): Promise<Outcomes> {
  const publish = await publishOutcome(url, command);
  return { publish, listen: await listenOutcome(url, command), lease: await leaseOutcome(url, command) };
}

describe('a server without the command', () => {
  it.each(Object.entries(COMMANDS))('%s', async (command, expected) => {
    await using server = await startLocalRedis({ args: ['--rename-command', command, ''] });
    expect(await outcomes(server.url, command)).toEqual({ ...works, ...expected });
    if (expected.publish === undefined || command === 'DEL') return;
    expect(await server.answers('EXISTS tickbus:{STATE}:last')).toMatch(/^:0/);
  });

  it('HELLO: nothing connects, and the error says why', async () => {
    await using server = await startLocalRedis({ args: ['--rename-command', 'HELLO', ''] });
    expect(await publishOutcome(server.url, 'HELLO')).toBe('TICKBUS_DENIED');
    expect(await listenOutcome(server.url, 'HELLO')).toBe('TICKBUS_DENIED');
  });
});

describe('a user without the command', () => {
  let redis: LocalRedis;
  beforeAll(async () => {
    redis = await startLocalRedis();
  });
  afterAll(() => redis.kill());

  it.each(Object.entries(COMMANDS))('%s', async (command, expected) => {
    await redis.answers('FLUSHALL');
    const url = await createUser(redis, 'limited', '~*', '&*', '+@all', `-${command.toLowerCase()}`);
    expect(await outcomes(url, command)).toEqual({ ...works, ...expected });
    if (expected.publish === undefined) return;
    expect(await redis.answers('EXISTS tickbus:{STATE}:last')).toMatch(/^:0/);
  });
});
