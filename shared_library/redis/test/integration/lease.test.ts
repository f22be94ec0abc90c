// The lease over a real Redis, held by processes that are killed, paused and resumed.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder, silentLogger } from '@tickbus/test-kit';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { CHANNELS } from '../../constants.ts';
import { RedisLease } from '../../lease.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { ALERTS, PRICES } from '../channels.fixture.ts';
import { closeAfterEach, connectPlainClient } from './integration.fixture.ts';

const TTL_MS = 1_500;

let redis: LocalRedis;
const closing = closeAfterEach();
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());

interface HolderEvent {
  readonly type: 'started' | 'gained' | 'lost' | 'refused' | 'released' | 'late';
  readonly token?: number;
  readonly code?: string;
  readonly reason?: string;
  readonly confirmed?: boolean;
}

const HOLDER = await bundledProgram(new URL('./lease-holder.fixture.ts', import.meta.url));

/** A child process that runs lease-holder.fixture.ts. */
class HolderProcess {
  readonly events = new EventRecorder<HolderEvent>();
  readonly child: ChildProcess;

  constructor(url: string) {
    const env = { ...process.env, REDIS_URL: url };
    const args = [HOLDER, String(TTL_MS)];
    this.child = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    let rest = '';
    this.child.stdout?.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.events.add(JSON.parse(line));
    });
  }

  command(line: 'release' | 'start' | 'late'): void {
    this.child.stdin?.write(`${line}\n`);
  }

  gained(after = 0): Promise<HolderEvent> {
    return this.events.first(({ type, token = 0 }) => type === 'gained' && token > after);
  }
}

interface ReceivedPrice {
  readonly pid: string;
  readonly token: number;
  readonly at: number;
  readonly epoch: number;
}

/**
 * Two candidate processes, and every price that a bot receives from them. Each test starts with the process that
 * holds the lease after the previous test.
 */
describe('two processes and one lease', () => {
  const prices = new EventRecorder<ReceivedPrice>();
  let subscriber: RedisSubscriber;
  let holders: HolderProcess[] = [];

  beforeAll(async () => {
    subscriber = new RedisSubscriber({ url: redis.url, logger: silentLogger });
    subscriber.subscribe(CHANNELS.PRICE_DATA, ({ data, at = 0, epoch = 0 }) =>
      prices.add({ pid: data.symbol, token: data.timestamp, at, epoch }),
    );
    await subscriber.startListening();
    holders = [new HolderProcess(redis.url), new HolderProcess(redis.url)];
    await Promise.all(holders.map(({ events }) => events.first(({ type }) => type === 'started')));
  });
  afterAll(async () => {
    for (const { child } of holders) child.kill('SIGKILL');
    await subscriber.close();
  });

  const isOf =
    (holder: HolderProcess) =>
    ({ pid }: ReceivedPrice) =>
      pid === String(holder.child.pid);

  /** The current holder, the standby and the newest token. */
  async function currentHolder() {
    const count = prices.items.length;
    await prices.reaches(count + 1);
    const newest = prices.items[count];
    const [holder, standby] = holders.toSorted(
      (a, b) => Number(isOf(b)(newest as ReceivedPrice)) - Number(isOf(a)(newest as ReceivedPrice)),
    );
    if (holder === undefined || standby === undefined || newest === undefined)
      throw new Error('No holder published.');
    return { holder, standby, token: newest.token };
  }

  it('a holder paused past its TTL reports "expired" when it resumes, and its publishes are rejected', async () => {
    const { holder, standby, token } = await currentHolder();
    holder.child.kill('SIGSTOP');
    await standby.gained(token);
    await prices.first(({ pid, token: later }) => pid === String(standby.child.pid) && later > token);
    const before = prices.items.findLastIndex(isOf(holder));
    // The process reads this command as soon as it resumes, and Redis rejects the old token.
    holder.command('late');
    holder.child.kill('SIGCONT');
    expect(await holder.events.first(({ type }) => type === 'late')).toMatchObject({
      code: 'TICKBUS_FENCED',
    });
    const lost = await holder.events.first((event) => event.type === 'lost' && event.token === token);
    expect(lost).toMatchObject({ reason: 'expired' });
    await prices.reaches(prices.items.length + 10);
    expect(prices.items.findLastIndex(isOf(holder))).toBe(before);
  });

  it('a released lease passes to the standby at once, in a new epoch', async () => {
    const { holder, standby, token } = await currentHolder();
    holder.command('release');
    expect(await holder.events.first(({ type }) => type === 'released')).toMatchObject({ confirmed: true });
    await standby.gained(token);
    await prices.first((price) => price.token > token);
    const last = prices.items.findLastIndex((price) => price.token === token);
    const [before, after] = [prices.items[last], prices.items[last + 1]];
    expect((after?.at ?? 0) - (before?.at ?? 0)).toBeLessThan(TTL_MS);
    expect(after?.epoch).toBeGreaterThan(before?.epoch ?? Number.POSITIVE_INFINITY);
    holder.command('start');
  });

  it('a Redis restart without its memory leaves one holder, with a larger token', async () => {
    const { token } = await currentHolder();
    await redis.kill();
    await redis.start();
    const [first, second] = holders;
    const next = await Promise.race([first?.gained(token), second?.gained(token)]);
    await prices.first((price) => price.token > token);
    const seen = prices.items.length;
    await prices.reaches(seen + 20);
    expect(new Set(prices.items.slice(seen).map((price) => price.token))).toEqual(new Set([next?.token]));
  });

  it('a killed holder is replaced within 2 TTLs', async () => {
    const { holder, token } = await currentHolder();
    holder.child.kill('SIGKILL');
    const first = await prices.first((price) => price.token > token);
    const last = prices.items.findLast(isOf(holder));
    expect(first.at - (last?.at ?? 0)).toBeLessThan(2 * TTL_MS);
  });

  it('tokens never decreased during these tests', () => {
    const tokens = prices.items.map(({ token }) => token);
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
    expect(new Set(tokens).size).toBeGreaterThanOrEqual(5);
  });
});

it('acquire is held off for one TTL on a Redis with an older memory, and not on one that kept running', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tickbus-'));
  const kept = await startLocalRedis({ args: ['--dir', dir, '--appendonly', 'no'] });
  closing.push(() => kept.kill());
  const states: string[] = [];
  const newLease = () => {
    const lease = new RedisLease({ name: 'report', url: kept.url, ttlMs: 100, logger: silentLogger });
    closing.push(() => lease.close());
    return lease;
  };
  const first = newLease();
  await first.start();
  await untilGained(first);
  await first.release();
  const second = newLease();
  second.on('state', ({ state }) => states.push(state));
  await second.start();
  await untilGained(second);
  expect(states).toEqual(['standby', 'held']);
  await second.release();
  const admin = await connectPlainClient(kept.url, closing);
  await admin.sendCommand(['SAVE']);
  await kept.kill();
  await kept.start();
  states.length = 0;
  const third = newLease();
  third.on('state', ({ state }) => states.push(state));
  await third.start();
  await untilGained(third);
  expect(states).toEqual(['standby', 'holding_off', 'held']);
});

it('acquire holds off if the lease key was deleted, and shortens a lease prolonged by a clock change', async () => {
  const admin = await connectPlainClient(redis.url, closing);
  const connection = new RedisConnection({ url: redis.url, logger: silentLogger });
  closing.push(() => connection.close());
  await connection.publishing.connect();
  const operations = connection.publishing.lease(PRICES);
  const key = 'tickbus:{PRICES}:lease';
  expect(await operations.acquire(100)).toMatchObject({ state: 'holding_off' });
  await admin.del(key);
  expect(await operations.acquire(100)).toMatchObject({ state: 'holding_off' });
  await admin.set(key, '17');
  expect(await operations.acquire(30_000)).toEqual({ state: 'taken', leftMs: 30_000 });
  await admin.pExpire(key, 3_600_000);
  expect(await operations.acquire(30_000)).toEqual({ state: 'taken', leftMs: 30_000 });
  expect(await admin.pTTL(key)).toBeLessThanOrEqual(30_000);
});

it('the holder keeps its lease when the clock of Redis jumps an hour ahead', async () => {
  const admin = await connectPlainClient(redis.url, closing);
  const candidate = async () => {
    const connection = new RedisConnection({ url: redis.url, logger: silentLogger });
    const lease = new RedisLease({ channel: ALERTS, connection, ttlMs: TTL_MS, logger: silentLogger });
    closing.push(() => connection.close());
    closing.push(() => lease.close());
    await lease.start();
    return { connection, lease };
  };
  const { connection, lease: holder } = await candidate();
  await untilGained(holder);
  const { token } = holder;
  const changes: string[] = [];
  holder.on('lost', ({ reason }) => changes.push(reason));
  const publisher = new RedisPublisher({ connection, lease: holder });
  closing.push(() => publisher.close());
  const publish = () => publisher.publish(ALERTS, { n: 1 }, { type: 'note' });
  // Has the effect of such a clock on the data: the lease key has expired, and its recorded end is an hour ago.
  const setClockAhead = async () => {
    const until = Number(await admin.hGet('tickbus:{ALERTS}:head', 'until')) - 3_600_000;
    await admin.multi().del('tickbus:{ALERTS}:lease').hSet('tickbus:{ALERTS}:head', 'until', until).exec();
  };

  // The connection is the fence, so the holder can publish although its lease seems expired.
  await setClockAhead();
  await publish();
  expect(changes).toEqual([]);

  const { lease: standby } = await candidate();
  standby.on('state', ({ state }) => changes.push(state));
  const heldOff = new Promise<void>((resolve) => standby.on('state', () => resolve()));
  await setClockAhead();
  await heldOff;
  await publish();
  await expect.poll(() => admin.get('tickbus:{ALERTS}:lease')).toBe(String(token));
  expect([holder.token, changes[0]]).toEqual([token, 'holding_off']);
  expect(changes.filter((change) => change === 'expired' || change === 'taken')).toEqual([]);
});

function untilGained(lease: RedisLease): Promise<void> {
  if (lease.holds) return Promise.resolve();
  return new Promise((resolve) => lease.on('gained', () => resolve()));
}
