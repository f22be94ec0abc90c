// Confirmation of published batches by replicas: WAIT, on the connection that published them.

import { TickbusError } from '../../../errors.ts';
import { printable } from '../../../runtime/printable.ts';
import type { Confirmation } from '../../port.ts';
import type { RedisAddress } from '../address.ts';
import type { RedisClient } from '../client.ts';
import { redact } from '../redact.ts';

/**
 * Milliseconds for which the unanswered WAITs of a connection can block it. Other commands, such as the renewal of a
 * lease or a ping, are executed between two of them.
 */
const BLOCKED_MS = 100;

const ofClients = new WeakMap<RedisClient, ReplicaWait>();

export interface TimedConfirmation extends Confirmation {
  /** When `withinMs` ends (monotonic, in milliseconds). */
  readonly until: number;
}

/** The WAITs of one connection. */
export class ReplicaWait {
  readonly #client: RedisClient;
  #isAllowed = false;
  #unanswered = 0;

  private constructor(client: RedisClient) {
    this.#client = client;
  }

  static on(client: RedisClient): ReplicaWait {
    const wait = ofClients.get(client) ?? new ReplicaWait(client);
    ofClients.set(client, wait);
    return wait;
  }

  /** Whether `requirePermission` has succeeded. */
  get isAllowed(): boolean {
    return this.#isAllowed;
  }

  /** Rejects with the reply of the server if the user may not use WAIT, or the server does not have it. */
  async requirePermission(): Promise<void> {
    if (this.#isAllowed) return;
    // Returns at once, because no replica is needed.
    await this.#client.sendCommand(['WAIT', '0', '0']);
    this.#isAllowed = true;
  }

  /**
   * Resolves with the number of replicas that have everything that the server had executed before the call: enough, or
   * too few at `until`. Sends the first WAIT at once.
   */
  async confirm({ replicas, until }: TimedConfirmation): Promise<number> {
    for (;;) {
      const confirmed = await this.#wait(replicas, until - performance.now());
      if (confirmed >= replicas || performance.now() >= until) return confirmed;
    }
  }

  async #wait(replicas: number, leftMs: number): Promise<number> {
    // 0 would mean forever.
    const ms = Math.max(1, Math.floor(Math.min(leftMs, BLOCKED_MS / ++this.#unanswered)));
    try {
      return await this.#client.sendCommand<number>(['WAIT', String(replicas), String(ms)]);
    } finally {
      this.#unanswered--;
    }
  }
}

/**
 * Runs `publish`, and resolves with its result when replicas have confirmed what it published.
 *
 * @throws TickbusError `TICKBUS_OUTCOME_UNKNOWN` if too few have in time, or the link was lost before
 */
export async function confirmed<T>(
  client: RedisClient,
  publish: () => Promise<T>,
  confirmation: Confirmation,
  unconfirmed: (reason: string) => TickbusError,
): Promise<T> {
  const until = performance.now() + confirmation.withinMs;
  const result = await publish();
  const count = await ReplicaWait.on(client)
    .confirm({ ...confirmation, until })
    .catch((error: unknown) => {
      throw unconfirmed(reasonOf(error));
    });
  if (count < confirmation.replicas) throw unconfirmed(tooFew(count, confirmation));
  return result;
}

export function tooFew(count: number, { replicas, withinMs }: Confirmation): string {
  const needed = replicas === 1 ? '1 replica' : `${replicas} replicas`;
  return `${count} of ${needed} confirmed it within ${Math.round(withinMs)} ms`;
}

/** Why a WAIT has no result. */
export function reasonOf(error: unknown): string {
  return `a WAIT for its replicas failed (${error instanceof Error ? error.message : String(error)})`;
}

/** The error of messages that the master has published. */
export function unconfirmedError(channel: string, reason: string, { password }: RedisAddress): TickbusError {
  const text =
    `Published on ${channel}, but ${printable(redact(reason, password), 1_000)}. If the master fails before a replica ` +
    'has the messages, they are lost, which subscribers report as a gap. Check the replicas (`INFO replication`).';
  return new TickbusError('TICKBUS_OUTCOME_UNKNOWN', text);
}
