// Users without permissions that a writer needs.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { TickbusError } from 'tickbus';
import { type FaultChannel, FILLS, LEASED_FILLS, LEASED_TICKS, TICKS } from '../fault-channels.ts';
import { LeaseCandidate, TTL_MS, watchHolders } from '../lease-candidate.ts';
import { PlainListener } from '../plain-listener.ts';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { delay, eventually } from '../wait.ts';

const LIMITED = 'limited:secret';
const ALL = ['~*', '&*', '+@all'];

export const withoutClientKill: Scenario = {
  name: '36-without-client-kill',
  expected:
    'Without CLIENT LIST and KILL, the token of the lease fences, and no takeover happens from a writer that has these permissions.',
  waits: 'busy',
  async run(testbed) {
    await allow(testbed, ...ALL, '-client|list', '-client|kill');
    await Promise.all([
      takeOver(testbed, LEASED_FILLS, { first: LIMITED, second: LIMITED }),
      takeOver(testbed, LEASED_TICKS, {}),
    ]);
    await noTakeover(testbed, LEASED_FILLS);
    await testbed.settle();
  },
};

interface Users {
  /** `user:password`. Default: the default user. */
  readonly first?: string;
  readonly second?: string;
}

/**
 * The link of the holder stalls until its lease expires. A candidate takes over, and no later message of the holder
 * is accepted.
 */
async function takeOver(testbed: Testbed, channel: FaultChannel, { first, second }: Users): Promise<void> {
  const proxy = await testbed.proxy();
  await testbed.listen(channel);
  const listener = await PlainListener.listen(testbed, channel);
  const deposed = await join(testbed, channel, 'deposed', first, proxy.port);
  await deposed.untilHeld();
  const stops = [deposed.sendContinually()];
  await eventually('The holder publishes', () => listener.messages.length > 0);
  const successor = await join(testbed, channel, 'successor', second);
  watchHolders(testbed, [deposed, successor]);
  // Later messages of the holder reach the server only after the takeover.
  proxy.inject({ type: 'stall' }, 'to_server');
  await successor.untilHeld();
  await successor.sendUntilAccepted();
  proxy.heal();
  stops.push(successor.sendContinually());
  await delay(TTL_MS);
  for (const stop of stops) await stop();
  await deposed.lease.release();
  await successor.sendUntilAccepted();
  await successor.lease.release();
  deepEqual(listener.writers, ['deposed', 'successor']);
  deepEqual(listener.problems(), [], `on ${channel}`);
}

/** The candidate may not use CLIENT KILL, but the holder may. So the candidate waits while the holder is away. */
async function noTakeover(testbed: Testbed, channel: FaultChannel): Promise<void> {
  const proxy = await testbed.proxy();
  const holder = await join(testbed, channel, 'privileged', undefined, proxy.port);
  await holder.untilHeld();
  await holder.sendUntilAccepted();
  const candidate = await join(testbed, channel, 'limited', LIMITED);
  let gained = 0;
  candidate.lease.on('gained', () => gained++);
  proxy.refuse();
  proxy.reset();
  await delay(3 * TTL_MS);
  equal(gained, 0, 'no takeover from a writer whose connection it cannot kill');
  // When the holder reconnects, it releases its expired lease. Then both could take the lease, so the candidate
  // withdraws first.
  await candidate.lease.release();
  proxy.heal();
  await holder.untilHeld();
  equal((await holder.sendUntilAccepted()).outcome, 'accepted');
  await candidate.start();
  await holder.lease.release();
  await candidate.untilHeld();
  equal((await candidate.sendUntilAccepted()).outcome, 'accepted', 'a released lease is free');
}

async function join(
  testbed: Testbed,
  channel: FaultChannel,
  name: string,
  credentials: string | undefined,
  port = testbed.redis.port,
): Promise<LeaseCandidate> {
  return LeaseCandidate.join(testbed, channel, {
    name,
    port,
    ...(credentials === undefined ? {} : { credentials }),
  });
}

export const withoutInfo: Scenario = {
  name: '37-without-info',
  expected: 'Without INFO, each publish rejects with TICKBUS_DENIED, which names INFO; reading works.',
  async run(testbed) {
    await allow(testbed, ...ALL, '-info');
    const url = `redis://${LIMITED}@127.0.0.1:${testbed.redis.port}/0`;
    const publisher = testbed.publisher(undefined, { url });
    const listeners = [await testbed.listen(FILLS), await testbed.listen(TICKS)];
    for (const { channel } of listeners) {
      let refusal: unknown;
      await testbed.ledger.publish(channel, 'A', async (n) => {
        try {
          return await publisher.publish(channel, { key: 'A', n });
        } catch (error) {
          refusal = error;
          throw error;
        }
      });
      ok(refusal instanceof TickbusError, `the publish on ${channel} rejects`);
      equal(refusal.code, 'TICKBUS_DENIED');
      match(refusal.message, /\bINFO\b/i);
      equal(refusal.retryable, false);
    }
    await allow(testbed, ...ALL);
    for (const { channel } of listeners) await testbed.sendUntilAccepted(publisher, channel);
    await testbed.settle();
  },
};

async function allow(testbed: Testbed, ...rules: string[]): Promise<void> {
  const [user = '', password = ''] = LIMITED.split(':');
  await testbed.command('ACL', 'SETUSER', user, 'reset', 'on', `>${password}`, ...rules);
}
