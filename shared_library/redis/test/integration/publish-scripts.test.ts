// The publish scripts by themselves: which stamps are taken, to the millisecond, and what a refused call leaves as it was.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishCall as anyCall, type ScriptCall } from '../../adapters/redis/publish-call.ts';
import { EARLIEST_MS, PUBLISH, PUBLISH_FRAME, PUBLISH_ONCE } from '../../adapters/redis/publish-scripts.ts';
import type { ChannelSpec } from '../../core/channel.ts';
import type { Outgoing } from '../../core/ports.ts';
import { outgoing } from '../contracts/transport-bench.ts';

type Terms = Omit<Parameters<typeof anyCall>[2], 'way'>;

const publishCall = (channel: ChannelSpec, messages: readonly Outgoing[], terms: Terms) =>
  anyCall(channel, messages, { ...terms, way: 'messages' }) as ScriptCall;

let redis: LocalRedis;
let admin: ReturnType<typeof createClient>;
beforeAll(async () => {
  redis = await startLocalRedis();
  admin = createClient({ url: redis.url });
  await admin.connect();
});
afterAll(async () => {
  admin.destroy();
  await redis.kill();
});

describe.each(['message', 'batch'] as const)('framing %s', (framing) => {
  it('takes a stamp that is at most 5 ms early, and none that is late', async () => {
    const channel: ChannelSpec = { name: `STAMPED_${framing}`, kind: 'event', history: 1, framing };
    const epoch = 1_700_000_000_000;
    await admin.hSet(`tickbus:{${channel.name}}:head`, { epoch, seq: 0, call: '0' });
    const taken = new Set<number>();
    for (let seq = 0; seq < 600; seq++) {
      // Whole milliseconds around what the server's clock says now.
      const stamp = Date.now() + (seq % 16) - 11;
      const after = { call: String(seq), end: { epoch, seq }, isRequired: true };
      const terms = { fence: undefined, call: String(seq + 1), after, stamp };
      const { script, keys, args } = publishCall(channel, [outgoing({ seq })], terms);
      const source = script === 'publishFrame' ? PUBLISH_FRAME : PUBLISH;
      const reply = await admin.eval(source, { keys: [...keys], arguments: [...args] });
      const at = Math.floor(Number((reply as unknown[])[3]) / 1_000);
      const early = at - stamp;
      const [kept] =
        (await admin.xRevRange(`tickbus:{${channel.name}}:history`, '+', '-', { COUNT: 1 })) ?? [];
      const isOfNow = early >= 0 && early <= EARLIEST_MS;
      expect(JSON.parse(String(kept?.message.m)).at).toBe(isOfNow ? stamp : at);
      taken.add(early);
    }
    // Both sides of both edges came up.
    expect([...taken]).toEqual(expect.arrayContaining([-1, 0, EARLIEST_MS, EARLIEST_MS + 1]));
  });
});

describe('a user who may not publish on the channel', () => {
  it.each(['new', 'unready', 'ready'] as const)('moves no number of it: %s', async (place) => {
    const channel: ChannelSpec = { name: `REFUSED_${place}`, kind: 'event', history: 1 };
    const head = `tickbus:{${channel.name}}:head`;
    const epoch = 1_700_000_000_000;
    if (place !== 'new') await admin.hSet(head, { epoch, seq: 7, call: 'a' });
    const before = { ...(await admin.hGetAll(head)) };
    await admin.sendCommand('ACL SETUSER mute on nopass allkeys +@all resetchannels'.split(' '));
    const mute = await createClient({ url: redis.url, username: 'mute', password: 'any' }).connect();
    const stamp = place === 'ready' ? Date.now() - 1 : undefined;
    const after = stamp === undefined ? undefined : { call: 'a', end: { epoch, seq: 7 }, isRequired: true };
    const { keys, args } = publishCall(channel, [outgoing({})], {
      fence: undefined,
      call: 'b',
      after,
      stamp,
    });
    await expect(mute.eval(PUBLISH, { keys: [...keys], arguments: [...args] })).rejects.toThrow(/^REFUSED/);
    expect({ ...(await admin.hGetAll(head)) }).toEqual(before);
    mute.destroy();
  });
});

/** Calls a script as nobody else does: without any knowledge of where the channel ends. */
function publishPlainly(source: string, channel: ChannelSpec, batch: readonly Outgoing[]) {
  const { keys, args } = publishCall(channel, batch, { fence: undefined, stamp: undefined });
  return admin.eval(source, { keys: [...keys], arguments: [...args] });
}

it.each(['x', '1.5', '-1', '1e300'])(
  'a head whose number is %s is left alone, and nothing is published',
  async (seq) => {
    const channel: ChannelSpec = { name: `GARBAGE_${seq}`, kind: 'event', history: 1 };
    const head = `tickbus:{${channel.name}}:head`;
    await admin.hSet(head, { epoch: 1_700_000_000_000, seq });
    await expect(publishPlainly(PUBLISH, channel, [outgoing({})])).rejects.toThrow(/^REFUSED WRONGVALUE/);
    expect({ ...(await admin.hGetAll(head)) }).toEqual({ epoch: '1700000000000', seq });
  },
);

it('numbers are exact beyond 10^14, in the message and in the history', async () => {
  const channel: ChannelSpec = { name: 'LARGE', kind: 'event', history: 20 };
  const seq = 1_234_567_890_123_456;
  await admin.hSet(`tickbus:{${channel.name}}:head`, { epoch: 1_700_000_000_000, seq });
  await publishPlainly(
    PUBLISH,
    channel,
    Array.from({ length: 12 }, () => outgoing({})),
  );
  const kept = (await admin.xRange(`tickbus:{${channel.name}}:history`, '-', '+')) ?? [];
  const numbers = Array.from({ length: 12 }, (_, index) => seq + 1 + index);
  expect(kept.map(({ id }) => id)).toEqual(numbers.map((number) => `1700000000000-${number}`));
  expect(kept.map(({ message }) => JSON.parse(String(message.m)).seq)).toEqual(numbers);
});

it('of commands none is published where one id cannot be looked up', async () => {
  const channel: ChannelSpec = { name: 'IDS', kind: 'command', history: 0 };
  const commands = ['a', 'b'].map((id) => ({ ...outgoing({ id }), once: { id, rememberMs: 60_000 } }));
  await admin.hSet('tickbus:{IDS}:id:b', { not: 'ours' });
  await expect(publishPlainly(PUBLISH_ONCE, channel, commands)).rejects.toThrow(/^REFUSED WRONGTYPE/);
  expect(await admin.keys('tickbus:{IDS}:*')).toEqual(['tickbus:{IDS}:id:b']);
});
