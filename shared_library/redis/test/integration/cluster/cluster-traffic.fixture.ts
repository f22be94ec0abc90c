// Traffic on several channels of a cluster.

import { Traffic } from '@tickbus/fault-kit/traffic';
import type { ClusterNode, LocalCluster } from '@tickbus/local-redis/cluster';
import { silentLogger as logger } from '@tickbus/test-kit';
import { z } from 'zod';
import { defineChannel, RedisPublisher, type RedisPublisherOptions } from '../../../index.ts';

const messages = { note: z.object({ key: z.string(), n: z.number() }) };

/** With three masters of as many slots, the first three share a node, and the others are on one each. */
export const FILLS = defineChannel('CLUSTER_FILLS', { kind: 'event', key: 'key', history: 20_000, messages });
export const ALERTS = defineChannel('CLUSTER_ALERTS', { kind: 'event', key: 'key', messages });
export const BONDS = defineChannel('BONDS', { kind: 'state', key: 'key', messages });
export const TICKS = defineChannel('CLUSTER_TICKS', { kind: 'state', key: 'key', messages });
export const ORDERS = defineChannel('CLUSTER_ORDERS', { kind: 'command', key: 'key', messages });
export const LEASED = defineChannel('CLUSTER_LEASED', {
  kind: 'event',
  key: 'key',
  history: 20_000,
  messages,
});

type TrafficChannel = typeof FILLS | typeof BONDS | typeof ORDERS;

const CHANNELS: readonly TrafficChannel[] = [FILLS, ALERTS, BONDS, TICKS, ORDERS];

/** Traffic with one publisher. */
export class ClusterTraffic extends Traffic<TrafficChannel> {
  readonly #publisher: RedisPublisher;

  constructor(
    { url }: LocalCluster,
    channels = CHANNELS,
    options: Pick<RedisPublisherOptions, 'lease'> = {},
  ) {
    const publisher = new RedisPublisher({ url, logger, sender: 'publisher', ...options });
    super({ url, channels, publish: (channel, payload) => publisher.publish(channel, payload), logger });
    this.#publisher = publisher;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await this.#publisher.close();
  }
}

/** The channels that this node serves. */
export async function channelsOf(cluster: LocalCluster, node: ClusterNode): Promise<TrafficChannel[]> {
  const owners = await Promise.all(CHANNELS.map(({ name }) => cluster.ownerOf(name)));
  return CHANNELS.filter((_, index) => owners[index] === node);
}
