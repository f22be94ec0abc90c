// What a subscriber process does: a number of connections that count, and where asked take the age of what arrives.

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
  /** Whether the age of every message is taken. */
  readonly latency: boolean;
}

/** What arrived since `begin`, and what it cost this process. */
export interface ReceiveReport {
  /** Messages handed to handlers, over all connections. */
  readonly received: number;
  /** Older messages that newer ones of their instrument stood for (tickbus conflates when a handler is behind). */
  readonly merged: number;
  /** Monotonic milliseconds. */
  readonly lastAt: number;
  readonly cpuUs: number;
  /** Milliseconds from handing over to handling, one for each message received; empty unless asked for. */
  readonly ages: Float64Array;
}

/** The most ages kept in one run of one process. */
const MAX_AGES = 1_000_000;
/** Milliseconds without anything arriving after which the rest is taken as lost. */
const GIVE_UP_MS = 3_000;

const sides: SubscriberSide[] = [];
let ages = new Float64Array(0);
let received = 0;
let merged = 0;
let lastAt = 0;
let cpuBefore = 0;
let isStamping = false;

export async function openSubscriber(options: OpenSubscriber): Promise<void> {
  const { peer, server, connections, channel, latency } = options;
  const { subscriber } = await loadPeer(peer);
  if (latency) ages = new Float64Array(MAX_AGES);
  const onPayload = latency ? timed : counted;
  for (let index = 0; index < connections; index++) sides.push(await subscriber(server, channel, onPayload));
}

export async function begin(): Promise<void> {
  received = 0;
  merged = 0;
  lastAt = 0;
  globalThis.gc?.();
  cpuBefore = ownCpuUs();
}

/** Resolves when `expected` messages have arrived, or when nothing has arrived for a while. */
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

/** The time of the last message, taken once a turn of the event loop rather than once a message. */
function stamp(): void {
  if (isStamping) return;
  isStamping = true;
  setImmediate(() => {
    isStamping = false;
    lastAt = monotonicMs();
  });
}
