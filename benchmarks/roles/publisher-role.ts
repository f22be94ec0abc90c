// The publisher process: publishes at full speed, at a steady rate, in one burst, or from recorded sessions.

import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { readCapture, toMarketEvents } from '@tickbus/capture';
import { bookSource } from '../book.ts';
import type { Address, ChannelName, PeerPayload, PublisherSide } from '../peers/peer.ts';
import { type BenchmarkTick, monotonicMs, tickSource } from '../ticks.ts';
import { ownCpuUs } from './cpu.ts';
import { loadPeer } from './peers.ts';

export interface OpenPublisher {
  readonly peer: string;
  readonly server: Address;
  readonly seed: number;
  readonly instruments: number;
  /** Message size in bytes; undefined: ticks. */
  readonly bytes?: number | undefined;
}

/** Published messages and CPU cost of this process. */
export interface PublishReport {
  readonly published: number;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly cpuUs: number;
  /** Maximum delay behind the schedule, in milliseconds. */
  readonly behindMs: number;
}

let side: PublisherSide | undefined;
let next: () => PeerPayload = () => {
  throw new Error('The publisher is not open. Call openPublisher first.');
};

export async function openPublisher({
  peer,
  server,
  seed,
  instruments,
  bytes,
}: OpenPublisher): Promise<void> {
  const channel: ChannelName = bytes === undefined ? 'price' : 'book';
  side = await (await loadPeer(peer)).publisher(server, channel);
  next = bytes === undefined ? tickSource(seed, instruments) : bookSource(bytes, instruments);
}

/**
 * Publishes at full speed for `seconds`: `turn` messages per turn of the event loop, as a gateway does, and at most
 * `window` in flight.
 */
export function blast({
  seconds,
  window,
  turn,
}: {
  seconds: number;
  window: number;
  turn: number;
}): Promise<PublishReport> {
  return measured(async (startedAt) => {
    let published = 0;
    const inFlight: Promise<void>[] = [];
    while (monotonicMs() - startedAt < seconds * 1_000) {
      inFlight.push(publishAll(turn));
      published += turn;
      if (inFlight.length * turn >= window) await inFlight.shift();
      else await nextTurn();
    }
    await Promise.all(inFlight);
    return published;
  });
}

/** Publishes `count` messages without waiting, then waits for all of them. */
export function burst({ count }: { count: number }): Promise<PublishReport> {
  return measured(async () => {
    await publishAll(count);
    return count;
  });
}

/**
 * Publishes `rate` messages a second, in steps of a millisecond. After a late timer it catches up at once, so the rate
 * holds. Each message carries the time of its publish call.
 */
export function pace({ seconds, rate }: { seconds: number; rate: number }): Promise<PublishReport> {
  return measured(async (startedAt, behind) => {
    const total = Math.round(seconds * rate);
    const settled: (PromiseLike<unknown> | undefined)[] = [];
    let published = 0;
    while (published < total) {
      const elapsed = monotonicMs() - startedAt;
      const due = Math.min(total, Math.floor((elapsed / 1_000) * rate));
      behind(((due - published) / rate) * 1_000);
      while (published < due) {
        settled.push(handled(publishOne()));
        published++;
      }
      await sleep(1);
    }
    await settle(settled);
    return published;
  });
}

/** Replays recorded sessions at a multiple of their pace. */
export async function replay({
  paths,
  speed,
}: {
  paths: readonly string[];
  speed: number;
}): Promise<PublishReport> {
  const ticks = (await Promise.all(paths.map(recordedTicks))).flat();
  return measured(async (startedAt, behind) => {
    const settled: (PromiseLike<unknown> | undefined)[] = [];
    for (let index = 0; index < ticks.length; ) {
      const elapsed = monotonicMs() - startedAt;
      for (
        let item = ticks[index];
        item !== undefined && item.afterMs / speed <= elapsed;
        item = ticks[++index]
      ) {
        behind(elapsed - item.afterMs / speed);
        settled.push(handled(publishOne(item.tick)));
      }
      await sleep(1);
    }
    await settle(settled);
    return ticks.length;
  });
}

export async function closePublisher(): Promise<void> {
  await side?.close();
  side = undefined;
}

async function measured(
  work: (startedAt: number, behind: (ms: number) => void) => Promise<number>,
): Promise<PublishReport> {
  let behindMs = 0;
  const cpuBefore = ownCpuUs();
  const startedAt = monotonicMs();
  const published = await work(startedAt, (ms) => {
    behindMs = Math.max(behindMs, ms);
  });
  return { published, startedAt, endedAt: monotonicMs(), cpuUs: ownCpuUs() - cpuBefore, behindMs };
}

async function publishAll(count: number): Promise<void> {
  const settled: (PromiseLike<unknown> | undefined)[] = [];
  for (let index = 0; index < count; index++) settled.push(publishOne());
  await settle(settled);
}

function publishOne(payload: PeerPayload = next()): PromiseLike<unknown> | undefined {
  payload.timestamp = monotonicMs();
  return openSide().publish(payload);
}

/** The caller awaits the promise later. Until then, a rejection must not count as unhandled. */
function handled(settling: PromiseLike<unknown> | undefined): PromiseLike<unknown> | undefined {
  settling?.then(undefined, () => {});
  return settling;
}

async function settle(settled: readonly (PromiseLike<unknown> | undefined)[]): Promise<void> {
  await Promise.all(settled);
  await openSide().flush?.();
}

function openSide(): PublisherSide {
  if (side === undefined) throw new Error('The publisher is not open. Call openPublisher first.');
  return side;
}

/** The quotes and trades of a recorded session as ticks, with milliseconds since the first one. */
async function recordedTicks(path: string): Promise<{ tick: BenchmarkTick; afterMs: number }[]> {
  const ticks: { tick: BenchmarkTick; afterMs: number }[] = [];
  let origin: number | undefined;
  for await (const record of readCapture(path)) {
    for (const event of toMarketEvents(record)) {
      origin ??= record.at;
      const isTrade = event.kind === 'trade';
      const price = isTrade ? event.price : (event.bid + event.ask) / 2;
      const { symbol, timestamp } = event;
      const quote = isTrade
        ? { bid: price, ask: price, bid_size: 0, ask_size: 0, size: event.size }
        : { bid: event.bid, ask: event.ask, bid_size: event.bid_size, ask_size: event.ask_size, size: 0 };
      ticks.push({
        tick: { symbol, price, timestamp, ...quote, venue: 'recorded' },
        afterMs: (record.at - origin) * 1_000,
      });
    }
  }
  return ticks;
}
