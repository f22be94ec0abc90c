// LeaseBase on an in-memory server and a manual clock: every state, and every fault.

import { errorOf, eventLoopTurns, silentLogger } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { RedisLease } from '../../lease.ts';
import { MemoryConnection } from '../../testing.ts';
import { PRICES } from '../library.fixture.ts';
import { LeaseBench } from './lease.fixture.ts';

it('start holds off for one TTL on a server that does not know the lease, then acquires it', async () => {
  const bench = new LeaseBench();
  const one = bench.candidate();
  expect(one.lease.state).toBe('idle');
  await one.lease.start();
  await bench.pass(2_999);
  expect([one.lease.state, one.lease.holds, one.lease.token]).toEqual(['holding_off', false, undefined]);
  await bench.pass(2);
  expect([one.lease.state, one.lease.holds]).toEqual(['held', true]);
  expect(one.states).toEqual(['standby', 'holding_off', 'held']);
  expect(one.lease.token).toBe(one.tokens[0]);
  expect(bench.accepts(one.lease.token)).toBe(true);
});

it('holder renews the lease while a second candidate stays on standby', async () => {
  const bench = new LeaseBench();
  const one = await bench.holder();
  const two = bench.candidate();
  await two.lease.start();
  await bench.pass(60_000);
  expect([one.lease.state, two.lease.state]).toEqual(['held', 'standby']);
  expect(one.tokens).toHaveLength(1);
  expect(two.states).toEqual(['standby']);
});

it('release passes the lease to the standby without a hold-off', async () => {
  const bench = new LeaseBench();
  const one = await bench.holder();
  const two = bench.candidate();
  await two.lease.start();
  await bench.pass(1_000);
  const [token] = one.tokens;
  expect(await one.lease.release()).toBe(true);
  expect([one.lease.state, one.lease.holds, one.losses]).toEqual(['released', false, []]);
  await bench.pass(251);
  expect(two.lease.token).toBeGreaterThan(token ?? Number.POSITIVE_INFINITY);
  expect(bench.accepts(token)).toBe(false);
});

it('lease of a dead holder passes to the standby when its TTL ends', async () => {
  const bench = new LeaseBench();
  const one = await bench.holder();
  const two = bench.candidate();
  await two.lease.start();
  await bench.pass(10_000);
  one.process.pause();
  one.link.isDown = true;
  await bench.pass(1_900);
  expect(two.lease.holds).toBe(false);
  await bench.pass(1_110);
  expect(two.lease.holds).toBe(true);
  expect(two.states).toEqual(['standby', 'held']);
});

it('holder loses the lease as "expired" at TTL minus margin when a renewal hangs', async () => {
  const bench = new LeaseBench();
  const one = await bench.holder();
  const signals = one.told.flatMap(([event, value]) => (event === 'gained' ? [value.signal] : []));
  const aborted = () => signals.map((signal) => signal.aborted);
  one.link.thereMs = 100_000;
  await bench.pass(2_698);
  expect([one.lease.holds, aborted()]).toEqual([true, [false]]);
  await bench.pass(3);
  expect([one.lease.holds, one.lease.state, aborted()]).toEqual([false, 'standby', [true]]);
  expect(one.told.at(-2)).toEqual(['lost', { token: one.tokens[0], reason: 'expired' }]);
});

it('expiry counts from the moment the renewal was sent, not from its reply', async () => {
  const bench = new LeaseBench();
  const one = await bench.holder();
  one.link.backMs = 900;
  // Renewed 1,000 ms after it was gained, with the reply at 1,900; the next renewal gets no reply.
  await bench.pass(1_901);
  one.link.thereMs = 100_000;
  await bench.pass(1_797);
  expect(one.lease.holds).toBe(true);
  await bench.pass(3);
  expect(one.lease.holds).toBe(false);
});

it('holder loses the lease as "taken" when the server rejects the renewal', async () => {
  const bench = new LeaseBench();
  const one = await bench.holder();
  bench.server.flush();
  await bench.pass(1_000);
  expect(one.losses).toEqual(['taken']);
  expect(one.lease.state).toBe('standby');
  await bench.pass(260);
  expect(one.lease.state).toBe('holding_off');
  await bench.pass(3_001);
  expect(one.lease.state).toBe('held');
  expect(one.tokens[1]).toBeGreaterThan(one.tokens[0] ?? Number.POSITIVE_INFINITY);
});

it('holder renews immediately after a reconnect or confirm() instead of at the next renewal', async () => {
  for (const doubt of ['link', 'refusal']) {
    const bench = new LeaseBench();
    const one = await bench.holder();
    const doubted = () =>
      doubt === 'link' ? one.link.tell({ type: 'connected', generation: 2 }) : one.lease.confirm();
    doubted();
    await bench.pass(1);
    expect([one.lease.state, one.losses]).toEqual(['held', []]);
    bench.server.flush();
    doubted();
    await bench.pass(1);
    expect([one.lease.state, one.losses]).toEqual(['standby', ['taken']]);
    doubted();
    await one.lease.close();
  }
});

it('paused process does not hold an expired lease, even before any timer has run', async () => {
  const bench = new LeaseBench();
  const one = await bench.holder();
  one.process.pause();
  await bench.pass(60_000);
  expect([one.lease.state, one.lease.holds, one.lease.token]).toEqual(['held', false, undefined]);
  one.process.resume();
  await eventLoopTurns();
  expect(one.losses).toEqual(['expired']);
});

it('late renewal reply does not restore an expired lease, and the lease is released for the next attempt', async () => {
  const bench = new LeaseBench();
  const one = await bench.holder();
  one.link.backMs = 2_500;
  // Sent at 1,000 and executed at once; the reply arrives at 3,500. The lease expired at 2,700.
  await bench.pass(2_701);
  one.link.backMs = 0;
  expect(one.losses).toEqual(['expired']);
  await bench.pass(700);
  expect([one.lease.holds, one.tokens.length]).toEqual([false, 1]);
  await bench.pass(400);
  expect([one.lease.holds, one.tokens.length]).toEqual([true, 2]);
});

it('acquire reply that takes longer than the lease does not gain it', async () => {
  const bench = new LeaseBench();
  const one = bench.candidate();
  one.link.backMs = 2_800;
  await one.lease.start();
  await bench.pass(20_000);
  expect([one.tokens, one.lease.holds]).toEqual([[], false]);
  one.link.backMs = 0;
  await bench.pass(6_000);
  expect(one.lease.holds).toBe(true);
});

it('holder keeps the lease when the system clock jumps', async () => {
  const bench = new LeaseBench();
  const one = await bench.holder();
  bench.clock.setNow(bench.clock.now() + 3_600_000);
  await bench.pass(10_000);
  bench.clock.setNow(bench.clock.now() - 7_200_000);
  await bench.pass(10_000);
  expect([one.lease.holds, one.tokens.length, one.losses]).toEqual([true, 1, []]);
});

it('holder keeps the lease over a short disconnect and logs one warning', async () => {
  const bench = new LeaseBench();
  const one = await bench.holder();
  one.link.isDown = true;
  await bench.pass(2_000);
  one.link.isDown = false;
  await bench.pass(5_000);
  expect([one.lease.holds, one.tokens.length]).toEqual([true, 1]);
  expect(one.logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
});

it('candidate acquires the lease when its link is back', async () => {
  const bench = new LeaseBench();
  const one = bench.candidate();
  await one.lease.start();
  one.link.isDown = true;
  await bench.pass(30_000);
  expect(one.logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  one.link.isDown = false;
  await bench.pass(3_300);
  expect(one.lease.holds).toBe(true);
});

it('start rejects with TICKBUS_CONNECT_FAILED if the first connection fails, and can be called again', async () => {
  const bench = new LeaseBench();
  const one = bench.candidate();
  one.link.isDown = true;
  expect(await errorOf(one.lease.start())).toMatchObject({ code: 'TICKBUS_CONNECT_FAILED' });
  expect(one.lease.state).toBe('idle');
  one.link.isDown = false;
  await Promise.all([one.lease.start(), one.lease.start()]);
  await bench.pass(3_001);
  expect(one.lease.holds).toBe(true);
  expect(one.states).toEqual(['standby', 'holding_off', 'held']);
});

it('lease granted after release() is returned to the server', async () => {
  const bench = new LeaseBench();
  const one = await bench.holder();
  await one.lease.release();
  one.link.backMs = 500;
  await one.lease.start();
  await eventLoopTurns();
  const released = one.lease.release();
  await bench.pass(1_500);
  expect(await released).toBe(false);
  expect(bench.accepts(undefined)).toBe(true);
  expect(one.lease.state).toBe('released');
});

it('release resolves with false after one TTL if the server does not reply', async () => {
  const bench = new LeaseBench();
  const one = await bench.holder();
  one.link.thereMs = 100_000;
  const released = one.lease.release();
  expect(one.lease.holds).toBe(false);
  await bench.pass(3_001);
  expect(await released).toBe(false);
});

it('release and close can be called repeatedly in any state; start then rejects with TICKBUS_CLOSED', async () => {
  const bench = new LeaseBench();
  const one = bench.candidate();
  expect(await one.lease.release()).toBe(false);
  expect(await one.lease.release()).toBe(false);
  await one.lease.start();
  await bench.pass(6_000);
  await one.lease.close();
  await one.lease.close();
  expect([one.lease.state, await one.lease.release()]).toEqual(['closed', false]);
  expect(await errorOf(one.lease.start())).toMatchObject({ code: 'TICKBUS_CLOSED' });
  expect(bench.accepts(undefined)).toBe(true);
  await bench.pass(10_000);
  expect(one.lease.state).toBe('closed');
});

it('contains a listener that throws, and a listener can release the lease', async () => {
  const bench = new LeaseBench();
  const one = bench.candidate();
  one.lease.on('gained', () => {
    throw new Error('thrown by a listener');
  });
  one.lease.on('gained', () => void one.lease.release());
  await one.lease.start();
  await bench.pass(3_001);
  expect(one.lease.state).toBe('released');
  expect(one.states).toEqual(['standby', 'holding_off', 'released']);
  expect(one.logger.lines.some(({ level }) => level === 'error')).toBe(true);
  await bench.pass(10_000);
  expect(one.tokens).toHaveLength(1);
});

it('constructor throws TICKBUS_INVALID_OPTION for inconsistent times, or not exactly one of channel and name', () => {
  const connection = new MemoryConnection();
  const make = (options: object) => () =>
    new RedisLease({ connection, logger: silentLogger, name: 'job', ...options });
  for (const wrong of [
    { ttlMs: 99 },
    { ttlMs: Number.NaN },
    { marginMs: 0 },
    { marginMs: 1_500 },
    { retryMs: 0 },
    { retryMs: Number.NaN },
    { channel: CHANNELS.PRICE_DATA },
    { name: undefined },
    { name: 'with blank' },
  ])
    expect(make(wrong), JSON.stringify(wrong)).toThrow(
      expect.objectContaining({ code: 'TICKBUS_INVALID_OPTION' }),
    );
  expect(make({})()).toMatchObject({ name: 'job', channel: undefined });
  expect(make({ name: undefined, channel: PRICES })()).toMatchObject({ name: 'PRICES', channel: PRICES });
});
