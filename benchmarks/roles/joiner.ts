// A late joiner: reads all last values of a state channel, with tickbus or with plain commands.

import { createClient } from 'redis';
import { CHANNELS } from 'tickbus/constants';
import type * as subscribing from 'tickbus/subscriber';
import type { Address } from '../peers/peer.ts';
import { monotonicMs, tickSource } from '../ticks.ts';
import { ownCpuUs } from './cpu.ts';
import { loadPeer } from './peers.ts';

export interface JoinReport {
  readonly ms: number;
  readonly cpuUs: number;
}

/** Publishes one tick of each instrument, so that the server stores its last value. */
export async function fill({ peer, server, seed, instruments }: FillOptions): Promise<void> {
  const publisher = await (await loadPeer(peer)).publisher(server, 'price');
  const next = tickSource(seed, instruments);
  await Promise.all(Array.from({ length: instruments }, () => publisher.publish(next())));
  await publisher.close();
}

interface FillOptions {
  /** A tickbus participant. */
  readonly peer: string;
  readonly server: Address;
  readonly seed: number;
  readonly instruments: number;
}

interface JoinOptions {
  readonly server: Address;
  readonly instruments: number;
}

/**
 * Measures from the creation of the subscriber until its handler has received every instrument, validated.
 *
 * @param options.library the package: `tickbus`, or `tickbus-baseline`
 */
export async function joinByTickbus({
  server,
  instruments,
  library,
}: JoinOptions & { readonly library: string }): Promise<JoinReport> {
  const { RedisSubscriber } = (await import(`${library}/subscriber`)) as typeof subscribing;
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

/**
 * Measures from the creation of the client until every value is parsed: one HGETALL, without validation or live data.
 */
export function joinByHgetall({ server, instruments }: JoinOptions): Promise<JoinReport> {
  return measured(async () => {
    const client = createClient({ socket: { ...server } });
    await client.connect();
    const values = new Map<string, unknown>();
    const stored = await client.hGetAll('tickbus:{PRICE_DATA}:last');
    for (const [symbol, text] of Object.entries(stored)) values.set(symbol, JSON.parse(text));
    if (values.size !== instruments) throw new Error(`Found ${values.size} of ${instruments} instruments.`);
    return () => client.close();
  });
}

async function measured(join: () => Promise<() => Promise<void>>): Promise<JoinReport> {
  globalThis.gc?.();
  const cpuBefore = ownCpuUs();
  const startedAt = monotonicMs();
  const close = await join();
  const report = { ms: monotonicMs() - startedAt, cpuUs: ownCpuUs() - cpuBefore };
  await close();
  return report;
}
