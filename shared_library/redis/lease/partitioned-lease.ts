// The lease of a channel that may have partitions: acquires the lease of each partition after that of the channel.

import type { ChannelSpec } from '../channel/channel.ts';
import { partitionSpecs } from '../channel/partition-specs.ts';
import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import { timeout } from '../runtime/timeout.ts';
import type { Fence, FenceToken, LeaseAttempt, LeaseOperations, Transport } from '../transport/port.ts';
import { giveBack } from './held-lease.ts';

/** The lease of one partition, which is acquired again after each loss until it is released. */
export interface PartitionLease extends Fence {
  readonly holds: boolean;
  start(): Promise<void>;
  release(): Promise<boolean>;
  close(): Promise<void>;
  on(event: 'gained', listener: () => void): Unsubscribe;
}

export interface PartitionedLeaseOptions {
  readonly channel: ChannelSpec;
  /** The number of partitions that the holder gives the channel; undefined: the number that it has. */
  readonly partitions: number | undefined;
  readonly transport: Pick<Transport, 'connect' | 'head' | 'setPartitions'>;
  readonly clock: Clock;
  /** The lease of the channel itself. */
  readonly own: LeaseOperations;
  readonly createLease: (partition: ChannelSpec) => PartitionLease;
}

type Held = Extract<LeaseAttempt, { state: 'held' }>;

interface Pending {
  readonly held: Held;
  /** When the channel's lease was acquired (monotonic). */
  readonly since: number;
}

/** The share of the TTL for which one attempt waits for the partitions. The lease is renewed with each attempt. */
const WAIT_PER_TTL = 1 / 4;
/** A partition that is still missing after this many TTLs is left out, for example because its node is down. */
const MAX_TTLS = 2;

/**
 * Only the holder of the channel's lease acquires those of the partitions, so they have no other candidates. Each
 * begins a new epoch of its partition and has its own exclusive writer, on a cluster at the node of the partition.
 *
 * The holder publishes once all partitions are held, or after two TTLs. A partition that is lost later is acquired
 * again; until then, publishing on it is rejected.
 */
export class PartitionedLease implements LeaseOperations {
  readonly #options: PartitionedLeaseOptions;
  #partitions: readonly PartitionLease[] = [];
  /** The lease of the channel, until its partitions are held as well. */
  #pending: Pending | undefined;
  /** Settles when the partitions are released; undefined while they are wanted. */
  #released: Promise<unknown> | undefined;

  constructor(options: PartitionedLeaseOptions) {
    this.#options = options;
  }

  connect(): Promise<void> {
    return this.#options.own.connect();
  }

  onConnected(listener: () => void): Unsubscribe {
    return this.#options.own.onConnected(listener);
  }

  async acquire(ttlMs: number): Promise<LeaseAttempt> {
    const { own, clock } = this.#options;
    await this.#released;
    if (this.#pending === undefined) {
      const attempt = await own.acquire(ttlMs);
      if (attempt.state !== 'held') return attempt;
      switch (await this.#prepare(attempt)) {
        case 'changed':
          return this.acquire(ttlMs);
        case 'fenced':
          return { state: 'taken', leftMs: ttlMs * WAIT_PER_TTL };
      }
      this.#pending = { held: attempt, since: clock.monotonic() };
    } else if (!(await own.renew(this.#pending.held.token, ttlMs))) {
      this.end();
      return { state: 'taken', leftMs: 0 };
    }
    const pending = this.#pending;
    const isComplete = await this.#waitForPartitions(ttlMs * WAIT_PER_TTL);
    // `end` was called meanwhile.
    if (pending === undefined || this.#pending !== pending) return { state: 'taken', leftMs: 0 };
    const { held, since } = pending;
    if (!isComplete && clock.monotonic() - since < MAX_TTLS * ttlMs)
      return { state: 'holding_off', leftMs: 0 };
    this.#pending = undefined;
    return this.#partitions.length === 0 ? held : { ...held, partitions: this.#partitions };
  }

  renew(token: FenceToken, ttlMs: number): Promise<boolean> {
    return this.#options.own.renew(token, ttlMs);
  }

  /** The lease is not held any more. Called before the server learns of it. */
  end(): void {
    this.#pending = undefined;
    this.#released ??= Promise.all(this.#partitions.map((lease) => lease.release()));
  }

  async release(token: FenceToken): Promise<boolean> {
    this.end();
    await this.#released;
    return this.#options.own.release(token);
  }

  async close(): Promise<void> {
    const { held } = this.#pending ?? {};
    if (held !== undefined) await giveBack(this, held.token);
    await Promise.all(this.#partitions.map((lease) => lease.close()));
    await this.#options.own.close();
  }

  /**
   * @returns `fenced` if a former holder of a partition may still publish; `changed` if the channel has another number
   *   of partitions now, and so another epoch than the lease. In both cases the lease is given back
   */
  async #prepare(held: Held): Promise<'ready' | 'fenced' | 'changed'> {
    const { own } = this.#options;
    try {
      const { count, isChanged } = await this.#decidePartitions(held.token);
      if (!isChanged) {
        await this.#startPartitions(count);
        return 'ready';
      }
      await giveBack(own, held.token);
      return 'changed';
    } catch (error) {
      await giveBack(own, held.token);
      if (error instanceof TickbusError && error.code === 'TICKBUS_FENCED') return 'fenced';
      throw error;
    }
  }

  /**
   * Changes the number of partitions on the server if it is not the wanted one. Every old and new partition learns it
   * before the channel does, so that nothing is published on an old one once subscribers have read the new number.
   */
  async #decidePartitions(token: FenceToken): Promise<{ count: number; isChanged: boolean }> {
    const { channel, partitions, transport } = this.#options;
    // The lease has a connection of its own.
    await transport.connect();
    const { partitions: present = 1 } = await transport.head(channel);
    const count = partitions ?? present;
    if (count === present) return { count, isChanged: false };
    const parts = [present, count].flatMap((number) => (number === 1 ? [] : partitionSpecs(channel, number)));
    await Promise.all(parts.map((part) => transport.setPartitions(part, count)));
    await transport.setPartitions(channel, count, { token });
    return { count, isChanged: true };
  }

  async #startPartitions(count: number): Promise<void> {
    const { channel, createLease } = this.#options;
    const specs = count === 1 ? [] : partitionSpecs(channel, count);
    if (this.#partitions.length !== specs.length) {
      await Promise.all(this.#partitions.map((lease) => lease.close()));
      this.#partitions = specs.map(createLease);
    }
    this.#released = undefined;
    await Promise.all(this.#partitions.map((lease) => lease.start()));
  }

  async #waitForPartitions(ms: number): Promise<boolean> {
    const missing = () => this.#partitions.filter(({ holds }) => !holds);
    const timer = timeout(this.#options.clock, ms);
    const stops: Unsubscribe[] = [];
    const complete = new Promise<void>((resolve) => {
      for (const lease of missing())
        stops.push(lease.on('gained', () => missing().length === 0 && resolve()));
      if (stops.length === 0) resolve();
    });
    await Promise.race([complete, timer.promise]);
    timer.cancel();
    for (const stop of stops) stop();
    return missing().length === 0;
  }
}
