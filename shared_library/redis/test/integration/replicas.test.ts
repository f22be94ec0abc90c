// Publishers with `replicas`, on a master whose replica lags, hangs or comes too late.

import { ReplicaPair } from '@tickbus/fault-kit/replica-pair';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder, errorOf, silentLogger as logger } from '@tickbus/test-kit';
import { acquireAndRelease } from '@tickbus/test-kit/leases';
import { Random } from '@tickbus/test-kit/random';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RedisLease, RedisPublisher, type RedisPublisherOptions, RedisSubscriber } from '../../index.ts';
import { FILLS } from '../channels.fixture.ts';
import { NO_VIOLATIONS, useWriterHarness } from './exclusive-writer.fixture.ts';
import { changeUser, createUser, killClients, until, untilAccepted } from './integration.fixture.ts';

const SEED = 1;
const TEST_TIMEOUT_MS = 40_000;
/** Long enough for a replica that catches up. */
const PATIENT = { replicas: 1, deadlineMs: 20_000 };
const HEAD = `tickbus:{${FILLS.name}}:head`;

const { open } = useWriterHarness();

async function startPair(): Promise<ReplicaPair> {
  const pair = await ReplicaPair.start(new Random(SEED));
  onTestFinished(() => pair[Symbol.asyncDispose]());
  return pair;
}

/** The numbers that subscribers of the master receive. */
async function received(url: string): Promise<EventRecorder<number>> {
  const numbers = new EventRecorder<number>();
  const subscriber = new RedisSubscriber({ url, logger });
  onTestFinished(() => subscriber.close({ timeoutMs: 0 }));
  subscriber.subscribe(FILLS, ({ data }) => numbers.add(data.n));
  await subscriber.startListening();
  return numbers;
}

type Options = Pick<RedisPublisherOptions, 'replicas' | 'deadlineMs'>;

/** A publisher of many. */
async function sharedPublisher(url: string, options: Options) {
  const publisher = new RedisPublisher({ url, logger, ...options });
  onTestFinished(() => publisher.close());
  return { publisher, lease: undefined };
}

/** The holder of the lease, which publishes with plain commands. */
async function exclusivePublisher(url: string, options: Options) {
  await acquireAndRelease(FILLS, url);
  const lease = new RedisLease({ channel: FILLS, url, ttlMs: 60_000, logger });
  onTestFinished(() => lease.close());
  const gained = new Promise<void>((resolve) => lease.on('gained', () => resolve()));
  await lease.start();
  await gained;
  const publisher = new RedisPublisher({ url, lease, logger, ...options });
  onTestFinished(() => publisher.close());
  return { publisher, lease };
}

/** Whether the promise is still pending when every reply that the server has sent has arrived. */
async function isPending(pair: ReplicaPair, promise: Promise<unknown>): Promise<boolean> {
  await pair.master.answers('PING');
  return Promise.race([
    promise.then(
      () => false,
      () => false,
    ),
    new Promise<boolean>((resolve) => setImmediate(() => resolve(true))),
  ]);
}

/** Publishes a message that the master has, and the replica has not. */
async function publishAhead(pair: ReplicaPair, { publisher }: { readonly publisher: RedisPublisher }) {
  const numbers = await received(pair.master.url);
  await publisher.publish(FILLS, { n: 1 });
  pair.lag();
  const published = publisher.publish(FILLS, { n: 2 });
  await numbers.first((n) => n === 2);
  expect(await isPending(pair, published)).toBe(true);
  return { published };
}

describe.each([
  ['a shared writer', sharedPublisher],
  ['an exclusive writer', exclusivePublisher],
])('%s', (name, createPublisher) => {
  it(
    'counts a message as published only when the replica has it',
    async () => {
      const pair = await startPair();
      const { published } = await publishAhead(pair, await createPublisher(pair.master.url, PATIENT));
      await pair.catchUp();
      const { position } = await published;
      // What is confirmed is there if the master dies now.
      await pair.master.kill();
      expect(await pair.replica.answers(`HGET ${HEAD} seq`)).toContain(`\r\n${position?.seq}\r\n`);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'reports a message as unknown while the replica hangs, and publishes again when it is back',
    async () => {
      const pair = await startPair();
      const { publisher } = await createPublisher(pair.master.url, { replicas: 1, deadlineMs: 2_000 });
      const numbers = await received(pair.master.url);
      await publisher.publish(FILLS, { n: 1 });
      pair.replica.pause();
      onTestFinished(() => pair.replica.resume());
      expect(await errorOf(publisher.publish(FILLS, { n: 2 }))).toMatchObject({
        code: 'TICKBUS_OUTCOME_UNKNOWN',
        message: expect.stringMatching(
          /^Published on FILLS, but 0 of 1 replica confirmed it within 1800 ms\. If the master fails .*lost/,
        ),
      });
      await numbers.first((n) => n === 2);
      pair.replica.resume();
      await untilAccepted(() => publisher.publish(FILLS, { n: 3 }));
      expect(numbers.items.slice(0, 3)).toEqual([1, 2, 3]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'publishes nothing for a user without the permission for WAIT, until it is given',
    async () => {
      const pair = await startPair();
      await acquireAndRelease(FILLS, pair.master.url);
      const url = await createUser(pair.master, 'narrow', '~*', '&*', '+@all', '-wait');
      const numbers = await received(pair.master.url);
      const { publisher } = await createPublisher(url, PATIENT);
      for (let attempt = 0; attempt < 2; attempt++)
        expect(await errorOf(publisher.publish(FILLS, { n: 1 }))).toMatchObject({
          code: 'TICKBUS_DENIED',
          message: expect.stringMatching(/'wait'/),
        });
      await changeUser(pair.master, 'narrow', '+wait');
      await publisher.publish(FILLS, { n: 2 });
      await numbers.first((n) => n === 2);
      expect(numbers.items).toEqual([2]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    `${name === 'an exclusive writer' ? 'waits on' : 'reports a message as unknown'} if the link drops before the replica has it`,
    async () => {
      const pair = await startPair();
      const { published } = await publishAhead(pair, await createPublisher(pair.master.url, PATIENT));
      const outcome = published.catch((error: unknown) => error);
      await killClients(pair.master);
      if (name === 'an exclusive writer') await pair.catchUp();
      expect(await outcome).toMatchObject(
        name === 'an exclusive writer'
          ? { position: { seq: expect.any(Number) } }
          : {
              code: 'TICKBUS_OUTCOME_UNKNOWN',
              message: expect.stringMatching(/^Published on FILLS, but a WAIT for its replicas failed/),
            },
      );
    },
    TEST_TIMEOUT_MS,
  );
});

it(
  'an exclusive writer has several batches in flight while they wait for a replica',
  async () => {
    const pair = await startPair();
    const { publisher } = await exclusivePublisher(pair.master.url, PATIENT);
    const numbers = await received(pair.master.url);
    await publisher.publish(FILLS, { n: 0 });
    pair.lag();
    const published: Promise<unknown>[] = [];
    for (let n = 1; n <= 4; n++) {
      published.push(publisher.publish(FILLS, { n }));
      await numbers.first((received) => received === n);
    }
    for (const one of published) expect(await isPending(pair, one)).toBe(true);
    await pair.catchUp();
    await Promise.all(published);
  },
  TEST_TIMEOUT_MS,
);

it.each([
  ['has', 'published', () => {}],
  ['does not have', 'TICKBUS_OUTCOME_UNKNOWN', (replica: LocalRedis) => replica.pause()],
])(
  'a batch whose reply is lost, and that the replica %s, is %s',
  async (_, outcome, inject) => {
    const harness = await open();
    const { port } = harness.redis;
    await using replica = await startLocalRedis({ args: ['--replicaof', '127.0.0.1', String(port)] });
    while (!String(await harness.admin.sendCommand(['INFO', 'replication'])).includes('state=online'));
    const { publisher } = await harness.holder({ replicas: 1, deadlineMs: 4_000 });
    await harness.publish(publisher, 2);
    harness.proxy.dropsReplies = true;
    inject(replica);
    const sent = harness.publish(publisher, 2);
    await until(() => harness.received.length === 4);
    harness.proxy.dropsReplies = false;
    harness.proxy.cut();
    await sent;
    expect([...harness.outcomes.values()]).toEqual(['published', 'published', outcome, outcome]);
    expect(harness.violations).toEqual(NO_VIOLATIONS);
  },
  TEST_TIMEOUT_MS,
);

it(
  'waiting for a replica that hangs does not cost the lease',
  async () => {
    const pair = await startPair();
    const options = { replicas: 1, deadlineMs: 5_000 };
    const { publisher, lease } = await exclusivePublisher(pair.master.url, options);
    const lost = new EventRecorder<unknown>();
    lease.on('lost', lost.add);
    // On a busy machine a new replica can take longer than the deadline.
    await untilAccepted(() => publisher.publish(FILLS, { n: 0 }));
    const numbers = await received(pair.master.url);
    pair.replica.pause();
    onTestFinished(() => pair.replica.resume());
    const published = Array.from({ length: 4 }, (_, n) => errorOf(publisher.publish(FILLS, { n })));
    await numbers.first((n) => n === 3);
    // The master renews the lease while the replica holds up all batches.
    for (let renewals = 0; renewals < 3; renewals++) {
      const before = await leaseEnd(pair);
      do lease.confirm();
      while ((await leaseEnd(pair)) === before);
    }
    for (const one of published) expect(await isPending(pair, one)).toBe(true);
    const codes = (await Promise.all(published)).map((error) => (error as { code: string }).code);
    expect(new Set(codes)).toEqual(new Set(['TICKBUS_OUTCOME_UNKNOWN']));
    expect(lost.items).toEqual([]);
    expect(lease.holds).toBe(true);
  },
  TEST_TIMEOUT_MS,
);

/** When the lease ends by the clock of the master. Each renewal moves it. */
const leaseEnd = ({ master }: ReplicaPair) => master.answers(`HGET ${HEAD} until`);
