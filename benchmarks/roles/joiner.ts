// What a late joiner does: get a complete picture of a state channel, by tickbus or by hand.

import { createClient } from 'redis';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import type { Address } from '../peers/peer.ts';
import { monotonicMs, tickSource } from '../tick.ts';
import { ownCpuUs } from './cpu.ts';

export interface Joined {
  readonly ms: number;
  readonly cpuUs: number;
}

/** Publishes one tick of each instrument, so that the server keeps it. */
export async function fill({ server, seed, instruments }: FillOptions): Promise<void> {
  await using publisher = new RedisPublisher(server);
  const next = tickSource(seed, instruments);
  await Promise.all(
    Array.from({ length: instruments }, () => publisher.publish(CHANNELS.PRICE_DATA, next())),
  );
}

interface FillOptions {
  readonly server: Address;
  readonly seed: number;
  readonly instruments: number;
}

interface JoinOptions {
  readonly server: Address;
  readonly instruments: number;
}

/** From making the subscriber to its handler having had every instrument, validated. */
export function joinByTickbus({ server, instruments }: JoinOptions): Promise<Joined> {
  return measured(async () => {
    const subscriber = new RedisSubscriber(server);
    const seen = new Set<string>();
    const complete = new Promise<void>((resolve) => {
      subscriber.subscribe(CHANNELS.PRICE_DATA, ({ data }) => {
        seen.add(data.symbol);
        if (seen.size === instruments) resolve();
      });
    });
    await subscriber.startListening();
    await complete;
    return () => subscriber.close();
  });
}

/** From making the client to every kept value having been parsed: one HGETALL, no validation, no live data after it. */
export function joinByHgetall({ server, instruments }: JoinOptions): Promise<Joined> {
  return measured(async () => {
    const client = createClient({ socket: { ...server } });
    await client.connect();
    const picture = new Map<string, unknown>();
    const kept = await client.hGetAll('tickbus:{PRICE_DATA}:last');
    for (const [symbol, text] of Object.entries(kept)) picture.set(symbol, JSON.parse(text));
    if (picture.size !== instruments)
      throw new Error(`${picture.size} of ${instruments} instruments were there.`);
    return () => client.close();
  });
}

async function measured(join: () => Promise<() => Promise<void>>): Promise<Joined> {
  globalThis.gc?.();
  const cpuBefore = ownCpuUs();
  const startedAt = monotonicMs();
  const close = await join();
  const joined = { ms: monotonicMs() - startedAt, cpuUs: ownCpuUs() - cpuBefore };
  await close();
  return joined;
}
