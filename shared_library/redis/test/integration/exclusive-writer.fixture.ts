// For the exclusive writer tests: a server, a proxy, a holder behind the proxy, and a plain client.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { RecordingLogger, silentLogger } from '@tickbus/test-kit';
import { leasedPublisher } from '@tickbus/test-kit/leases';
import { z } from 'zod';
import {
  defineChannel,
  RedisConnection,
  RedisLease,
  type RedisPublisher,
  type TickbusError,
} from '../../index.ts';
import { createRedisClient } from '../../transport/redis/client.ts';
import { LeaseCommands } from '../../transport/redis/lease/lease-commands.ts';
import { HoldingProxy } from './holding-proxy.fixture.ts';
import {
  closeAfterEach,
  createUser,
  newPlainClient,
  type PlainClient,
  until,
} from './integration.fixture.ts';

const messages = { note: z.object({ key: z.string(), n: z.number(), text: z.string().optional() }) };
export const STATE = defineChannel('STATE', { kind: 'state', key: 'key', messages });
export const EVENT = defineChannel('EVENT', { kind: 'event', key: 'key', history: 5_000, messages });
export type Notes = typeof STATE | typeof EVENT;

/** Keys of the channel STATE on the server. */
export const HEAD_KEY = 'tickbus:{STATE}:head';
export const LEASE_KEY = 'tickbus:{STATE}:lease';
/** A branch (replication history) that no test server has. */
export const OTHER_BRANCH = `${'0'.repeat(40)}:${'0'.repeat(40)}`;

interface ReceivedMessage {
  readonly n: number;
  readonly epoch: number;
  readonly seq: number;
}

export class WriterHarness implements AsyncDisposable {
  readonly redis: LocalRedis;
  readonly proxy: HoldingProxy;
  readonly admin: PlainClient;
  /** What the plain client received on the channel, in order. */
  readonly received: ReceivedMessage[] = [];
  /** Outcome of each message: `published` or the error code. */
  readonly outcomes = new Map<number, string>();
  /** The position that publish reported for each message. */
  readonly positions = new Map<number, string>();
  readonly #channel: Notes;
  readonly #folder: string;
  readonly #closing: AsyncDisposable[] = [];
  #next = 0;

  private constructor(
    redis: LocalRedis,
    proxy: HoldingProxy,
    admin: PlainClient,
    channel: Notes,
    folder: string,
  ) {
    this.#folder = folder;
    this.redis = redis;
    this.proxy = proxy;
    this.admin = admin;
    this.#channel = channel;
  }

  static async open(channel: Notes = STATE, args: readonly string[] = []): Promise<WriterHarness> {
    // Each server uses a separate folder, so that no server loads the snapshot of another.
    const folder = await mkdtemp(join(tmpdir(), 'tickbus-writer-'));
    const redis = await startLocalRedis({
      args: ['--enable-debug-command', 'yes', '--dir', folder, ...args],
    });
    const admin = newPlainClient(redis.url);
    await admin.connect();
    const harness = new WriterHarness(redis, await HoldingProxy.start(redis.port), admin, channel, folder);
    await harness.#listen();
    return harness;
  }

  /** A publisher that holds the lease. */
  async holder(options: { url?: string; deadlineMs?: number; replicas?: number } = {}) {
    const holder = await leasedPublisher(this.#channel, options.url ?? this.proxy.url, {
      deadlineMs: 10_000,
      ...options,
    });
    this.#closing.push(holder);
    return holder;
  }

  /** Publishes `count` messages in one turn of the event loop. Resolves when every outcome is known. */
  async publish(publisher: RedisPublisher, count: number, text?: string): Promise<void> {
    const sent = Array.from({ length: count }, () => {
      const n = ++this.#next;
      const data = { key: `k${n % 7}`, n, ...(text === undefined ? {} : { text }) };
      return publisher.publish(this.#channel as typeof STATE, data).then(
        ({ position }) => {
          this.outcomes.set(n, 'published');
          this.positions.set(n, `${position?.epoch}-${position?.seq}`);
        },
        ({ code }: TickbusError) => this.outcomes.set(n, code),
      );
    });
    await Promise.all(sent);
  }

  /** Resolves when no more messages arrive. */
  async untilQuiet(): Promise<void> {
    await this.admin.ping();
    for (let before = -1; before !== this.received.length; ) {
      before = this.received.length;
      await sleep(30);
    }
  }

  /** Contradictions between reported outcomes and received messages; all lists are empty if every guarantee held. */
  get violations() {
    const received = new Map<number, number>();
    for (const { n } of this.received) received.set(n, (received.get(n) ?? 0) + 1);
    const numbers = [...this.outcomes].flatMap(([n, outcome]) => {
      if (outcome === 'published') return received.has(n) ? [] : [`${n} published, not received`];
      if (outcome === 'TICKBUS_OUTCOME_UNKNOWN') return [];
      return received.has(n) ? [`${n} ${outcome}, but received`] : [];
    });
    const positions = this.received.map(({ epoch, seq }) => `${epoch}-${seq}`);
    return {
      outcomes: numbers,
      duplicates: [...received].filter(([, times]) => times > 1).map(([n]) => n),
      sharedPositions: positions.filter((position, index) => positions.indexOf(position) !== index),
      outOfOrder: this.received.filter(({ n }, index) => index > 0 && n < (this.received[index - 1]?.n ?? 0)),
      misplaced: this.received.filter(
        ({ n, epoch, seq }) => this.positions.has(n) && this.positions.get(n) !== `${epoch}-${seq}`,
      ),
    };
  }

  countOf(outcome: string): number {
    return [...this.outcomes.values()].filter((one) => one === outcome).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.proxy.dropsReplies = this.proxy.refuses = false;
    this.proxy.cut();
    await Promise.all(this.#closing.map((one) => one[Symbol.asyncDispose]()));
    await this.proxy[Symbol.asyncDispose]();
    this.admin.destroy();
    await this.redis.kill();
    await rm(this.#folder, { recursive: true });
  }

  async #listen(): Promise<void> {
    const listener = this.admin.duplicate();
    listener.on('error', () => {});
    await listener.connect();
    await listener.subscribe(this.#channel.name, (text) => {
      const { data, epoch, seq } = JSON.parse(text);
      this.received.push({ n: data.n, epoch, seq });
    });
    this.#closing.push({ [Symbol.asyncDispose]: async () => listener.destroy() });
  }
}

/** `violations` of a run in which every guarantee held. */
export const NO_VIOLATIONS = {
  outcomes: [],
  duplicates: [],
  sharedPositions: [],
  outOfOrder: [],
  misplaced: [],
};

/** Harnesses for the tests of one file. After each test everything in `closing` is closed, newest first. */
export function useWriterHarness() {
  const closing = closeAfterEach();
  return {
    closing,
    async open(args?: readonly string[], channel: Notes = STATE): Promise<WriterHarness> {
      const harness = await WriterHarness.open(channel, args);
      closing.push(() => harness[Symbol.asyncDispose]());
      return harness;
    },
    /** Lease operations on a connection through the proxy. A call of `acquire` claims the lease. */
    async connectedCandidate({ proxy }: WriterHarness) {
      const connection = new RedisConnection({ url: proxy.url, logger: silentLogger });
      closing.push(() => connection.close());
      const lease = connection.publishing.lease(STATE);
      await lease.connect();
      return lease;
    },
    sharedConnection({ redis }: WriterHarness): RedisConnection {
      const connection = new RedisConnection({ url: redis.url, logger: silentLogger });
      closing.push(() => connection.close());
      return connection;
    },
    /** The scripts of claim and resume, on a separate connection. They do not disconnect other writers. */
    async scripts({ redis }: WriterHarness) {
      const client = createRedisClient({
        host: '127.0.0.1',
        port: redis.port,
        db: 0,
        tls: false,
        name: 'scripts',
        connectTimeoutMs: 5_000,
      });
      client.on('error', () => {});
      await client.connect();
      closing.push(() => client.destroy());
      return { client, commands: new LeaseCommands(STATE, 'scripts') };
    },
    /** A candidate that is not started yet, its logger, and a promise that resolves when it gains the lease. */
    candidate(url: string, ttlMs = 60_000) {
      const logger = new RecordingLogger();
      const lease = new RedisLease({ channel: STATE, url, ttlMs, retryMs: 20, logger });
      closing.push(() => lease.close());
      const gained = new Promise<void>((resolve) => lease.on('gained', () => resolve()));
      return { lease, gained, logger };
    },
  };
}

/** Ends the lease on the server as if it had expired. The holder does not notice this. */
export async function expireLease({ admin }: WriterHarness): Promise<void> {
  const now = Date.now();
  await admin.multi().del(LEASE_KEY).hSet(HEAD_KEY, { until: now, ttl: 60_000 }).exec();
}

/** Resolves when the writer has lost its link. */
export const untilDetached = (lease: RedisLease) => until(() => (lease.writer?.room ?? 0) === 0);

/** Resolves when the writer has a link again. */
export const untilAttached = (lease: RedisLease) => until(() => (lease.writer?.room ?? 0) > 0);

/** Creates a user with every right except the one that the ACL rule `right` removes. Returns the URL to log in with. */
export const urlWithout = ({ redis }: WriterHarness, right: string) =>
  createUser(redis, 'narrow', '~*', '&*', '+@all', right);
