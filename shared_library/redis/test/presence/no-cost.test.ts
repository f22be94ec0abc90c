// Presence costs nothing a message: no call to the server, whatever the number of messages.

import { eventLoopTurns } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import type { Transport } from '../../transport/port.ts';
import { NOTES, worlds } from './presence.fixture.ts';

const newWorld = worlds();
const MESSAGES = 1_000;

it('makes no call for a message that is published or received', async () => {
  const world = newWorld();
  const connection = world.connection();
  const calls = [...counted(connection.publishing), ...counted(connection.subscribing)];
  const { subscriber } = await world.program('momentum', { connection });
  const publisher = world.publisher(connection, 'momentum');
  await publisher.publish(NOTES, { text: 'the first one reports the channel' });
  await world.clock.advance(2_000);
  const before = calls.map(({ count }) => count);

  for (let index = 0; index < MESSAGES; index++) await publisher.publish(NOTES, { text: String(index) });
  await eventLoopTurns();

  expect(subscriber.status(NOTES)?.delivered).toBe(MESSAGES + 1);
  const made = calls.map(({ name, count }, index) => [name, count - (before[index] ?? 0)] as const);
  expect(made.filter(([, count]) => count > 0)).toEqual([['publish', MESSAGES]]);
});

interface Calls {
  readonly name: string;
  count: number;
}

/** Counts the calls of each operation, also of those on leases and on demand. */
function counted(transport: Transport): Calls[] {
  const all: Calls[] = [];
  const count = <T extends object>(target: T, name: keyof T & string): void => {
    const calls: Calls = { name, count: 0 };
    const call = target[name];
    if (typeof call !== 'function') return;
    all.push(calls);
    target[name] = ((...args: unknown[]) => {
      calls.count++;
      return call.apply(target, args);
    }) as T[typeof name];
  };
  for (const name of ['publish', 'subscribe', 'read', 'head', 'setPartitions', 'connect'] as const)
    count(transport, name);
  const [lease, demand] = [transport.lease.bind(transport), transport.demand.bind(transport)];
  transport.lease = (...args) => {
    const operations = lease(...args);
    for (const name of ['acquire', 'renew', 'release'] as const) count(operations, name);
    return operations;
  };
  transport.demand = (...args) => {
    const operations = demand(...args);
    for (const name of ['declare', 'withdraw', 'wanted'] as const) count(operations, name);
    return operations;
  };
  return all;
}
