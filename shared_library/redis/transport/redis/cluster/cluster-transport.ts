// The transport port on a cluster: each channel has an ordinary link of its own, to the node that serves it.

import type { ChannelSpec } from '../../../channel/channel.ts';
import { TickbusError } from '../../../errors.ts';
import { Emitter, type Unsubscribe } from '../../../runtime/emitter.ts';
import { areTimersFake } from '../../../runtime/fake-timers.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Position } from '../../../wire/position.ts';
import type { Adoption, PlainMessage } from '../../adoption-port.ts';
import type { DemandOperations } from '../../demand-port.ts';
import type { HistoryPage, HistoryQuery } from '../../history-port.ts';
import type { ChannelLinkStatus, LinkStatus } from '../../link-status.ts';
import type {
  ChannelHead,
  ChannelState,
  LeaseOperations,
  ReadOptions,
  Receipt,
  Transport,
} from '../../port.ts';
import { checkFakeTimers } from '../fake-timers-guard.ts';
import type { LinkSettings } from '../link-settings.ts';
import { ChannelLink } from './channel-link.ts';
import type { ClusterTopology } from './cluster-topology.ts';

/**
 * `connect` finds the cluster. The link of a channel connects on first use; its states carry the name of the channel.
 * The messages and replies of one channel share one connection, so a reply is a barrier as on a single server.
 */
export class ClusterTransport implements Transport {
  readonly byChannel = true;
  readonly #settings: LinkSettings;
  readonly #logger: Logger;
  readonly #topology: ClusterTopology;
  readonly #status: Emitter<{ status: LinkStatus | ChannelLinkStatus }>;
  readonly #links = new Map<string, ChannelLink>();
  #connecting: Promise<void> | undefined;
  #isClosed = false;

  constructor(settings: LinkSettings, logger: Logger, topology: ClusterTopology) {
    this.#settings = settings;
    this.#logger = logger;
    this.#topology = topology;
    this.#status = new Emitter((err) => logger.error({ err }, 'A link listener threw.'));
  }

  async connect(): Promise<void> {
    this.#assertOpen();
    this.#connecting ??= this.#connect();
    await this.#connecting;
    await Promise.all(Array.from(this.#links.values(), (link) => link.revive()));
  }

  async publish(channel: ChannelSpec, ...call: Tail<Parameters<Transport['publish']>>): Promise<Receipt> {
    return (await this.#ready(channel)).publish(channel, ...call);
  }

  async adopt(channel: ChannelSpec, messages: readonly PlainMessage[]): Promise<readonly Adoption[]> {
    return (await this.#ready(channel)).adopt(channel, messages);
  }

  async subscribe(
    channel: ChannelSpec,
    ...call: Tail<Parameters<Transport['subscribe']>>
  ): Promise<Unsubscribe> {
    return (await this.#ready(channel)).subscribe(channel, ...call);
  }

  async areListenersNamed(channel: ChannelSpec): Promise<boolean | undefined> {
    return (await this.#ready(channel)).areListenersNamed(channel);
  }

  async read(channel: ChannelSpec, since?: Position, options?: ReadOptions): Promise<ChannelState> {
    return (await this.#ready(channel)).read(channel, since, options);
  }

  async readHistory(channel: ChannelSpec, query: HistoryQuery): Promise<HistoryPage> {
    return (await this.#ready(channel)).readHistory(channel, query);
  }

  async head(channel: ChannelSpec): Promise<ChannelHead> {
    return (await this.#ready(channel)).head(channel);
  }

  async complain(channel: ChannelSpec, text: string): Promise<void> {
    return (await this.#ready(channel)).complain(channel, text);
  }

  async setPartitions(
    channel: ChannelSpec,
    ...call: Tail<Parameters<Transport['setPartitions']>>
  ): Promise<number> {
    return (await this.#ready(channel)).setPartitions(channel, ...call);
  }

  lease(channel: ChannelSpec, replicas?: number): LeaseOperations {
    return this.#linkOf(channel).transport.lease(channel, replicas);
  }

  demand(channel: ChannelSpec): DemandOperations {
    const operations = this.#linkOf(channel).transport.demand(channel);
    return {
      declare: async (...call) => {
        await this.#ready(channel);
        return operations.declare(...call);
      },
      withdraw: async (...call) => {
        await this.#ready(channel);
        return operations.withdraw(...call);
      },
      wanted: async () => {
        await this.#ready(channel);
        return operations.wanted();
      },
    };
  }

  onStatus(listener: (status: LinkStatus | ChannelLinkStatus) => void): Unsubscribe {
    return this.#status.on('status', listener);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all(Array.from(this.#links.values(), (link) => link.close()));
    this.#status.emit('status', { type: 'closed' });
    this.#status.clear();
  }

  async #connect(): Promise<void> {
    this.#status.emit('status', { type: 'connecting' });
    try {
      if (areTimersFake()) await checkFakeTimers();
      await this.#topology.refresh();
    } catch (error) {
      this.#connecting = undefined;
      this.#assertOpen();
      this.#status.emit('status', { type: 'failed', error: error as TickbusError });
      throw error;
    }
    this.#assertOpen();
    this.#status.emit('status', { type: 'connected', generation: 1 });
  }

  async #ready(channel: ChannelSpec): Promise<Transport> {
    this.#assertOpen();
    return this.#linkOf(channel).ready();
  }

  #linkOf({ name }: ChannelSpec): ChannelLink {
    const known = this.#links.get(name);
    if (known !== undefined) return known;
    const link = new ChannelLink({
      channel: name,
      settings: this.#settings,
      topology: this.#topology,
      logger: this.#logger,
      onStatus: (status) => {
        if (!this.#isClosed) this.#status.emit('status', { ...status, channel: name });
      },
    });
    this.#links.set(name, link);
    return link;
  }

  #assertOpen(): void {
    if (this.#isClosed)
      throw new TickbusError('TICKBUS_CLOSED', 'The connection was closed. Create a new one.');
  }
}

type Tail<T extends readonly unknown[]> = T extends readonly [unknown, ...infer R] ? R : never;
