// Which way batches go: what was seen of listeners and server, for how long it is believed, and what is done until it is known.

import { describe, expect, it } from 'vitest';
import { Audience } from '../../adapters/redis/audience.ts';
import type { RedisClient } from '../../adapters/redis/client.ts';
import { spec } from '../contracts/transport-bench.ts';
import { turns } from '../helpers.ts';

const ALONE = {
  redis_mode: 'standalone',
  role: 'master',
  connected_slaves: '0',
  repl_backlog_active: '0',
};

/** A server that says this of itself; what it refuses it refuses by name. */
function serverOf(facts: object = ALONE, refused: readonly string[] = []): RedisClient {
  const info = Object.entries(facts).map(([name, value]) => `${name}:${value}\r\n`);
  const sendCommand = async ([name = '']: string[]) => {
    if (refused.includes(name)) throw new Error(`NOPERM ${name}`);
    return name === 'INFO' ? info.join('') : 1;
  };
  return { sendCommand } as unknown as RedisClient;
}

/** An audience that has asked this server at 0, and one of its channels. */
async function asked(client = serverOf()) {
  const audience = new Audience();
  const channel = spec('state');
  expect(audience.wayOf(channel, client, 0)).toBe('messages');
  await turns();
  return { audience, channel, client };
}

it('sends a frame by the script that counts, and transactions once only ours were seen', async () => {
  const { audience, channel, client } = await asked();
  expect(audience.wayOf(channel, client, 1)).toBe('frame');
  audience.saw(channel, true, 1);
  expect(audience.wayOf(channel, client, 2)).toBe('transaction');
  expect(audience.wayOf(spec('state'), client, 2)).toBe('frame');
});

it('sends messages for a second after others were seen', async () => {
  const { audience, channel, client } = await asked();
  audience.saw(channel, false, 5);
  expect(audience.wayOf(channel, client, 1_005)).toBe('messages');
  await turns();
  expect(audience.wayOf(channel, client, 1_006)).toBe('frame');
});

describe('sends messages', () => {
  it.each<[string, object]>([
    ['is a cluster', { ...ALONE, redis_mode: 'cluster' }],
    ['is a replica', { ...ALONE, role: 'slave' }],
    ['has a replica', { ...ALONE, connected_slaves: '1' }],
    ['had one that can come back', { ...ALONE, repl_backlog_active: '1' }],
    ['tells nothing of it', {}],
  ])('where the server %s', async (_, facts) => {
    const { audience, channel, client } = await asked(serverOf(facts));
    audience.saw(channel, true, 1);
    expect(audience.wayOf(channel, client, 2)).toBe('messages');
  });

  it('where the user may not ask', async () => {
    const { audience, channel, client } = await asked(serverOf(ALONE, ['INFO']));
    expect(audience.wayOf(channel, client, 2)).toBe('messages');
  });

  it('to another server until that has answered', async () => {
    const { audience, channel } = await asked();
    const other = serverOf();
    expect(audience.wayOf(channel, other, 1)).toBe('messages');
    await turns();
    expect(audience.wayOf(channel, other, 2)).toBe('frame');
  });

  it('after a pause, in which nobody asked, until the server has answered again', async () => {
    const { audience, channel, client } = await asked();
    expect(audience.wayOf(channel, client, 2_001)).toBe('messages');
    await turns();
    expect(audience.wayOf(channel, client, 2_002)).toBe('frame');
  });
});

it('makes no transactions for a user who may not ask whether he may', async () => {
  const { audience, channel, client } = await asked(serverOf(ALONE, ['EVAL']));
  audience.saw(channel, true, 1);
  expect(audience.wayOf(channel, client, 2)).toBe('frame');
});

it('makes no transactions after one failed, until it has asked again', async () => {
  const { audience, channel, client } = await asked();
  audience.saw(channel, true, 1);
  audience.transactionFailed();
  expect(audience.wayOf(channel, client, 1_001)).toBe('frame');
  await turns();
  expect(audience.wayOf(channel, client, 1_002)).toBe('transaction');
});

it('asks nobody who listens where everybody is sent frames', async () => {
  const framed = { ...spec('state'), framing: 'batch' as const };
  const { audience, client } = await asked(serverOf({ ...ALONE, connected_slaves: '1' }));
  expect(audience.wayOf(framed, client, 1)).toBe('transaction');
});
