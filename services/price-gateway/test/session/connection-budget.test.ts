// The budget of connection attempts is shared and persistent, and uses only the clock of Redis.

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

/** A budget with its own connection, like another process. */
async function newBudget(limit: number, windowMs = 60_000, feed = 'alpaca') {
  const connection: Connection = new MemoryConnection({ server });
  await connection.publishing.connect();
  const publisher = new RedisPublisher({ connection });
  return new ConnectionBudget({ connection, publisher, feed, limit, windowMs, logger: SILENT });
}

/** The delay and the reason that `take` reports; empty if it takes an attempt without a delay. */
async function reportedWait(
  budget: ConnectionBudget,
): Promise<[waitMs?: number, reason?: string | undefined]> {
  const impatient = new AbortController();
  let reported: [waitMs?: number, reason?: string | undefined] = [];
  const onWait = (ms: number, reason?: string) => {
    reported = [ms, reason];
    impatient.abort();
  };
  await budget.take(impatient.signal, onWait).catch(() => {});
  return reported;
}

/** The delay that `take` reports; undefined if it takes an attempt without a delay. */
async function waitMs(budget: ConnectionBudget): Promise<number | undefined> {
  return (await reportedWait(budget))[0];
}

it('permits the limit per window, and reports the delay until the next attempt', async () => {
  const budget = await newBudget(2);
  expect(await waitMs(budget)).toBeUndefined();
  clock.advance(10_000);
  expect(await waitMs(budget)).toBeUndefined();
  clock.advance(10_000);
  expect(await waitMs(budget)).toBe(40_000);
  clock.advance(39_999);
  expect(await waitMs(budget)).toBe(1);
  clock.advance(1);
  expect(await waitMs(budget)).toBeUndefined();
  expect(await waitMs(budget)).toBe(10_000);
});

it('is shared by all gateways of a feed, and outlives them', async () => {
  await (await newBudget(2)).take(never, () => {});
  await (await newBudget(2)).take(never, () => {});
  expect(await waitMs(await newBudget(2))).toBe(60_000);
  expect(await waitMs(await newBudget(2, 60_000, 'ccxt'))).toBeUndefined();
});

it('waits until an attempt is free', async () => {
  const budget = await newBudget(1, 40);
  await budget.take(never, () => {});
  const waits: number[] = [];
  await budget.take(never, (ms) => {
    waits.push(ms);
    clock.advance(ms);
  });
  expect(waits).toEqual([40]);
});

it('permits none while Redis cannot record it', async () => {
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
  expect(await reportedWait(budget)).toEqual([
    500,
    expect.stringMatching(
      /^The attempt cannot be recorded on BROKER_ATTEMPTS, so the gateway does not connect\. The link is down/,
    ),
  ]);
});

it('does not count attempts of other feeds', async () => {
  const budget = await newBudget(1);
  const other = await newBudget(1, 60_000, 'x');
  await other.take(never, () => {});
  expect(await waitMs(budget)).toBeUndefined();
});

it('ignores entries of the history that are no attempts', async () => {
  const connection = new MemoryConnection({ server });
  await connection.publishing.connect();
  const publisher = new RedisPublisher({ connection });
  const { publishing } = connection;
  const read = publishing.read.bind(publishing);
  const foreign = ['not JSON', '{"at":"soon"}', 'null'].map((text) => new TextEncoder().encode(text));
  publishing.read = async (...args) => {
    const state = await read(...args);
    return { ...state, entries: [...foreign, ...state.entries] };
  };
  const options = { connection, publisher, feed: 'f', limit: 1, windowMs: 60_000, logger: SILENT };
  const budget = new ConnectionBudget(options);
  expect(await reportedWait(budget)).toEqual([]);
  expect(await waitMs(budget)).toBe(60_000);
});
