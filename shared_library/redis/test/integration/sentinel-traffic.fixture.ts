// Traffic on channels of several kinds behind Sentinel. One channel has two candidates for its lease.

import { Traffic } from '@tickbus/fault-kit/traffic';
import { silentLogger as logger } from '@tickbus/test-kit';
import { acquireAndRelease } from '@tickbus/test-kit/leases';
import { z } from 'zod';
import { defineChannel, RedisLease, RedisPublisher } from '../../index.ts';

export const LEASE_TTL_MS = 3_000;

const messages = { note: z.object({ key: z.string(), n: z.number() }) };
const LEASED = defineChannel('SENTINEL_LEASED', { kind: 'event', key: 'key', history: 20_000, messages });
/** The channels without a lease. The leased one is silent while its lease is not held. */
export const SHARED = [
  defineChannel('SENTINEL_TICKS', { kind: 'state', key: 'key', messages }),
  defineChannel('SENTINEL_FILLS', { kind: 'event', key: 'key', history: 20_000, messages }),
  defineChannel('SENTINEL_ALERTS', { kind: 'event', key: 'key', messages }),
] as const;

type TrafficChannel = typeof LEASED | (typeof SHARED)[number];

export class SentinelTraffic extends Traffic<TrafficChannel> {
  readonly #publisher: RedisPublisher;
  readonly #candidates: LeaseCandidates;

  constructor(url: string) {
    const publisher = new RedisPublisher({ url, logger });
    const candidates = new LeaseCandidates(url);
    super({
      url,
      logger,
      channels: [...SHARED, LEASED],
      publish: (channel, payload) =>
        (channel === LEASED ? candidates.publisher : publisher).publish(channel, payload),
    });
    this.#publisher = publisher;
    this.#candidates = candidates;
  }

  /** How often both candidates believed to hold the lease. */
  get samplesWithTwoHolders(): number {
    return this.#candidates.samplesWithTwoHolders;
  }

  override async start(): Promise<void> {
    await this.#candidates.start();
    await super.start();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await this.#publisher.close();
    await this.#candidates.close();
  }
}

/** Two candidates for the lease of `LEASED`, each with its publisher. */
class LeaseCandidates {
  readonly #url: string;
  readonly #leases: readonly RedisLease[];
  readonly #publishers: readonly RedisPublisher[];
  #samplesWithTwoHolders = 0;

  constructor(url: string) {
    this.#url = url;
    this.#leases = [1, 2].map(() => new RedisLease({ url, logger, channel: LEASED, ttlMs: LEASE_TTL_MS }));
    this.#publishers = this.#leases.map((lease) => new RedisPublisher({ url, logger, lease }));
  }

  get samplesWithTwoHolders(): number {
    return this.#samplesWithTwoHolders;
  }

  /** The publisher of the holder, or of the first candidate. */
  get publisher(): RedisPublisher {
    const held = this.#leases.map(({ holds }) => holds);
    if (held.every(Boolean)) this.#samplesWithTwoHolders++;
    const publisher = this.#publishers[Math.max(0, held.indexOf(true))];
    if (publisher === undefined) throw new Error('There is no candidate.');
    return publisher;
  }

  /** Resolves when one of them holds the lease. */
  async start(): Promise<void> {
    await acquireAndRelease(LEASED, this.#url);
    const gained = this.#leases.map(
      (lease) => new Promise<void>((resolve) => lease.on('gained', () => resolve())),
    );
    await Promise.all(this.#leases.map((lease) => lease.start()));
    await Promise.race(gained);
  }

  async close(): Promise<void> {
    await Promise.all(this.#publishers.map((publisher) => publisher.close()));
    await Promise.all(this.#leases.map((lease) => lease.close()));
  }
}
