// LeaseBase on an in-memory server and a manual clock: every state, and every fault.

import { errorOf, eventLoopTurns, silentLogger } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { RedisLease } from '../../lease.ts';
import { MemoryConnection } from '../../testing.ts';
import { errorWith, PRICES } from '../channels.fixture.ts';
import { LeaseHarness } from './lease.fixture.ts';

it('start holds off for one TTL on a server that does not know the lease, then acquires it', async () => {
  const harness = new LeaseHarness();
  const candidate = harness.candidate();
  expect(candidate.lease.state).toBe('idle');
  await candidate.lease.start();
  await harness.advance(2_999);
  expect([candidate.lease.state, candidate.lease.holds, candidate.lease.token]).toEqual([
    'holding_off',
    false,
    undefined,
  ]);
  await harness.advance(2);
  expect([candidate.lease.state, candidate.lease.holds]).toEqual(['held', true]);
  expect(candidate.states).toEqual(['standby', 'holding_off', 'held']);
  expect(candidate.lease.token).toBe(candidate.tokens[0]);
  expect(harness.accepts(candidate.lease.token)).toBe(true);
});

it('holder renews the lease while a second candidate stays on standby', async () => {
  const harness = new LeaseHarness();
  const holder = await harness.holder();
  const standby = harness.candidate();
  await standby.lease.start();
  await harness.advance(60_000);
  expect([holder.lease.state, standby.lease.state]).toEqual(['held', 'standby']);
  expect(holder.tokens).toHaveLength(1);
  expect(standby.states).toEqual(['standby']);
});

it('release passes the lease to the standby without a hold-off', async () => {
  const harness = new LeaseHarness();
  const holder = await harness.holder();
  const standby = harness.candidate();
  await standby.lease.start();
  await harness.advance(1_000);
  const [token] = holder.tokens;
  expect(await holder.lease.release()).toBe(true);
  expect([holder.lease.state, holder.lease.holds, holder.losses]).toEqual(['released', false, []]);
  await harness.advance(251);
  expect(standby.lease.token).toBeGreaterThan(token ?? Number.POSITIVE_INFINITY);
  expect(harness.accepts(token)).toBe(false);
});

it('lease of a dead holder passes to the standby when its TTL ends', async () => {
  const harness = new LeaseHarness();
  const holder = await harness.holder();
  const standby = harness.candidate();
  await standby.lease.start();
  await harness.advance(10_000);
  holder.process.pause();
  holder.link.isDown = true;
  await harness.advance(1_900);
  expect(standby.lease.holds).toBe(false);
  await harness.advance(1_110);
  expect(standby.lease.holds).toBe(true);
  expect(standby.states).toEqual(['standby', 'held']);
});

it('holder loses the lease as "expired" at TTL minus margin when a renewal hangs', async () => {
  const harness = new LeaseHarness();
  const holder = await harness.holder();
  const signals = holder.events.flatMap(([event, value]) => (event === 'gained' ? [value.signal] : []));
  const aborted = () => signals.map((signal) => signal.aborted);
  holder.link.requestDelayMs = 100_000;
  await harness.advance(2_698);
  expect([holder.lease.holds, aborted()]).toEqual([true, [false]]);
  await harness.advance(3);
  expect([holder.lease.holds, holder.lease.state, aborted()]).toEqual([false, 'standby', [true]]);
  expect(holder.events.at(-2)).toEqual(['lost', { token: holder.tokens[0], reason: 'expired' }]);
});

it('expiry counts from the moment the renewal was sent, not from its reply', async () => {
  const harness = new LeaseHarness();
  const holder = await harness.holder();
  holder.link.replyDelayMs = 900;
  // The renewal is sent 1,000 ms after the lease was gained, and its reply arrives at 1,900.
  // The next renewal gets no reply.
  await harness.advance(1_901);
  holder.link.requestDelayMs = 100_000;
  await harness.advance(1_797);
  expect(holder.lease.holds).toBe(true);
  await harness.advance(3);
  expect(holder.lease.holds).toBe(false);
});

it('holder loses the lease as "taken" when the server rejects the renewal', async () => {
  const harness = new LeaseHarness();
  const holder = await harness.holder();
  harness.server.flush();
  await harness.advance(1_000);
  expect(holder.losses).toEqual(['taken']);
  expect(holder.lease.state).toBe('standby');
  await harness.advance(260);
  expect(holder.lease.state).toBe('holding_off');
  await harness.advance(3_001);
  expect(holder.lease.state).toBe('held');
  expect(holder.tokens[1]).toBeGreaterThan(holder.tokens[0] ?? Number.POSITIVE_INFINITY);
});

it('holder renews immediately after a reconnect or confirm() instead of at the next renewal', async () => {
  for (const doubt of ['link', 'refusal']) {
    const harness = new LeaseHarness();
    const holder = await harness.holder();
    const raiseDoubt = () =>
      doubt === 'link'
        ? holder.link.emitStatus({ type: 'connected', generation: 2 })
        : holder.lease.confirm();
    raiseDoubt();
    await harness.advance(1);
    expect([holder.lease.state, holder.losses]).toEqual(['held', []]);
    harness.server.flush();
    raiseDoubt();
    await harness.advance(1);
    expect([holder.lease.state, holder.losses]).toEqual(['standby', ['taken']]);
    raiseDoubt();
    await holder.lease.close();
  }
});

it('paused process does not hold an expired lease, even before any timer has run', async () => {
  const harness = new LeaseHarness();
  const holder = await harness.holder();
  holder.process.pause();
  await harness.advance(60_000);
  expect([holder.lease.state, holder.lease.holds, holder.lease.token]).toEqual(['held', false, undefined]);
  holder.process.resume();
  await eventLoopTurns();
  expect(holder.losses).toEqual(['expired']);
});

it('late renewal reply does not restore an expired lease, and the lease is released for the next attempt', async () => {
  const harness = new LeaseHarness();
  const holder = await harness.holder();
  holder.link.replyDelayMs = 2_500;
  // The renewal is sent at 1,000 and executed at once. Its reply arrives at 3,500, after the lease expired at 2,700.
  await harness.advance(2_701);
  holder.link.replyDelayMs = 0;
  expect(holder.losses).toEqual(['expired']);
  await harness.advance(700);
  expect([holder.lease.holds, holder.tokens.length]).toEqual([false, 1]);
  await harness.advance(400);
  expect([holder.lease.holds, holder.tokens.length]).toEqual([true, 2]);
});

it('acquire reply that takes longer than the lease does not gain it', async () => {
  const harness = new LeaseHarness();
  const candidate = harness.candidate();
  candidate.link.replyDelayMs = 2_800;
  await candidate.lease.start();
  await harness.advance(20_000);
  expect([candidate.tokens, candidate.lease.holds]).toEqual([[], false]);
  candidate.link.replyDelayMs = 0;
  await harness.advance(6_000);
  expect(candidate.lease.holds).toBe(true);
});

it('holder keeps the lease when the system clock jumps', async () => {
  const harness = new LeaseHarness();
  const holder = await harness.holder();
  harness.clock.setNow(harness.clock.now() + 3_600_000);
  await harness.advance(10_000);
  harness.clock.setNow(harness.clock.now() - 7_200_000);
  await harness.advance(10_000);
  expect([holder.lease.holds, holder.tokens.length, holder.losses]).toEqual([true, 1, []]);
});

it('holder keeps the lease over a short disconnect and logs one warning', async () => {
  const harness = new LeaseHarness();
  const holder = await harness.holder();
  holder.link.isDown = true;
  await harness.advance(2_000);
  holder.link.isDown = false;
  await harness.advance(5_000);
  expect([holder.lease.holds, holder.tokens.length]).toEqual([true, 1]);
  expect(holder.logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
});

it('candidate acquires the lease when its link is back', async () => {
  const harness = new LeaseHarness();
  const candidate = harness.candidate();
  await candidate.lease.start();
  candidate.link.isDown = true;
  await harness.advance(30_000);
  expect(candidate.logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  candidate.link.isDown = false;
  await harness.advance(3_300);
  expect(candidate.lease.holds).toBe(true);
});

it('start rejects with TICKBUS_CONNECT_FAILED if the first connection fails, and can be called again', async () => {
  const harness = new LeaseHarness();
  const candidate = harness.candidate();
  candidate.link.isDown = true;
  expect(await errorOf(candidate.lease.start())).toMatchObject({ code: 'TICKBUS_CONNECT_FAILED' });
  expect(candidate.lease.state).toBe('idle');
  candidate.link.isDown = false;
  await Promise.all([candidate.lease.start(), candidate.lease.start()]);
  await harness.advance(3_001);
  expect(candidate.lease.holds).toBe(true);
  expect(candidate.states).toEqual(['standby', 'holding_off', 'held']);
});

it('lease granted after release() is returned to the server', async () => {
  const harness = new LeaseHarness();
  const holder = await harness.holder();
  await holder.lease.release();
  holder.link.replyDelayMs = 500;
  await holder.lease.start();
  await eventLoopTurns();
  const released = holder.lease.release();
  await harness.advance(1_500);
  expect(await released).toBe(false);
  expect(harness.accepts(undefined)).toBe(true);
  expect(holder.lease.state).toBe('released');
});

it('release resolves with false after one TTL if the server does not reply', async () => {
  const harness = new LeaseHarness();
  const holder = await harness.holder();
  holder.link.requestDelayMs = 100_000;
  const released = holder.lease.release();
  expect(holder.lease.holds).toBe(false);
  await harness.advance(3_001);
  expect(await released).toBe(false);
});

it('release and close can be called repeatedly in any state; start then rejects with TICKBUS_CLOSED', async () => {
  const harness = new LeaseHarness();
  const candidate = harness.candidate();
  expect(await candidate.lease.release()).toBe(false);
  expect(await candidate.lease.release()).toBe(false);
  await candidate.lease.start();
  await harness.advance(6_000);
  await candidate.lease.close();
  await candidate.lease.close();
  expect([candidate.lease.state, await candidate.lease.release()]).toEqual(['closed', false]);
  expect(await errorOf(candidate.lease.start())).toMatchObject({ code: 'TICKBUS_CLOSED' });
  expect(harness.accepts(undefined)).toBe(true);
  await harness.advance(10_000);
  expect(candidate.lease.state).toBe('closed');
});

it('contains a listener that throws, and a listener can release the lease', async () => {
  const harness = new LeaseHarness();
  const candidate = harness.candidate();
  candidate.lease.on('gained', () => {
    throw new Error('thrown by a listener');
  });
  candidate.lease.on('gained', () => void candidate.lease.release());
  await candidate.lease.start();
  await harness.advance(3_001);
  expect(candidate.lease.state).toBe('released');
  expect(candidate.states).toEqual(['standby', 'holding_off', 'released']);
  expect(candidate.logger.lines.some(({ level }) => level === 'error')).toBe(true);
  await harness.advance(10_000);
  expect(candidate.tokens).toHaveLength(1);
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
    expect(make(wrong), JSON.stringify(wrong)).toThrow(errorWith('TICKBUS_INVALID_OPTION'));
  expect(make({})()).toMatchObject({ name: 'job', channel: undefined });
  expect(make({ name: undefined, channel: PRICES })()).toMatchObject({ name: 'PRICES', channel: PRICES });
});
