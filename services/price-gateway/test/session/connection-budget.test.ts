// The budget of connection attempts: shared, remembered, by the time of Redis alone.

import type { Connection } from 'tickbus';
import { RedisPublisher } from 'tickbus/publisher';
import { ManualClock, MemoryConnection, MemoryServer } from 'tickbus/testing';
import { beforeEach, expect, it } from 'vitest';
import { ConnectionBudget } from '../../session/connection-budget.ts';
import { SILENT } from '../gateway.fixture.ts';

let clock: ManualClock;
let server: MemoryServer;
const never = new AbortController().signal;

beforeEach(() => {
  clock = new ManualClock();
  server = new MemoryServer(clock);
});

/** As if in a process of its own. */
async function newBudget(limit: number, windowMs = 60_000, feed = 'alpaca') {
  const connection: Connection = new MemoryConnection({ server });
  await connection.publishing.connect();
  const publisher = new RedisPublisher({ connection });
  return new ConnectionBudget({ connection, publisher, feed, limit, windowMs, logger: SILENT });
}

/** What it would be told to wait, and why; empty when it need not. */
async function toldBy(budget: ConnectionBudget): Promise<[waitMs?: number, reason?: string | undefined]> {
  const impatient = new AbortController();
  let told: [waitMs?: number, reason?: string | undefined] = [];
  const onWait = (ms: number, reason?: string) => {
    told = [ms, reason];
    impatient.abort();
  };
  await budget.take(impatient.signal, onWait).catch(() => {});
  return told;
}

/** How long it would have to wait; undefined when it need not. */
async function waitOf(budget: ConnectionBudget): Promise<number | undefined> {
  return (await toldBy(budget))[0];
}

it('gives so many in a window, and tells how long it takes until the next', async () => {
  const budget = await newBudget(2);
  expect(await waitOf(budget)).toBeUndefined();
  clock.advance(10_000);
  expect(await waitOf(budget)).toBeUndefined();
  clock.advance(10_000);
  expect(await waitOf(budget)).toBe(40_000);
  clock.advance(39_999);
  expect(await waitOf(budget)).toBe(1);
  clock.advance(1);
  expect(await waitOf(budget)).toBeUndefined();
  expect(await waitOf(budget)).toBe(10_000);
});

it('is shared by all gateways of a feed, and outlives each of them', async () => {
  await (await newBudget(2)).take(never, () => {});
  await (await newBudget(2)).take(never, () => {});
  expect(await waitOf(await newBudget(2))).toBe(60_000);
  expect(await waitOf(await newBudget(2, 60_000, 'ccxt'))).toBeUndefined();
});

it('waits by itself until there is one', async () => {
  const budget = await newBudget(1, 40);
  await budget.take(never, () => {});
  const waits: number[] = [];
  await budget.take(never, (ms) => {
    waits.push(ms);
    clock.advance(ms);
  });
  expect(waits).toEqual([40]);
});

it('gives none while Redis cannot write it down', async () => {
  const connection = new MemoryConnection({ server });
  await connection.publishing.connect();
  const publisher = new RedisPublisher({ connection });
  const budget = new ConnectionBudget({
    connection,
    publisher,
    feed: 'f',
    limit: 9,
    windowMs: 60_000,
    logger: SILENT,
  });
  connection.disconnect();
  expect(await toldBy(budget)).toEqual([
    500,
    expect.stringMatching(
      /^The attempt cannot be recorded on BROKER_ATTEMPTS, so the gateway does not connect\. The link is down/,
    ),
  ]);
});

it('is not fooled by what is no attempt', async () => {
  const budget = await newBudget(1);
  const other = await newBudget(1, 60_000, 'x');
  await other.take(never, () => {});
  expect(await waitOf(budget)).toBeUndefined();
});
