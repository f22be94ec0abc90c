// The subscriber process: connections that count messages and optionally measure their latency.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Address, ChannelName, PeerPayload, SubscriberSide } from '../peers/peer.ts';
import { monotonicMs } from '../ticks.ts';
import { ownCpuUs } from './cpu.ts';
import { loadPeer } from './peers.ts';

export interface OpenSubscriber {
  readonly peer: string;
  readonly server: Address;
  readonly connections: number;
  readonly channel: ChannelName;
  /** Whether to measure the latency of every message. */
  readonly latency: boolean;
  /** The instruments to receive; undefined: all. */
  readonly keys?: readonly string[] | undefined;
}

/** Received messages since `begin`, and CPU cost of this process. */
export interface ReceiveReport {
  /** Messages passed to handlers, over all connections. */
  readonly received: number;
  /** Messages replaced by a newer message of their instrument (conflated). Only tickbus does this. */
  readonly merged: number;
  /** Time of the last message, in monotonic milliseconds. */
  readonly lastAt: number;
  readonly cpuUs: number;
  /** Milliseconds from publish call to handler, one per received message; empty without `latency`. */
  readonly ages: Float64Array;
}

/** Maximum count of recorded latencies per run and process. */
const MAX_AGES = 1_000_000;
/** After this time without a message, the missing messages count as lost. */
const GIVE_UP_MS = 3_000;

const sides: SubscriberSide[] = [];
let ages = new Float64Array(0);
let received = 0;
let merged = 0;
let lastAt = 0;
let cpuBefore = 0;
let isStamping = false;

export async function openSubscriber(options: OpenSubscriber): Promise<void> {
  const { peer, server, connections, channel, latency, keys } = options;
  const { subscriber } = await loadPeer(peer);
  if (latency) ages = new Float64Array(MAX_AGES);
  const onPayload = latency ? timed : counted;
  for (let index = 0; index < connections; index++)
    sides.push(await subscriber(server, channel, onPayload, keys));
}

export async function begin(): Promise<void> {
  received = 0;
  merged = 0;
  lastAt = 0;
  globalThis.gc?.();
  cpuBefore = ownCpuUs();
}

/** Resolves when `expected` messages have arrived, or no message has arrived for GIVE_UP_MS. */
export async function finish({ expected }: { expected: number }): Promise<ReceiveReport> {
  let progress = { count: -1, at: monotonicMs() };
  while (received + merged < expected && monotonicMs() - progress.at < GIVE_UP_MS) {
    if (received + merged !== progress.count) progress = { count: received + merged, at: monotonicMs() };
    await sleep(2);
  }
  const cpuUs = ownCpuUs() - cpuBefore;
  const taken = ages.length === 0 ? ages : ages.slice(0, Math.min(received, MAX_AGES));
  return { received, merged, lastAt, cpuUs, ages: taken };
}

export async function closeSubscriber(): Promise<void> {
  await Promise.all(sides.splice(0).map((side) => side.close()));
}

function counted(_payload: PeerPayload, mergedInto: number): void {
  received++;
  merged += mergedInto;
  stamp();
}

function timed(payload: PeerPayload, mergedInto: number): void {
  if (received < MAX_AGES) ages[received] = monotonicMs() - payload.timestamp;
  counted(payload, mergedInto);
}

/** Reads the clock once per turn of the event loop, not once per message. */
function stamp(): void {
  if (isStamping) return;
  isStamping = true;
  setImmediate(() => {
    isStamping = false;
    lastAt = monotonicMs();
  });
}
