// The failover scenario: kills the active gateway and measures the takeover.

import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoSystem } from './demo-system.ts';
import { waitFor } from './wait-for.ts';

/** Fields that `--failover` adds to the JSON line. */
export interface FailoverResult {
  /** Milliseconds from the kill to the first price of the successor, as seen by a subscriber. */
  readonly takeover_ms: number;
  /** Prices of the killed gateway that were delivered after the first price of its successor. */
  readonly accepted_from_old_holder: number;
  /** Maximum number of simultaneous broker connections. */
  readonly max_broker_connections: number;
}

/** Duration of normal operation before the kill and after the takeover. */
const PAUSE_MS = 2_000;
/** Longer than any lease in the demo. */
const TIMEOUT_MS = 30_000;

/**
 * Kills the active gateway and waits for the takeover. Resolves PAUSE_MS later with a function that returns the result.
 *
 * @param addEvent called with a sentence for each step
 * @throws Error if no gateway takes over in time
 */
export async function runFailover(
  { broker, gateways, observer }: DemoSystem,
  addEvent: (text: string) => void,
): Promise<() => FailoverResult> {
  const holder = await waitFor('a live gateway', TIMEOUT_MS, () =>
    observer.published > 0 && observer.feed?.state === 'live' ? observer.feed.holder : undefined,
  );
  await sleep(PAUSE_MS);
  const takeover = observer.nextTakeover();
  const killedAt = performance.now();
  await gateways.kill(holder);
  addEvent(`${holder} was killed`);
  const { at } = await Promise.race([takeover, takeoverTimeout()]);
  const takeoverMs = at - killedAt;
  const successor = observer.feed?.holder ?? 'the other gateway';
  addEvent(`${successor} took over after ${(takeoverMs / 1000).toFixed(1)} s`);
  await sleep(PAUSE_MS);
  return () => ({
    takeover_ms: Math.round(takeoverMs),
    accepted_from_old_holder: observer.acceptedFromOldHolder,
    max_broker_connections: broker.stats.maxConcurrent,
  });
}

async function takeoverTimeout(): Promise<never> {
  await sleep(TIMEOUT_MS, undefined, { ref: false });
  throw new Error(`No other gateway took over within ${TIMEOUT_MS / 1000} s.`);
}
