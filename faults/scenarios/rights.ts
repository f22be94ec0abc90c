// Users who may not do what a writer needs: refusals name the right, and nobody takes over from a writer who cannot be fenced off.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { TickbusError } from 'tickbus';
import { FILLS, LEASED_FILLS, LEASED_TICKS, type NoteChannel, TICKS } from '../fault-channels.ts';
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
    'A user without CLIENT LIST and KILL: the lease fences by its token, and never takes over from a writer who may.',
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

/** The holder is cut off past its lease while it publishes; another takes over, and nothing of the first is accepted any more. */
async function takeOver(testbed: Testbed, channel: NoteChannel, { first, second }: Users): Promise<void> {
  const address = await testbed.proxy();
  await testbed.listen(channel);
  const observer = await PlainListener.listen(testbed, channel);
  const deposed = await join(testbed, channel, 'deposed', first, address.port);
  await deposed.untilHeld();
  const stops = [deposed.sendContinually()];
  await eventually('The holder is heard', () => observer.messages.length > 0);
  const successor = await join(testbed, channel, 'successor', second);
  watchHolders(testbed, [deposed, successor]);
  // What it still sends reaches the server after the takeover.
  address.inject({ type: 'stall' }, 'to_server');
  await successor.untilHeld();
  await successor.sendUntilAccepted();
  address.heal();
  stops.push(successor.sendContinually());
  await delay(TTL_MS);
  for (const stop of stops) await stop();
  await deposed.lease.release();
  await successor.sendUntilAccepted();
  await successor.lease.release();
  deepEqual(observer.writers, ['deposed', 'successor']);
  deepEqual(observer.problems(), [], `on ${channel}`);
}

/** The holder may kill, and the candidate may not: it waits, however long the holder is cut off. */
async function noTakeover(testbed: Testbed, channel: NoteChannel): Promise<void> {
  const address = await testbed.proxy();
  const holder = await join(testbed, channel, 'privileged', undefined, address.port);
  await holder.untilHeld();
  await holder.sendUntilAccepted();
  const candidate = await join(testbed, channel, 'limited', LIMITED);
  let gained = 0;
  candidate.lease.on('gained', () => gained++);
  address.refuse();
  address.reset();
  await delay(3 * TTL_MS);
  equal(gained, 0, 'it does not take over from a writer whose connection it cannot end');
  // The holder's resume releases the lease that it has given up by its own clock. Then either may take it, so one leaves.
  await candidate.lease.release();
  address.heal();
  await holder.untilHeld();
  equal((await holder.sendUntilAccepted()).outcome, 'accepted');
  await candidate.start();
  await holder.lease.release();
  await candidate.untilHeld();
  equal((await candidate.sendUntilAccepted()).outcome, 'accepted', 'a lease that was released is free');
}

async function join(
  testbed: Testbed,
  channel: NoteChannel,
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
  expected:
    'A user without INFO: each publish is refused with TICKBUS_DENIED, which names INFO; reading works.',
  async run(testbed) {
    await allow(testbed, ...ALL, '-info');
    const url = `redis://${LIMITED}@127.0.0.1:${testbed.redis.port}/0`;
    const publisher = testbed.publisher(undefined, { url, host: undefined, port: undefined });
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
      ok(refusal instanceof TickbusError, `the publish on ${channel} is refused, and not accepted`);
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
