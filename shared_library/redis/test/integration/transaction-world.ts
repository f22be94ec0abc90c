// What the tests of transactions have: a server, a channel of last values that ends with call `a`, and clients that end with the test.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { createClient } from 'redis';
import type { RedisClient } from '../../adapters/redis/client.ts';
import { publishCall, type TransactionCall } from '../../adapters/redis/publish-call.ts';
import { publishTransaction } from '../../adapters/redis/publish-transaction.ts';
import type { ChannelSpec } from '../../core/channel.ts';
import { batch } from '../contracts/transport-bench.ts';

export const CHANNEL: ChannelSpec = { name: 'PRICES', kind: 'state', history: 0 };
export const HEAD = 'tickbus:{PRICES}:head';
export const LEASE = 'tickbus:{PRICES}:lease';
export const LAST = 'tickbus:{PRICES}:last';
export const FRAMES = 'tickbus:{PRICES}:frames';
export const EPOCH = 1_700_000_000_000;
export const END = { epoch: EPOCH, seq: 41 };
/** Messages of a batch. */
export const COUNT = 20;

const newClient = (url: string) =>
  createClient({ url, RESP: 3, commandOptions: { timeout: 0 } }).on('error', () => {});

export class TransactionWorld {
  redis!: LocalRedis;
  /** The one that looks on. */
  admin!: ReturnType<typeof newClient>;
  readonly #clients: ReturnType<typeof newClient>[] = [];

  async open(): Promise<void> {
    this.redis = await startLocalRedis();
    this.admin = await newClient(this.redis.url).connect();
  }

  async close(): Promise<void> {
    this.admin.destroy();
    await this.redis.kill();
  }

  /** The channel as it is before a transaction. */
  async reset(): Promise<void> {
    await this.admin.flushAll();
    await this.admin.hSet(HEAD, { ...END, call: 'a' });
    await this.admin.hSet(LAST, 'key-of-before', 'before');
  }

  /** A client that ends with the test. */
  async connected(user?: string) {
    const { url } = this.redis;
    const client = newClient(user === undefined ? url : url.replace('//', `//${user}:pw@`));
    this.#clients.push(client);
    return client.connect();
  }

  /** One to publish by. */
  async publishing(user?: string): Promise<RedisClient> {
    return (await this.connected(user)) as unknown as RedisClient;
  }

  endClients(): void {
    for (const client of this.#clients.splice(0)) client.destroy();
  }
}

export interface Change {
  readonly call?: string;
  readonly after?: Partial<{ call: string; epoch: number; seq: number }>;
  readonly fence?: number;
  readonly stamp?: number;
  readonly channel?: ChannelSpec;
  readonly messages?: Parameters<typeof publishCall>[1];
}

/** A batch that can pass, but for what is changed. The lower end of what a stamp may be leaves a call the most time. */
export function callWith(change: Change = {}): TransactionCall {
  const { call = 'b', after, fence, stamp = Date.now(), channel = CHANNEL, messages = batch(COUNT) } = change;
  const { call: name = 'a', ...end } = { ...END, ...after };
  const terms = { call, after: { call: name, end, isRequired: true }, fence, stamp };
  const made = publishCall(channel, messages, { ...terms, way: 'transaction' });
  if (made.script !== 'transaction') throw new Error('It does not go out as a transaction.');
  return made;
}

/** On a busy machine a call can take longer than its stamp allows: then it is made again. */
export async function published(by: RedisClient, change: Change = {}) {
  for (let attempt = 0; attempt < 50; attempt++) {
    const answer = await publishTransaction(by, callWith(change));
    if (answer.receipt !== undefined) return answer;
  }
  throw new Error('No transaction passes.');
}
