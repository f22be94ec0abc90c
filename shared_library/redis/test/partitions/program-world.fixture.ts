// The two candidates of a random program, and what they and a subscriber record.

import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalRedis } from '@tickbus/local-redis';
import { RecordingLogger } from '@tickbus/test-kit';
import { Random } from '@tickbus/test-kit/random';
import { z } from 'zod';
import { type Channel, defineChannel } from '../../channel/channel.ts';
import { RedisConnection } from '../../connection.ts';
import type { TickbusError } from '../../errors.ts';
import { RedisLease } from '../../lease.ts';
import { RedisPublisher } from '../../publisher.ts';
import type { Gap } from '../../subscribe/status.ts';
import type { Position } from '../../wire/position.ts';
import { HoldingProxy } from '../integration/holding-proxy.fixture.ts';
import type { PlainClient } from '../integration/integration.fixture.ts';
import { ByteCut } from './byte-cut.fixture.ts';

export const TTL_MS = 500;
const DEADLINE_MS = 1_500;
export const KEYS = Array.from({ length: 40 }, (_, index) => `K${index}`);

export interface ProgramOptions {
  readonly seed: number;
  readonly ms: number;
  readonly kind: 'state' | 'event';
  /** The numbers of partitions that holders give the channel. With one, it never changes. */
  readonly counts: readonly [number, ...number[]];
  readonly faults: readonly Fault[];
  readonly plainClient?: boolean;
}

export type Fault =
  | 'cut'
  | 'byteCut'
  | 'drop'
  | 'hold'
  | 'late'
  | 'release'
  | 'recount'
  | 'pause'
  | 'kill'
  | 'oldMemory'
  | 'oom'
  | 'acl'
  | 'foreign'
  | 'flush';

export interface Sent {
  readonly n: number;
  readonly key: string;
  readonly sender: string;
  readonly count: number;
  readonly at: number;
  outcome?: string;
  position?: Position | undefined;
  partition?: number | undefined;
}

interface Seen {
  readonly n: number;
  readonly key: string;
  readonly sender: string;
  readonly snapshot: boolean;
  readonly conflated: number;
}

export interface TimedGap extends Gap {
  readonly at: number;
}

export const newChannel = (kind: 'state' | 'event', count?: number) =>
  defineChannel('ATTACK', {
    kind,
    key: 'key',
    ...(kind === 'event' && { history: 100_000 }),
    messages: { tick: z.object({ key: z.string(), n: z.number(), sender: z.string() }) },
    ...(count !== undefined && { partitions: count }),
  });

/** A process that wants the lease, behind proxies of its own. */
export class PartitionCandidate {
  readonly name: string;
  readonly #world: World;
  holding!: HoldingProxy;
  bytes!: ByteCut;
  #lease: RedisLease | undefined;
  #publisher: RedisPublisher | undefined;
  #channel: Channel | undefined;
  #count = 1;
  #generation = 0;
  #connection: RedisConnection | undefined;
  #busy: Promise<void> = Promise.resolve();

  constructor(name: string, world: World) {
    this.name = name;
    this.#world = world;
  }

  async open(count: number): Promise<void> {
    this.bytes = await ByteCut.start(this.#world.redis.port);
    this.holding = await HoldingProxy.start(this.bytes.port);
    await this.#start(count);
  }

  get holds(): boolean {
    return this.#lease?.holds === true;
  }

  get problem(): string | undefined {
    return this.#lease?.problem;
  }

  /** Releases the lease, and becomes a candidate with this number of partitions. */
  restart(count: number): Promise<void> {
    this.#busy = this.#busy.then(async () => {
      await this.#stop();
      await this.#start(count);
    });
    return this.#busy;
  }

  async #start(count: number): Promise<void> {
    const logger = this.#world.log;
    this.#count = count;
    this.#channel = newChannel(this.#world.options.kind, count);
    const url = this.holding.url.replace('//', '//writer:secret@');
    const connection = new RedisConnection({ url, logger });
    this.#connection = connection;
    this.#lease = new RedisLease({
      connection,
      channel: this.#channel,
      partitions: count,
      ttlMs: TTL_MS,
      retryMs: 30,
      logger,
    });
    this.#publisher = new RedisPublisher({
      connection,
      lease: this.#lease,
      deadlineMs: DEADLINE_MS,
      sender: `${this.name}${this.#generation++}`,
    });
    for (;;) {
      try {
        await this.#lease.start();
        return;
      } catch {
        await sleep(50);
      }
    }
  }

  async #stop(): Promise<void> {
    await this.#publisher?.close();
    await this.#lease?.close();
    await this.#connection?.close();
  }

  publish(keys: readonly string[]): void {
    const publisher = this.#publisher;
    if (publisher === undefined || this.#channel === undefined || !this.holds) return;
    const sender = `${this.name}${this.#generation - 1}`;
    for (const key of keys) {
      const sent: Sent = { n: ++this.#world.n, key, sender, count: this.#count, at: performance.now() };
      this.#world.sent.push(sent);
      publisher.publish(this.#channel, { key, n: sent.n, sender }).then(
        ({ position, partition }) => Object.assign(sent, { outcome: 'published', position, partition }),
        ({ code }: TickbusError) => {
          sent.outcome = code;
        },
      );
    }
  }

  async close(): Promise<void> {
    await this.#busy;
    await this.#stop();
    await this.holding[Symbol.asyncDispose]();
    await this.bytes[Symbol.asyncDispose]();
  }
}

export class World {
  readonly options: ProgramOptions;
  readonly random: Random;
  redis!: LocalRedis;
  admin!: PlainClient;
  n = 0;
  readonly sent: Sent[] = [];
  readonly seen: Seen[] = [];
  readonly gaps: TimedGap[] = [];
  readonly wire: {
    readonly channel: string;
    readonly n: number;
    readonly key: string;
    readonly at: Position;
  }[] = [];
  readonly done: string[] = [];
  readonly log = new RecordingLogger();

  constructor(options: ProgramOptions) {
    this.options = options;
    this.random = new Random(options.seed);
  }
}
