// Finds the node of a cluster that serves a channel.

import { lookup } from 'node:dns/promises';
import { TickbusError } from '../../../errors.ts';
import type { Unsubscribe } from '../../../runtime/emitter.ts';
import { formatAddress, type Place, type RedisAddress } from '../address.ts';
import type { RedisClient } from '../client.ts';
import { slotRefusal } from '../error-replies.ts';
import { channelKeys } from '../keys.ts';
import type { MovableLink, ServerLocator } from '../link-settings.ts';
import type { ClusterTopology } from './cluster-topology.ts';
import { keySlot } from './key-slot.ts';

/** The links of one channel and of its lease share one locator. */
export class ChannelLocator implements ServerLocator {
  readonly #channel: string;
  readonly #slot: number;
  readonly #topology: ClusterTopology;
  readonly #address: RedisAddress;

  constructor(channel: string, topology: ClusterTopology, address: RedisAddress) {
    this.#channel = channel;
    this.#slot = keySlot(channel);
    this.#topology = topology;
    this.#address = address;
  }

  async locate(): Promise<Place> {
    await this.#topology.refresh();
    const place = this.#topology.ownerOf(this.#slot);
    if (place !== undefined) return this.#resolvable(place);
    const text =
      `No node of the cluster at ${formatAddress(this.#address)} serves slot ${this.#slot} of ${this.#channel}, so the ` +
      'channel can be neither published on nor read. Assign the slot: `redis-cli --cluster fix`.';
    throw new TickbusError('TICKBUS_SERVER_ERROR', text);
  }

  async #resolvable(place: Place): Promise<Place> {
    try {
      await lookup(place.host);
      return place;
    } catch (cause) {
      const text =
        `The cluster announces ${place.host} as the node of ${this.#channel}, and this machine cannot resolve the name, ` +
        'so the channel cannot be reached. Make the name known here, or let the nodes announce addresses ' +
        '(cluster-announce-ip, cluster-preferred-endpoint-type ip).';
      throw new TickbusError('TICKBUS_CONNECT_FAILED', text, { cause });
    }
  }

  /** Only the master of the slot executes the command, and only while it belongs to the cluster. */
  async verify(client: RedisClient): Promise<void> {
    try {
      await client.sendCommand(['HMGET', channelKeys({ name: this.#channel }).head, 'epoch']);
    } catch (error) {
      // Other errors, such as a missing permission, are reported where the key is used.
      if (slotRefusal(error) !== undefined) throw error;
    }
  }

  watch(link: MovableLink): Unsubscribe {
    return this.#topology.onRefreshed(() => {
      const place = this.#topology.ownerOf(this.#slot);
      if (place !== undefined) link.moveTo(place);
    });
  }

  recheck(): Promise<void> {
    return this.#topology.recheck();
  }
}
