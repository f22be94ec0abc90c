import { EventRecorder, silentLogger as logger } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import { partitionSpecs } from '../../channel/partition-specs.ts';
import type { TickbusError } from '../../errors.ts';
import { RedisLease } from '../../lease.ts';
import type { RedisPublisher } from '../../publisher.ts';
import { until } from '../integration/integration.fixture.ts';
import { usePartitionServer } from './partition-server.fixture.ts';
import { fills, listen, SYMBOLS } from './partitions.fixture.ts';

const PARTITIONS = 16;
const channel = fills(PARTITIONS);
/** In each round, each symbol gets one message. */
const ROUNDS = Array.from({ length: 12 }, (_, n) => n);

const server = usePartitionServer();

/** The holder of the lease behind a proxy, and a subscriber that is not. */
async function open() {
  const behindProxy = await server.holderBehindProxy(channel);
  const { received, subscriber } = await listen(behindProxy.direct, fills());
  server.closing.push(() => subscriber.close({ timeoutMs: 0 }));
  return { ...behindProxy, received };
}

const publishRound = (publisher: RedisPublisher, n: number) =>
  SYMBOLS.map((symbol) =>
    publisher.publish(channel, { symbol, n }).then(
      () => 'published',
      ({ code }: TickbusError) => code,
    ),
  );

it('the messages of one turn take one transaction, whatever their partitions', async () => {
  const { holder, received } = await open();
  await Promise.all(publishRound(holder.publisher, 0));
  const before = await server.callsOf('multi');
  for (const n of ROUNDS) await Promise.all(publishRound(holder.publisher, n + 1));
  expect((await server.callsOf('multi')) - before).toBe(ROUNDS.length);
  await received.reaches((ROUNDS.length + 1) * SYMBOLS.length);
});

it('all partitions have one connection that writes', async () => {
  await open();
  const list = String(await server.admin.sendCommand(['CLIENT', 'LIST']));
  expect(list.match(/ name=tickbus:0:[^ ]* /g)).toEqual([' name=tickbus:0:FILLS ']);
});

it('batches of several partitions that a cut link interrupts are published once, in the order of their keys', async () => {
  const { proxy, holder, received } = await open();
  const sent: Promise<string>[] = [];
  for (const n of ROUNDS) {
    proxy.holdsRequests = true;
    sent.push(...publishRound(holder.publisher, n));
    // Some commands of the round have reached the proxy, and some of these the server.
    await new Promise((resolve) => setTimeout(resolve, n % 4));
    proxy.holdsRequests = false;
    if (n % 2 === 0) proxy.dropsReplies = true;
    else proxy.release();
    await new Promise((resolve) => setTimeout(resolve, n % 3));
    proxy.dropsReplies = false;
    proxy.cut();
  }
  expect(new Set(await Promise.all(sent))).toEqual(new Set(['published']));
  const all = await received.reaches(ROUNDS.length * SYMBOLS.length);
  for (const symbol of SYMBOLS)
    expect(all.filter((tick) => tick.symbol === symbol).map(({ n }) => n)).toEqual(ROUNDS);
});

it('a holder that another one has replaced publishes on no partition', async () => {
  const { direct, proxy, holder, received } = await open();
  await Promise.all(publishRound(holder.publisher, 0));
  proxy.holdsRequests = true;
  const outcomes = publishRound(holder.publisher, 1);
  // The lease ends on the server, as if the holder had not renewed it in time.
  const names = [fills(), ...partitionSpecs(fills(), PARTITIONS)].map(({ name }) => name);
  for (const name of names) {
    await server.admin.del(`tickbus:{${name}}:lease`);
    await server.admin.hSet(`tickbus:{${name}}:head`, { until: Date.now(), ttl: 60_000 });
  }
  const next = new RedisLease({ connection: direct, channel, ttlMs: 60_000, retryMs: 20, logger });
  server.closing.push(() => next.close());
  const gained = new EventRecorder<unknown>();
  next.on('gained', gained.add);
  await next.start();
  await gained.reaches(1);

  expect(next.partitions?.filter(({ token }) => token !== undefined)).toHaveLength(PARTITIONS);
  proxy.release();
  proxy.cut();
  await until(() => !holder.lease.holds);

  expect((await Promise.all(outcomes)).every((code) => code !== 'published')).toBe(true);
  await server.admin.ping();
  expect(received.items.filter(({ n }) => n === 1)).toEqual([]);
});
