// The commands of a lease, as calls of its Lua scripts, and the parsing of their replies.

import { ErrorReply } from 'redis';
import type { ChannelSpec } from '../../../channel/channel.ts';
import { withAuthor } from '../../../channel/definition.ts';
import type { FenceToken, LeaseAttempt } from '../../port.ts';
import type { RedisClient } from '../client.ts';
import { isPermanent } from '../error-mapping.ts';
import { foreignDataError } from '../foreign-data.ts';
import { type ChannelKeys, channelKeys } from '../keys.ts';
import type { LinkSettings } from '../link-settings.ts';
import type { HeadSnapshot, PastEpoch } from '../writers/head-snapshot.ts';
import { retryWhileBusy } from './retry-while-busy.ts';

/** How the holder publishes: with plain commands that its connection fences, or by a script that checks the token. */
type WriterMode = 'plain' | 'token';

/** A claim or a resume whose scripts, `RESERVE_LEASE` and `ACTIVATE_LEASE`, both succeeded. */
interface ActivatedLease {
  readonly state: 'activated';
  readonly token: FenceToken;
  readonly head: HeadSnapshot;
}

interface LostLease {
  readonly state: 'lost';
  /** Ended epochs that the head still records, the latest first. */
  readonly past: readonly PastEpoch[];
}

/** The epoch of a writer with plain commands, and the highest sequence that it knows to be published. */
interface WriterProgress {
  readonly epoch: number;
  readonly published: number;
}

/**
 * A claim and a resume run two scripts, `RESERVE_LEASE` and `ACTIVATE_LEASE`. The caller disconnects other writers
 * between them.
 */
export class LeaseCommands {
  readonly #keys: ChannelKeys;
  /** The definition that the holder records. */
  readonly #definition: string;
  /** Without blanks. */
  readonly #program: string;

  /** @param program the name that the server records for the holder and for its definition */
  constructor(channel: ChannelSpec, program: string) {
    this.#keys = channelKeys(channel);
    this.#program = encodeURIComponent(program);
    this.#definition = channel.definition === undefined ? '' : withAuthor(channel.definition, program);
  }

  /** @param beforeActivation disconnects the other writers */
  async claim(
    client: RedisClient,
    ttlMs: number,
    mode: WriterMode,
    beforeActivation: () => Promise<void> = async () => {},
  ): Promise<ActivatedLease | Exclude<LeaseAttempt, { state: 'held' }>> {
    const nonce = newNonce();
    const [state = '', value = ''] = await this.#reserve(client, nonce, ttlMs, mode, '');
    if (state !== 'reserved') return parseRejection(state, value);
    await beforeActivation();
    const [result, ...head] = await this.#activate(client, nonce, ttlMs, mode, value, ['', '0']);
    if (result !== 'new') return { state: 'taken', leftMs: ttlMs };
    return { state: 'activated', token: Number(value), head: parseHead(head) };
  }

  /** Renews a lease on a new connection of its holder. @param beforeActivation disconnects the other writers */
  async resume(
    client: RedisClient,
    ttlMs: number,
    token: FenceToken,
    writer: WriterProgress,
    beforeActivation: () => Promise<void>,
  ): Promise<ActivatedLease | LostLease> {
    const nonce = newNonce();
    const [state, value = ''] = await this.#reserve(client, nonce, ttlMs, 'plain', String(token));
    if (state !== 'reserved') return { state: 'lost', past: parsePastEpochs(value) };
    await beforeActivation();
    const known = [String(writer.epoch), String(writer.published)] as const;
    const [result, ...head] = await this.#activate(client, nonce, ttlMs, 'plain', String(token), known);
    if (result === 'lost') return { state: 'lost', past: parsePastEpochs(head[0] ?? '') };
    return { state: 'activated', token, head: parseHead(head) };
  }

  /** How the epochs before the present one ended. */
  async pastEpochs(client: RedisClient): Promise<PastEpoch[]> {
    return parsePastEpochs((await client.hGet(this.#keys.head, 'past')) ?? '');
  }

  /**
   * @param writer the progress of a writer with plain commands
   * @returns 1: renewed; 0: lost; 2: renewed, but the server lost messages, so the writer must resume
   */
  renew(client: RedisClient, token: FenceToken, ttlMs: number, writer?: WriterProgress): Promise<unknown> {
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
    return toStrings(await client.reserveLease([head, lease], [nonce, String(ttlMs), token, mode]));
  }

  async #activate(
    client: RedisClient,
    nonce: string,
    ttlMs: number,
    mode: WriterMode,
    token: string,
    known: readonly [epoch: string, published: string],
  ): Promise<string[]> {
    const { head, lease, fence, last, history } = this.#keys;
    const keys = [head, lease, fence('')];
    const caller = [this.#definition, this.#program];
    const args = [nonce, String(ttlMs), token, mode, ...known, ...caller, last, history];
    return toStrings(await retryWhileBusy(ttlMs, () => client.activateLease(keys, args)));
  }
}

/**
 * Resolves as lost if the server replied that the keys of the lease cannot be used until somebody changes them, or a
 * permission. A partition is resumed in this way, so that the others can use the connection.
 */
export async function lostIfUnusable<T>(
  resuming: Promise<T>,
  settings: LinkSettings,
): Promise<T | LostLease> {
  try {
    return await resuming;
  } catch (error) {
    const isUnusable = isPermanent(error) || foreignDataError(error, settings) !== undefined;
    if (error instanceof ErrorReply && isUnusable) return { state: 'lost', past: [] };
    throw error;
  }
}

/** The name of this program on its connections, such as `vm-1-4711`. */
export function programOf({ name }: Pick<LinkSettings, 'name'>): string {
  return name.replace(/^tickbus:/, '').replace(/:[a-z]+$/, '');
}

/** For the result of a claim. */
export function replacedBy({ head: { replaced } }: ActivatedLease): { replaced?: string } {
  return replaced === undefined ? {} : { replaced };
}

const BARRED =
  'Its last holder publishes with plain commands and did not release it. This candidate cannot disconnect that holder.';

function parseRejection(state: string, left: string): Exclude<LeaseAttempt, { state: 'held' }> {
  const leftMs = Number(left);
  if (state === 'holding_off') return { state, leftMs };
  if (state === 'barred') return { state, leftMs, reason: BARRED };
  return { state: 'taken', leftMs };
}

/** As `ACTIVATE_LEASE` returns it. The sequence and the marks follow only if the epoch continues. */
function parseHead([
  epoch,
  micros,
  partitions,
  replaced,
  seq = '0',
  ...marks
]: readonly string[]): HeadSnapshot {
  return {
    epoch: Number(epoch),
    seq: Number(seq),
    marks: marks.map(Number),
    serverAt: Number(micros) / 1_000,
    ...(partitions === '' ? {} : { partitions: Number(partitions) }),
    ...(replaced ? { replaced } : {}),
  };
}

function parsePastEpochs(text: string): PastEpoch[] {
  const ended = text === '' ? [] : text.split(';');
  return ended.map((fields) => {
    const [epoch, seq, isKnown, marks = ''] = fields.split(':');
    return {
      epoch: Number(epoch),
      seq: Number(seq),
      isKnown: isKnown === '1',
      marks: marks.split(',').map(Number),
    };
  });
}

/** Ties the activation to its reservation. */
function newNonce(): string {
  return `${process.pid}-${Math.random().toString(36).slice(2)}`;
}

function toStrings(reply: unknown): string[] {
  return Array.isArray(reply) ? reply.map(String) : [];
}
