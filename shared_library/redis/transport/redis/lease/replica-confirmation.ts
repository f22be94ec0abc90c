// Confirms grants and renewals of a lease by replicas, so that a master that was replaced unnoticed cannot give any.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ChannelSpec } from '../../../channel/channel.ts';
import { TickbusError } from '../../../errors.ts';
import { formatAddress } from '../address.ts';
import type { RedisClient } from '../client.ts';
import { notConnectedError } from '../error-mapping.ts';
import type { LinkSettings } from '../link-settings.ts';

/** Replicas have this share of the TTL to confirm, so that a holder can try again before its lease expires. */
const WAIT_PER_TTL = 1 / 6;
/** Milliseconds that they have at least. A confirmation takes less than one in a quiet network, more on a busy host. */
const MIN_WAIT_MS = 250;

/**
 * A master that is cut off from its replicas and from the sentinels does not know that a replica has been promoted. It
 * would go on granting and renewing leases, beside the new master. So a grant or a renewal counts only if:
 *
 * 1. `replicas` replicas have confirmed it. A promoted replica confirms nothing to its former master.
 * 2. After that, no sentinel names another master. This covers the moment in which the other replicas have not heard of
 *    the promotion yet.
 *
 * The new master withholds the lease for one TTL (`holding_off`), because it is on another branch. Every lease that was
 * confirmed before the promotion has expired by then.
 *
 * If fewer replicas confirm than the master has, a partition that leaves the holder, the master and one replica on one
 * side, and all sentinels on the other, can still lead to two holders.
 */
export class ReplicaConfirmation {
  readonly #channel: ChannelSpec;
  readonly #replicas: number;
  readonly #settings: LinkSettings;

  /** @param replicas 0: nothing is confirmed */
  constructor(channel: ChannelSpec, replicas: number, settings: LinkSettings) {
    this.#channel = channel;
    this.#replicas = replicas;
    this.#settings = settings;
  }

  /** Rejects if the server has too few replicas. So a claim that cannot be confirmed changes nothing on the server. */
  async requireReplicas(client: RedisClient): Promise<void> {
    if (this.#replicas === 0) return;
    const info = String(await client.sendCommand(['INFO', 'replication']));
    const online = info.match(/^slave\d+:.*state=online/gm) ?? [];
    if (online.length < this.#replicas) throw this.#unsafe(`${online.length} are connected to the master`);
  }

  /** Rejects unless everything that this connection has written is confirmed. */
  async confirm(client: RedisClient, ttlMs: number): Promise<void> {
    if (this.#replicas === 0) return;
    const waitMs = Math.max(MIN_WAIT_MS, Math.floor(ttlMs * WAIT_PER_TTL));
    const confirmed = await client.sendCommand<number>(['WAIT', String(this.#replicas), String(waitMs)]);
    if (confirmed < this.#replicas) throw this.#unsafe(`${confirmed} confirmed it within ${waitMs} ms`);
    // If the sentinels name another master, they move the link, which closes this connection.
    const recheck = this.#settings.locator?.recheck?.();
    if (recheck !== undefined) await Promise.race([recheck, sleep(waitMs, undefined, { ref: false })]);
    if (!client.isReady) throw notConnectedError(this.#settings);
  }

  #unsafe(found: string): TickbusError {
    const needed = this.#replicas === 1 ? '1 replica' : `${this.#replicas} replicas`;
    return new TickbusError(
      'TICKBUS_SERVER_ERROR',
      `The lease of ${this.#channel.name} on ${formatAddress(this.#settings)} needs ${needed}, and ${found}: after a ` +
        'failover, two processes could hold it, so this one does not. Start or reconnect a replica. To accept the ' +
        'risk, set `replicas` of the lease, or LEASE_REPLICAS of the gateway, to 0.',
    );
  }
}
