// A late joiner: reads all last values of a state channel, or the last bars of one instrument, with tickbus or with
// plain commands.

import { createClient } from 'redis';
import { CHANNELS } from 'tickbus/constants';
import type * as subscribing from 'tickbus/subscriber';
import { RedisSubscriber } from 'tickbus/subscriber';
import type { Address } from '../peers/peer.ts';
import { monotonicMs, symbolsOf, tickSource } from '../ticks.ts';
import { ownCpuUs } from './cpu.ts';
import { loadPeer } from './peers.ts';

export interface JoinReport {
  readonly ms: number;
  readonly cpuUs: number;
}

/** Publishes ticks of each instrument, so that the server stores its last value or its history. */
export async function fill({ peer, server, seed, instruments, rounds = 1 }: FillOptions): Promise<void> {
  const publisher = await (await loadPeer(peer)).publisher(server, 'price');
  const next = tickSource(seed, instruments);
  for (let round = 0; round < rounds; round++)
    await Promise.all(Array.from({ length: instruments }, () => publisher.publish(next())));
  await publisher.close();
}

interface FillOptions {
  /** A tickbus participant. */
  readonly peer: string;
  readonly server: Address;
  readonly seed: number;
  readonly instruments: number;
  /** Ticks of each instrument. Default 1. */
  readonly rounds?: number;
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

interface BarsOptions {
  readonly server: Address;
  readonly bars: number;
}

/** Measures from the creation of the subscriber until its handler has received the last bars, validated. */
export function joinBars({ server, bars }: BarsOptions): Promise<JoinReport> {
  return measured(async () => {
    const subscriber = new RedisSubscriber(server);
    let received = 0;
    const complete = new Promise<void>((resolve) => {
      const handler = () => {
        received++;
        if (received === bars) resolve();
      };
      subscriber.subscribe(CHANNELS.BARS, handler, { keys: [BAR_KEY], from: { last: bars } });
    });
    await subscriber.startListening();
    await complete;
    return () => subscriber.close();
  });
}

/** Measures from the creation of the client until every bar is parsed, without validation or live data. */
export function joinByXrevrange({ server, bars }: BarsOptions): Promise<JoinReport> {
  return measured(async () => {
    const client = createClient({ socket: { ...server } });
    await client.connect();
    const key = `tickbus:{BARS}:history:${BAR_KEY}`;
    const stored = await client.xRevRange(key, '+', '-', { COUNT: bars });
    const parsed = (stored ?? []).map(({ message }) => JSON.parse(message.m ?? '') as unknown);
    if (parsed.length !== bars) throw new Error(`Found ${parsed.length} of ${bars} bars.`);
    return () => client.close();
  });
}

/** The bars of the first instrument. */
const BAR_KEY = `${symbolsOf(1)[0]}/1m`;

async function measured(join: () => Promise<() => Promise<void>>): Promise<JoinReport> {
  globalThis.gc?.();
  const cpuBefore = ownCpuUs();
  const startedAt = monotonicMs();
  const close = await join();
  const report = { ms: monotonicMs() - startedAt, cpuUs: ownCpuUs() - cpuBefore };
  await close();
  return report;
}
