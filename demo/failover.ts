// A gateway is killed, and another one takes over.

import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoSystem } from './demo-system.ts';

/** What `--failover` adds to the JSON line. */
export interface FailoverResult {
  /** From the kill to the first price of the other gateway, as a bot sees it. */
  readonly takeover_ms: number;
  /** Prices of the killed one that anybody got after the first one of its successor. */
  readonly accepted_from_old_holder: number;
  /** The most connections that the broker had at a time. */
  readonly max_broker_connections: number;
}

/** How long prices flow before the kill, and after the take-over. */
const PAUSE_MS = 2_000;
/** Longer than any lease in the demo. */
const TIMEOUT_MS = 30_000;

/**
 * Resolves a while after the take-over.
 *
 * @param say told a sentence for each act
 * @throws Error when nobody takes over
 */
export async function runFailover(
  { broker, gateways, observer }: DemoSystem,
  say: (text: string) => void,
): Promise<() => FailoverResult> {
  const holder = await waitFor('a gateway is live', () =>
    observer.published > 0 && observer.feed?.state === 'live' ? observer.feed.holder : undefined,
  );
  await sleep(PAUSE_MS);
  const takeOver = observer.takeOver();
  const killedAt = performance.now();
  await gateways.kill(holder);
  say(`${holder} was killed`);
  const { at } = await Promise.race([takeOver, takeoverTimeout()]);
  const takeoverMs = at - killedAt;
  say(`${observer.feed?.holder ?? 'the other gateway'} took over after ${(takeoverMs / 1000).toFixed(1)} s`);
  await sleep(PAUSE_MS);
  return () => ({
    takeover_ms: Math.round(takeoverMs),
    accepted_from_old_holder: observer.acceptedFromOldHolder,
    max_broker_connections: broker.stats.maxConcurrent,
  });
}

async function waitFor<T>(what: string, look: () => T | undefined): Promise<T> {
  const giveUpAt = performance.now() + TIMEOUT_MS;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() > giveUpAt) throw new Error(`Waited ${TIMEOUT_MS / 1000} s in vain until ${what}.`);
    await sleep(50);
  }
}

async function takeoverTimeout(): Promise<never> {
  await sleep(TIMEOUT_MS, undefined, { ref: false });
  throw new Error(`No other gateway took over within ${TIMEOUT_MS / 1000} s.`);
}
