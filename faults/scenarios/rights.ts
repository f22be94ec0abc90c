// Users who may not do what a writer needs: refusals name the right, and nobody takes over from a writer who cannot be fenced off.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { TickbusError } from 'tickbus';
import { Candidate, TTL_MS, watchHolders } from '../candidate.ts';
import { FILLS, LEASED_FILLS, LEASED_TICKS, type NoteChannel, TICKS } from '../channels.ts';
import { Observer } from '../observer.ts';
import type { Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { eventually, pass } from '../wait.ts';

const LIMITED = 'limited:secret';
const ALL = ['~*', '&*', '+@all'];

export const withoutClientKill: Scenario = {
  name: '36-without-client-kill',
  expected:
    'A user without CLIENT LIST and KILL: the lease fences by its token, and never takes over from a writer who may.',
  waits: 'busy',
  async run(stage) {
    await allow(stage, ...ALL, '-client|list', '-client|kill');
    await Promise.all([
      takeOver(stage, LEASED_FILLS, { first: LIMITED, second: LIMITED }),
      takeOver(stage, LEASED_TICKS, {}),
    ]);
    await noTakeover(stage, LEASED_FILLS);
    await stage.settle();
  },
};

interface Users {
  /** `user:password`. Default: the default user. */
  readonly first?: string;
  readonly second?: string;
}

/** The holder is cut off past its lease while it publishes; another takes over, and nothing of the first is accepted any more. */
async function takeOver(stage: Stage, channel: NoteChannel, { first, second }: Users): Promise<void> {
  const address = await stage.proxy();
  await stage.listen(channel);
  const observer = await Observer.listen(stage, channel);
  const deposed = await join(stage, channel, 'deposed', first, address.port);
  await deposed.held();
  const stops = [deposed.sendContinually()];
  await eventually('The holder is heard', () => observer.heard.length > 0);
  const successor = await join(stage, channel, 'successor', second);
  watchHolders(stage, [deposed, successor]);
  // What it still sends reaches the server after the takeover.
  address.inject({ type: 'stall' }, 'to_server');
  await successor.held();
  await successor.sendUntilAccepted();
  address.heal();
  stops.push(successor.sendContinually());
  await pass(TTL_MS);
  for (const stop of stops) await stop();
  await deposed.lease.release();
  await successor.sendUntilAccepted();
  await successor.lease.release();
  deepEqual(observer.writers, ['deposed', 'successor']);
  deepEqual(observer.problems(), [], `on ${channel}`);
}

/** The holder may kill, and the candidate may not: it waits, however long the holder is cut off. */
async function noTakeover(stage: Stage, channel: NoteChannel): Promise<void> {
  const address = await stage.proxy();
  const holder = await join(stage, channel, 'privileged', undefined, address.port);
  await holder.held();
  await holder.sendUntilAccepted();
  const candidate = await join(stage, channel, 'limited', LIMITED);
  let gained = 0;
  candidate.lease.on('gained', () => gained++);
  address.refuse();
  address.reset();
  await pass(3 * TTL_MS);
  equal(gained, 0, 'it does not take over from a writer whose connection it cannot end');
  // The holder's resume releases the lease that it has given up by its own clock. Then either may take it, so one leaves.
  await candidate.lease.release();
  address.heal();
  await holder.held();
  equal((await holder.sendUntilAccepted()).outcome, 'accepted');
  await candidate.start();
  await holder.lease.release();
  await candidate.held();
  equal((await candidate.sendUntilAccepted()).outcome, 'accepted', 'a lease that was released is free');
}

async function join(
  stage: Stage,
  channel: NoteChannel,
  name: string,
  credentials: string | undefined,
  port = stage.redis.port,
): Promise<Candidate> {
  return Candidate.join(stage, channel, {
    name,
    port,
    ...(credentials === undefined ? {} : { credentials }),
  });
}

export const withoutInfo: Scenario = {
  name: '37-without-info',
  expected:
    'A user without INFO: each publish is refused with TICKBUS_DENIED, which names INFO; reading works.',
  async run(stage) {
    await allow(stage, ...ALL, '-info');
    const url = `redis://${LIMITED}@127.0.0.1:${stage.redis.port}/0`;
    const publisher = stage.publisher(undefined, { url, host: undefined, port: undefined });
    const listeners = [await stage.listen(FILLS), await stage.listen(TICKS)];
    for (const { channel } of listeners) {
      let refusal: unknown;
      await stage.ledger.publish(channel, 'A', async (n) => {
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
    await allow(stage, ...ALL);
    for (const { channel } of listeners) await stage.sendUntilAccepted(publisher, channel);
    await stage.settle();
  },
};

async function allow(stage: Stage, ...rules: string[]): Promise<void> {
  const [user = '', password = ''] = LIMITED.split(':');
  await stage.command('ACL', 'SETUSER', user, 'reset', 'on', `>${password}`, ...rules);
}
