// The connection of the exclusive writers of a channel and of its partitions.

import type { ChannelSpec } from '../../../channel/channel.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { RedisClient } from '../client.ts';
import { channelKeys } from '../keys.ts';
import type { LinkSettings } from '../link-settings.ts';
import { RedisLink } from '../redis-link.ts';
import { disconnectOtherWriters, findFenceObstacle, watchFence } from './connection-fence.ts';

/** A lease whose exclusive writer publishes on the connection. */
export interface ConnectedLease {
  /** Settles what was in flight on the former connection. */
  prepare(client: RedisClient): Promise<void>;
}

/**
 * The lease of the channel fences the connection, by its name and by the fence of its epoch. A partition on the same
 * server shares connection and fence. A program publishes on it only while it holds the lease of the channel. To
 * acquire that lease, it disconnected the former holder and deleted its fence.
 */
export class WriterConnection {
  readonly link: RedisLink;
  readonly #channel: ChannelSpec;
  readonly #settings: LinkSettings;
  /**
   * The name of a connection that writes this channel, in ASCII. It contains the database number, because all databases
   * share one list of connections.
   */
  readonly #writerName: string;
  readonly #partitions = new Set<ConnectedLease>();
  #obstacle: string | undefined;
  #fence: string | undefined;

  /** @param own the lease of the channel, which is prepared before those of the partitions */
  constructor(channel: ChannelSpec, settings: LinkSettings, logger: Logger, own: ConnectedLease) {
    this.#channel = channel;
    this.#settings = settings;
    this.#writerName = `tickbus:${settings.db}:${encodeURIComponent(channel.name)}`;
    this.link = new RedisLink(settings, logger, async (client) => {
      this.#fence = undefined;
      await own.prepare(client);
      await Promise.all(Array.from(this.#partitions, (partition) => partition.prepare(client)));
    });
  }

  /** Why this connection cannot write exclusively, as of the last check; undefined if it can. */
  get obstacle(): string | undefined {
    return this.#obstacle;
  }

  /** The key that stops all writers of this connection when it is deleted; undefined unless they may publish. */
  get fence(): string | undefined {
    return this.#fence;
  }

  add(partition: ConnectedLease): void {
    this.#partitions.add(partition);
  }

  remove(partition: ConnectedLease): void {
    this.#partitions.delete(partition);
  }

  /** Disconnects all other writers of the channel and its partitions. */
  disconnectOthers(client: RedisClient, ttlMs: number): Promise<void> {
    return disconnectOtherWriters(client, this.#writerName, ttlMs);
  }

  /** From now on the server executes a transaction only while this epoch of the channel is current. */
  async watch(client: RedisClient, epoch: number): Promise<void> {
    const fence = channelKeys(this.#channel).fence(epoch);
    await watchFence(client, fence);
    this.#fence = fence;
  }

  /**
   * The lease of the channel has ended. The next holder disconnects every connection with the name of the writer, so
   * this connection gives up that name.
   */
  async giveUp(client: RedisClient): Promise<void> {
    this.#fence = undefined;
    await client.sendCommand(['CLIENT', 'SETNAME', this.#settings.name]);
  }

  /** Takes a name that no holder disconnects, because a candidate writes nothing. Checks the permissions again. */
  async becomeCandidate(client: RedisClient): Promise<void> {
    // A new connection has this name already, and its user may lack the permission for SETNAME.
    await this.giveUp(client).catch(() => {});
    const fence = channelKeys(this.#channel).fence(0);
    this.#obstacle = await findFenceObstacle(client, this.#settings.name, fence);
  }
}
