// The server that is inspected, or the nodes of a cluster, over links of their own.

import type { TickbusError } from '../../../errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { formatPlace, type Place } from '../address.ts';
import type { RedisClient } from '../client.ts';
import { ChannelLocator } from '../cluster/channel-locator.ts';
import { ClusterTopology } from '../cluster/cluster-topology.ts';
import type { SlotRange } from '../cluster/cluster-view.ts';
import type { LinkSettings } from '../link-settings.ts';
import { RedisLink } from '../redis-link.ts';

export interface InspectedServers {
  /** @throws TickbusError as `RedisLink.connect` */
  connect(): Promise<void>;
  /** A server that stands for all: on a cluster, the settings of one node are reported. */
  any(): RedisClient;
  /** The server of a channel. */
  of(channel: string): Promise<RedisClient>;
  /** Every server on which channels are published. */
  all(): Promise<RedisClient[]>;
  /** As `all`. A server that cannot be used has an error in place of its client. */
  each(): Promise<readonly InspectedServer[]>;
  /** The slots of a cluster that have an owner; undefined for a single server. */
  readonly ranges: readonly SlotRange[] | undefined;
  close(): void;
}

/** A server, and a client that is connected to it or the reason why it is not. */
interface InspectedServer {
  readonly place: Place;
  readonly client: RedisClient | TickbusError;
}

export function inspectedServers(settings: LinkSettings, logger: Logger): InspectedServers {
  return settings.cluster === undefined
    ? new SingleServer(settings, logger)
    : new ClusterMasters(settings, logger);
}

class SingleServer implements InspectedServers {
  readonly ranges = undefined;
  readonly #place: Place;
  readonly #link: RedisLink;

  constructor(settings: LinkSettings, logger: Logger) {
    this.#place = settings;
    this.#link = new RedisLink(settings, logger, async () => {});
  }

  connect(): Promise<void> {
    return this.#link.connect();
  }

  any(): RedisClient {
    return this.#link.client;
  }

  async of(): Promise<RedisClient> {
    return this.any();
  }

  async all(): Promise<RedisClient[]> {
    return [this.any()];
  }

  async each(): Promise<InspectedServer[]> {
    return [{ place: this.#place, client: this.any() }];
  }

  close(): void {
    this.#link.close();
  }
}

class ClusterMasters implements InspectedServers {
  readonly #settings: LinkSettings;
  readonly #logger: Logger;
  readonly #topology: ClusterTopology;
  readonly #links = new Map<string, RedisLink>();
  /** Connected by `connect`. */
  #first: RedisLink;

  constructor(settings: LinkSettings, logger: Logger) {
    this.#settings = settings;
    this.#logger = logger;
    this.#topology = new ClusterTopology(settings, logger);
    this.#first = this.#linkTo(settings);
  }

  async connect(): Promise<void> {
    await this.#topology.refresh();
    const links = this.#topology.owners.map((place) => this.#linkTo(place));
    // One node is enough: the others can be down.
    this.#first = await Promise.any(
      links.map(async (link) => {
        await link.connect();
        return link;
      }),
    ).catch((error: AggregateError) => {
      throw error.errors[0];
    });
  }

  any(): RedisClient {
    return this.#first.client;
  }

  async of(channel: string): Promise<RedisClient> {
    const locator = new ChannelLocator(channel, this.#topology, this.#settings);
    return this.#clientOf(await locator.locate());
  }

  all(): Promise<RedisClient[]> {
    return Promise.all(this.#topology.owners.map((place) => this.#clientOf(place)));
  }

  each(): Promise<InspectedServer[]> {
    return Promise.all(
      this.#topology.owners.map(async (place) => ({
        place,
        client: await this.#clientOf(place).catch((error: TickbusError) => error),
      })),
    );
  }

  get ranges(): readonly SlotRange[] {
    return this.#topology.ranges;
  }

  close(): void {
    this.#topology.close();
    for (const link of this.#links.values()) link.close();
  }

  async #clientOf(place: Place): Promise<RedisClient> {
    const link = this.#linkTo(place);
    await link.connect();
    return link.client;
  }

  #linkTo({ host, port }: Place): RedisLink {
    const name = formatPlace({ host, port });
    const { cluster: _cluster, ...server } = this.#settings;
    const link =
      this.#links.get(name) ?? new RedisLink({ ...server, host, port }, this.#logger, async () => {});
    this.#links.set(name, link);
    return link;
  }
}
