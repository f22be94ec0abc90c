// The commands of a lease, and the lease of a job, or of a channel that is published on by script: the token is the fence.

import type { ChannelSpec } from '../../../channel/channel.ts';
import type { Unsubscribe } from '../../../runtime/emitter.ts';
import type { FenceToken, LeaseAttempt, LeaseOperations, Transport } from '../../port.ts';
import type { RedisClient } from '../client.ts';
import { isBusy } from '../error-mapping.ts';
import { type ChannelKeys, channelKeys } from '../scripts.ts';

/** How the holder publishes: with plain commands that its connection fences, or by a script that checks the token. */
type WriterMode = 'plain' | 'token';

/** A claim or a resume that went through both scripts: what TAKE_UP replied, behind its first word. */
interface TakenUp {
  readonly state: 'taken_up';
  readonly token: FenceToken;
  /** Epoch, time in microseconds, and for an epoch that goes on the sequence and the marks. */
  readonly head: readonly string[];
}

interface Lost {
  readonly state: 'lost';
  /** The epochs that have ended, as the head keeps them. */
  readonly past: string;
}

/** The epoch of a writer with plain commands, and the highest seq that it knows to be published. */
interface WriterPlace {
  readonly epoch: number;
  readonly published: number;
}

/** The two scripts of a claim and of a resume, with what has to happen between them; renewal and release. */
export class LeaseCommands {
  readonly #keys: ChannelKeys;

  constructor(channel: ChannelSpec) {
    this.#keys = channelKeys(channel);
  }

  /** @param between disconnects the other writers */
  async claim(
    client: RedisClient,
    ttlMs: number,
    mode: WriterMode,
    between: () => Promise<void> = async () => {},
  ): Promise<TakenUp | Exclude<LeaseAttempt, { state: 'held' }>> {
    const nonce = newNonce();
    const [state = '', value = ''] = await this.#reserve(client, nonce, ttlMs, mode, '');
    if (state !== 'reserved') return refusalFrom(state, value);
    await between();
    const [result, ...head] = await this.#takeUp(client, nonce, ttlMs, mode, value, ['', '0']);
    if (result !== 'new') return { state: 'taken', leftMs: ttlMs };
    return { state: 'taken_up', token: Number(value), head };
  }

  /** @param writer where the caller knows the channel to stand */
  async resume(
    client: RedisClient,
    ttlMs: number,
    token: FenceToken,
    writer: WriterPlace,
    between: () => Promise<void>,
  ): Promise<TakenUp | Lost> {
    const nonce = newNonce();
    const [state, value = ''] = await this.#reserve(client, nonce, ttlMs, 'plain', String(token));
    if (state !== 'reserved') return { state: 'lost', past: value };
    await between();
    const known = [String(writer.epoch), String(writer.published)] as const;
    const [result, ...head] = await this.#takeUp(client, nonce, ttlMs, 'plain', String(token), known);
    if (result === 'lost') return { state: 'lost', past: head[0] ?? '' };
    return { state: 'taken_up', token, head };
  }

  /** @param writer where a writer with plain commands knows the channel to stand */
  renew(client: RedisClient, token: FenceToken, ttlMs: number, writer?: WriterPlace): Promise<unknown> {
    const { head, lease } = this.#keys;
    const known = writer === undefined ? ['', '0'] : [String(writer.epoch), String(writer.published)];
    return client.renewLease([head, lease], [String(token), String(ttlMs), ...known]);
  }

  async release(client: RedisClient, token: FenceToken): Promise<boolean> {
    const { head, lease } = this.#keys;
    return (await client.releaseLease([head, lease], [String(token)])) === 1;
  }

  async #reserve(
    client: RedisClient,
    nonce: string,
    ttlMs: number,
    mode: WriterMode,
    token: string,
  ): Promise<string[]> {
    const { head, lease } = this.#keys;
    return texts(await client.reserveLease([head, lease], [nonce, String(ttlMs), token, mode]));
  }

  async #takeUp(
    client: RedisClient,
    nonce: string,
    ttlMs: number,
    mode: WriterMode,
    token: string,
    known: readonly [epoch: string, published: string],
  ): Promise<string[]> {
    const { head, lease, fence } = this.#keys;
    const args = [nonce, String(ttlMs), token, mode, ...known];
    return texts(await whileBusy(ttlMs, () => client.takeUpLease([head, lease, fence('')], args)));
  }
}

/** A lease over the link of a transport: of a job, or of a channel whose holder publishes by script. */
export class TokenLease implements LeaseOperations {
  readonly #transport: Pick<Transport, 'connect' | 'onStatus'>;
  readonly #run: <T>(command: (client: RedisClient) => Promise<T>) => Promise<T>;
  readonly #commands: LeaseCommands;

  constructor(
    channel: ChannelSpec,
    transport: Pick<Transport, 'connect' | 'onStatus'>,
    run: <T>(command: (client: RedisClient) => Promise<T>) => Promise<T>,
  ) {
    this.#transport = transport;
    this.#run = run;
    this.#commands = new LeaseCommands(channel);
  }

  connect(): Promise<void> {
    return this.#transport.connect();
  }

  async acquire(ttlMs: number): Promise<LeaseAttempt> {
    const claimed = await this.#run((client) => this.#commands.claim(client, ttlMs, 'token'));
    return claimed.state === 'taken_up' ? { state: 'held', token: claimed.token } : claimed;
  }

  renew(token: FenceToken, ttlMs: number): Promise<boolean> {
    return this.#run(async (client) => (await this.#commands.renew(client, token, ttlMs)) !== 0);
  }

  release(token: FenceToken): Promise<boolean> {
    return this.#run((client) => this.#commands.release(client, token));
  }

  onConnected(listener: () => void): Unsubscribe {
    return this.#transport.onStatus(({ type }) => {
      if (type === 'connected') listener();
    });
  }

  async close(): Promise<void> {}
}

const BARRED =
  'Its last holder publishes with plain commands and did not release it, and this candidate cannot disconnect that holder.';

function refusalFrom(state: string, left: string): Exclude<LeaseAttempt, { state: 'held' }> {
  const leftMs = Number(left);
  if (state === 'holding_off') return { state, leftMs };
  if (state === 'barred') return { state, leftMs, reason: BARRED };
  return { state: 'taken', leftMs };
}

/** Milliseconds between two tries while a script of somebody else keeps the server busy. */
const BUSY_RETRY_MS = 50;

/** Repeats what the server refuses because a script is running, for so many milliseconds. */
export async function whileBusy<T>(ms: number, action: () => Promise<T>): Promise<T> {
  for (const until = performance.now() + ms; ; ) {
    try {
      return await action();
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, BUSY_RETRY_MS));
    }
  }
}

/** By which the second script knows the first. */
function newNonce(): string {
  return `${process.pid}-${Math.random().toString(36).slice(2)}`;
}

function texts(reply: unknown): string[] {
  return Array.isArray(reply) ? reply.map(String) : [];
}
