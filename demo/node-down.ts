// The scenario of `--cluster`: kills the node that serves the prices, and measures when they go on.

import { setTimeout as sleep } from 'node:timers/promises';
import { CHANNELS } from 'tickbus/constants';
import type { DemoSystem } from './demo-system.ts';
import type { DemoTransport } from './demo-transport.ts';
import { waitFor } from './wait-for.ts';

/** Fields that `--cluster` adds to the JSON line. */
export interface NodeDownResult {
  /** Milliseconds without prices: from the kill of the node to the next price, as seen by a subscriber. */
  readonly node_down_ms: number;
  /** Prices that are missing at the subscriber and in no gap that it reports. */
  readonly lost_silently: number;
  /** Gaps that the subscriber reports on the price channel. */
  readonly gaps: number;
}

/** Duration of normal operation before the kill and after the recovery. */
const PAUSE_MS = 2_000;
/** Longer than a failover and two leases. */
const TIMEOUT_MS = 60_000;

/**
 * Kills the master that serves PRICE_DATA, and waits for the next price, which its replica serves. Resolves PAUSE_MS
 * later with a function that returns the result.
 *
 * @param addEvent called with a sentence for each step
 * @throws Error if no price arrives in time
 */
export async function runNodeDown(
  { observer }: DemoSystem,
  { cluster }: DemoTransport,
  addEvent: (text: string) => void,
): Promise<() => NodeDownResult> {
  if (cluster === undefined) throw new Error('Only a cluster has nodes.');
  const { name } = CHANNELS.PRICE_DATA;
  await waitFor('live prices', TIMEOUT_MS, () =>
    observer.published > 0 && observer.feed?.state === 'live' ? true : undefined,
  );
  await sleep(PAUSE_MS);
  const node = await cluster.ownerOf(name);
  const killedAt = performance.now();
  await node.server.kill();
  // Prices that were on their way when the node died.
  const former = observer.epoch;
  addEvent(`the node of ${name} on port ${node.port} was killed`);
  const resumedAt = await waitFor('prices after the failover', TIMEOUT_MS, () =>
    observer.epoch > former ? observer.epochSince : undefined,
  );
  const promoted = await cluster.ownerOf(name);
  const downMs = resumedAt - killedAt;
  addEvent(`prices go on after ${(downMs / 1000).toFixed(1)} s, from port ${promoted.port}`);
  await sleep(PAUSE_MS);
  return () => ({
    node_down_ms: Math.round(downMs),
    lost_silently: observer.losses.silentlyLost,
    gaps: observer.losses.gaps,
  });
}
