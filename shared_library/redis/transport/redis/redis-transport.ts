// The transport port on one Redis link. It uses RESP3, so that pushed messages and replies share one ordered
// connection.

import type { ChannelSpec } from '../../channel/channel.ts';
import type { Unsubscribe } from '../../runtime/emitter.ts';
import type { Logger } from '../../runtime/logger.ts';
import { ORIGIN, type Position } from '../../wire/position.ts';
import type { Adoption, PlainMessage } from '../adoption-port.ts';
import { type DefinitionEntry, DefinitionRecords } from '../definition-records.ts';
import type { DemandOperations } from '../demand-port.ts';
import type { HistoryPage, HistoryQuery } from '../history-port.ts';
import type { LinkStatus } from '../link-status.ts';
import type {
  ChannelHead,
  ChannelState,
  Confirmation,
  FenceToken,
  LeaseOperations,
  Outgoing,
  ReadOptions,
  Receipt,
  SetPartitionsOptions,
  Transport,
} from '../port.ts';
import { readHead } from './channel-head.ts';
import { type RunRead, readChannel } from './channel-read.ts';
import { AS_BYTES, type RedisClient } from './client.ts';
import { leaveComplaint } from './complaint-script.ts';
import { requireOnlyDatabase } from './database-guard.ts';
import { commandError, isDenied } from './error-mapping.ts';
import { historyArguments, parseHistory } from './history-script.ts';
import { channelKeys, definitionAdvice } from './keys.ts';
import { ExclusiveLease } from './lease/exclusive-lease.ts';
import { ReplicaConfirmation } from './lease/replica-confirmation.ts';
import { TokenLease } from './lease/token-lease.ts';
import type { LinkSettings } from './link-settings.ts';
import { areListenersNamed } from './listener-count.ts';
import { setPartitionsArguments } from './partitions-script.ts';
import { redisDemand } from './redis-demand.ts';
import { RedisLink } from './redis-link.ts';
import { adoptArguments, parseAdoptions } from './writers/adopt-script.ts';
import { confirmed, ReplicaWait, unconfirmedError } from './writers/replica-wait.ts';
import { sendBatch } from './writers/shared-batch.ts';
import { partitionsChanged, recordedDefinition } from './writers/shared-writer.ts';

interface RedisSubscription {
  /**
   * The channel itself, and the channel that carries batches for tickbus subscribers. On a channel of kind `command`,
   * which has no batches, that one counts the named listeners.
   */
  names: readonly [string, ...string[]];
  readonly listener: (message: Buffer) => void;
}

/** The operations of the port. The link handles connecting and reconnecting. */
export class RedisTransport implements Transport {
  readonly #settings: LinkSettings;
  readonly #logger: Logger;
  readonly #link: RedisLink;
  readonly #subscriptions = new Set<RedisSubscription>();
  /** For each connection, the channels whose frames channel its user may not subscribe to. */
  readonly #withoutFrames = new WeakMap<RedisClient, Set<string>>();
  readonly #leases = new Set<ExclusiveLease>();
  /** The channels that no other database of the server used when this transport first used them. */
  readonly #checked = new Set<string>();
  readonly #definitions = new DefinitionRecords();

  constructor(settings: LinkSettings, logger: Logger) {
    this.#settings = settings;
    this.#logger = logger;
    this.#link = new RedisLink(settings, logger, (client) => this.#subscribeAll(client));
  }

  connect(): Promise<void> {
    return this.#link.connect();
  }

  async publish(
    channel: ChannelSpec,
    batch: readonly Outgoing[],
    token?: FenceToken,
    known: Position = ORIGIN,
    confirmation?: Confirmation,
  ): Promise<Receipt> {
    if (!this.#checked.has(channel.name)) await this.#checkDatabase(channel);
    if (confirmation !== undefined)
      await this.#run((client) => ReplicaWait.on(client).requirePermission(), 'read');
    const defining = { channel, batch, known };
    const advice = definitionAdvice(channel);
    const isSharded = this.#settings.isSharded === true;
    return this.#run((client) => {
      const send = (definition?: DefinitionEntry) =>
        sendBatch(client, defining, { token, definition, isSharded });
      const publish = () => this.#definitions.publish(defining, send, recordedDefinition, advice);
      if (confirmation === undefined) return publish();
      return confirmed(client, publish, confirmation, (reason) =>
        unconfirmedError(channel.name, reason, this.#settings),
      );
    });
  }

  async adopt(channel: ChannelSpec, messages: readonly PlainMessage[]): Promise<readonly Adoption[]> {
    const { keys, args } = adoptArguments(channel, messages);
    const adopt = (client: RedisClient) => client.adopt(keys, args);
    const refused = (error: unknown) => Promise.reject(partitionsChanged(channel, error) ?? error);
    return parseAdoptions(await this.#run((client) => adopt(client).catch(refused)));
  }

  async subscribe(
    channel: ChannelSpec,
    onFrame: (frame: Uint8Array) => void,
    isNamed = false,
  ): Promise<Unsubscribe> {
    if (!this.#checked.has(channel.name)) await this.#checkDatabase(channel);
    const { name } = channel;
    const { frames } = channelKeys(channel);
    const subscription: RedisSubscription = {
      names: hasExclusiveWriter(channel) || this.#countsAsNamed(name, isNamed) ? [name, frames] : [name],
      listener: (message) => {
        // The client can deliver messages after an unsubscribe.
        if (!this.#subscriptions.has(subscription)) return;
        this.#link.recordActivity();
        // An exception would make the client reset its decoder in the middle of the stream.
        try {
          onFrame(message);
        } catch (err) {
          this.#logger.error({ err, channel: name }, 'Processing a received message failed.');
        }
      },
    };
    this.#subscriptions.add(subscription);
    try {
      await this.#run((client) => this.#subscribeOn(client, subscription), 'read');
    } catch (error) {
      this.#unsubscribe(subscription);
      throw error;
    }
    return () => this.#unsubscribe(subscription);
  }

  /** Each chunk counts as activity, so a long read does not make the link stale. */
  read(channel: ChannelSpec, since?: Position, options?: ReadOptions): Promise<ChannelState> {
    const run: RunRead = async (keys, args) => {
      const reply = await this.#run(
        (client) => client.withTypeMapping(AS_BYTES).readChannel(keys, args),
        'read',
      );
      this.#link.recordActivity();
      return reply;
    };
    return readChannel(run, channel, since, options);
  }

  async readHistory(channel: ChannelSpec, query: HistoryQuery): Promise<HistoryPage> {
    const { keys, args } = historyArguments(channel, query);
    const read = (client: RedisClient) => client.withTypeMapping(AS_BYTES).readHistory(keys, args);
    return parseHistory(await this.#run(read, 'read'));
  }

  head(channel: ChannelSpec): Promise<ChannelHead> {
    return this.#run((client) => readHead(client, channel, this.#settings), 'read');
  }

  complain(channel: ChannelSpec, text: string): Promise<void> {
    return this.#run((client) => leaveComplaint(client, channel, text, this.#logger));
  }

  areListenersNamed(channel: ChannelSpec): Promise<boolean | undefined> {
    const isSharded = this.#settings.isSharded === true;
    return this.#run((client) => areListenersNamed(client, channel, isSharded), 'read');
  }

  async setPartitions(
    channel: ChannelSpec,
    partitions: number,
    options: SetPartitionsOptions = {},
  ): Promise<number> {
    if (!this.#checked.has(channel.name)) await this.#checkDatabase(channel);
    const { keys, args } = setPartitionsArguments(channel, partitions, options);
    return Number(await this.#run((client) => client.setPartitions(keys, args)));
  }

  /** A lease with an exclusive writer has its own connection, which acts as its fence; its partitions share it. */
  lease(
    channel: ChannelSpec,
    replicas = this.#settings.sentinel === undefined ? 0 : 1,
    channelLease?: LeaseOperations,
  ): LeaseOperations {
    const shared = channelLease instanceof ExclusiveLease ? channelLease : undefined;
    // No partition is published on without the lease of the channel, which replicas confirm.
    const confirmation = new ReplicaConfirmation(channel, shared ? 0 : replicas, this.#settings);
    if (!hasExclusiveWriter(channel))
      return new TokenLease(channel, this.#settings, this, confirmation, (command) => this.#run(command));
    const settings = { ...this.#settings, name: this.#settings.name.replace(/:[a-z]+$/, ':lease') };
    const onClosed = (closed: ExclusiveLease) => this.#leases.delete(closed);
    const lease = new ExclusiveLease(channel, settings, confirmation, this.#logger, onClosed, shared);
    this.#leases.add(lease);
    return lease;
  }

  demand(channel: ChannelSpec): DemandOperations {
    return redisDemand(channel, (command, effect) => this.#run(command, effect));
  }

  onStatus(listener: (status: LinkStatus) => void): Unsubscribe {
    return this.#link.onStatus(listener);
  }

  async close(): Promise<void> {
    this.#link.close();
    await Promise.all(Array.from(this.#leases, (lease) => lease.close()));
  }

  /**
   * Whether a new subscription to a command channel counts as named. The server counts a link once for each name, so a
   * link with an unnamed listener must not count as named: its other subscriptions do not from then on.
   */
  #countsAsNamed(name: string, isNamed: boolean): boolean {
    const others = [...this.#subscriptions].filter(({ names }) => names[0] === name);
    const counted = others.filter(({ names }) => names.length > 1);
    if (isNamed) return counted.length === others.length;
    for (const other of counted) {
      const frames = other.names.slice(1);
      other.names = [name];
      this.#run((client) => this.#leave(client, frames, other.listener), 'read').catch(() => {});
    }
    return false;
  }

  /** Pipelines all subscriptions on a new connection, so that they are acknowledged in one round trip. */
  async #subscribeAll(client: RedisClient): Promise<void> {
    client.on('sharded-channel-moved', () => {
      const reason = new Error('The server no longer serves the channel, and has ended the subscription.');
      this.#link.dropConnection(client, reason);
    });
    await Promise.all(
      [...this.#subscriptions].map((subscription) => this.#subscribeOn(client, subscription)),
    );
  }

  /**
   * Subscribes to both names in one command, so that a writer's count of subscribers includes both or neither. A user
   * who may not subscribe to the frames channel receives single messages, like a plain client. This does not change
   * while the connection lasts, because the server counts a connection once for all its subscriptions.
   */
  async #subscribeOn(client: RedisClient, { names, listener }: RedisSubscription): Promise<void> {
    const [name] = names;
    const refused = this.#withoutFrames.get(client) ?? new Set();
    const subscribeTo = (channels: string[]) =>
      this.#settings.isSharded
        ? client.sSubscribe(channels, listener, true)
        : client.subscribe(channels, listener, true);
    if (refused.has(name)) return subscribeTo([name]);
    try {
      await subscribeTo([...names]);
    } catch (error) {
      if (names.length === 1 || !isDenied(error)) throw error;
      this.#withoutFrames.set(client, refused.add(name));
      await subscribeTo([name]);
    }
  }

  /** @throws TickbusError as `requireOnlyDatabase` */
  async #checkDatabase(channel: ChannelSpec): Promise<void> {
    await this.#run((client) => requireOnlyDatabase(client, channel, this.#settings), 'read');
    this.#checked.add(channel.name);
  }

  /** Runs a command if the link is up. Nothing is queued for later. */
  async #run<T>(
    command: (client: RedisClient) => Promise<T>,
    effect: 'read' | 'write' = 'write',
  ): Promise<T> {
    const { client } = this.#link;
    try {
      return await command(client);
    } catch (error) {
      this.#link.onRefusal(client, error);
      throw commandError(error, this.#settings, effect);
    }
  }

  #unsubscribe(subscription: RedisSubscription): void {
    if (!this.#subscriptions.delete(subscription)) return;
    const { names, listener } = subscription;
    // Messages that the server still sends are ignored.
    this.#run((client) => this.#leave(client, names, listener), 'read').catch(() => {});
  }

  #leave(client: RedisClient, names: readonly string[], listener: (message: Buffer) => void): Promise<void> {
    return this.#settings.isSharded
      ? client.sUnsubscribe([...names], listener, true)
      : client.unsubscribe([...names], listener, true);
  }
}

/** Whether the lease holder publishes with plain commands. Tickbus subscribers may then receive whole batches. */
function hasExclusiveWriter({ kind }: ChannelSpec): boolean {
  return kind === 'state' || kind === 'event';
}
