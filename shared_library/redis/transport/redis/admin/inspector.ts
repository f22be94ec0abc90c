// Read-only inspection of a server: settings, permissions, clock and channels.

import { ErrorReply } from 'redis';
import type { Channel } from '../../../channel/channel.ts';
import { nameIn, nameWithout } from '../../../channel/namespace.ts';
import { parsePartitionName, partitionName } from '../../../channel/partitions.ts';
import type { TickbusError } from '../../../errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { formatPlace } from '../address.ts';
import type { RedisClient } from '../client.ts';
import { findOtherDatabases } from '../database-guard.ts';
import { commandError, isDenied, isWrongType } from '../error-mapping.ts';
import { unknownCommand } from '../error-replies.ts';
import { foreignKeyAdvice, foreignKeyFault, parsePartitions, parseWhole } from '../foreign-data.ts';
import { channelKeys, isFramesName } from '../keys.ts';
import type { LinkSettings } from '../link-settings.ts';
import { SentinelLocator, withSentinels } from '../sentinel/sentinel-locator.ts';
import { type ChannelStats, type ClockReport, measureClock } from './channel-stats.ts';
import { askMaster, type ClusterReport, clusterReport } from './cluster-report.ts';
import { type InspectedServers, inspectedServers } from './inspected-servers.ts';
import { mergedStats } from './merged-stats.ts';
import {
  type CommandStates,
  PROBES,
  permissionScript,
  permissionsOf,
  type UserPermissions,
  usedCommands,
} from './permissions.ts';
import { parseOutputBuffer, parseServerFacts, type ServerReport } from './server-report.ts';

export type { ChannelStats, ClockReport } from './channel-stats.ts';
export type { ClusterReport, MasterReport } from './cluster-report.ts';
export type { ServerReport } from './server-report.ts';

/** Inspects a server over its own link, or each node of a cluster. Never changes anything there. */
export class RedisInspector {
  readonly #settings: LinkSettings;
  readonly #servers: InspectedServers;

  constructor(settings: LinkSettings, logger: Logger) {
    this.#settings = withSentinels(settings);
    this.#servers = inspectedServers(this.#settings, logger);
  }

  /**
   * @throws TickbusError such as `TICKBUS_CONNECT_FAILED`, `TICKBUS_AUTH_FAILED` or `TICKBUS_TLS_FAILED`, without
   *   retrying, with advice
   */
  connect(): Promise<void> {
    return this.#servers.connect();
  }

  async close(): Promise<void> {
    this.#servers.close();
  }

  /** Settings and state of the server. A field is undefined if the user lacks the permission to read it. */
  async inspect(): Promise<ServerReport> {
    const { locator } = this.#settings;
    const [info, buffers, save, minReplicas, user, sentinels, cluster] = await Promise.all([
      this.#ifAllowed((client) => client.info()),
      this.#ifAllowed((client) => client.configGet('client-output-buffer-limit')),
      this.#ifAllowed((client) => client.configGet('save')),
      this.#ifAllowed((client) => client.configGet('min-replicas-to-write')),
      this.#ifAllowed((client) => client.aclWhoAmI()),
      locator instanceof SentinelLocator ? locator.report() : undefined,
      this.#clusterReport(),
    ]);
    return {
      ...parseServerFacts(info),
      pubsubBuffer: parseOutputBuffer(buffers?.['client-output-buffer-limit'], 'pubsub'),
      normalBuffer: parseOutputBuffer(buffers?.['client-output-buffer-limit'], 'normal'),
      savePoints: save?.save,
      minReplicas: toNumber(minReplicas?.['min-replicas-to-write']),
      sentinels,
      cluster,
      user,
    };
  }

  /** The user's permissions on each channel, read from the ACL without running the commands. */
  async permissions(channels: readonly Channel[]): Promise<UserPermissions> {
    const { namespace, sentinel } = this.#settings;
    const servers = this.#isCluster ? 'cluster' : sentinel === undefined ? 'single' : 'sentinel';
    const commands = channels.flatMap((channel) => usedCommands(channel, servers, namespace));
    const script = permissionScript(commands);
    const answers = await Promise.all(
      (await this.#servers.each()).flatMap(({ place, client }) =>
        client instanceof Error
          ? []
          : this.#ifAllowed((one) => one.eval(script), client).then((reply) => ({
              address: formatPlace(place),
              reply,
            })),
      ),
    );
    return permissionsOf(commands, answers);
  }

  /** Tries the commands that managed servers rename or deny. None of them changes anything. */
  async commands(): Promise<CommandStates> {
    const states = await Promise.all(
      PROBES.map(async (probe): Promise<CommandStates[number]> => {
        const command = probe.name;
        try {
          await this.#servers.any().sendCommand([...probe.command]);
          return { command, state: 'works' };
        } catch (error) {
          if (unknownCommand(error) !== undefined) return { command, state: 'missing' };
          if (isDenied(error)) return { command, state: 'denied' };
          // NOSCRIPT, for example: the server has the command, and the user may use it.
          if (error instanceof ErrorReply) return { command, state: 'works' };
          throw commandError(error, this.#settings, 'read');
        }
      }),
    );
    return states;
  }

  /** Reads the server's time `samples` times, sequentially. */
  clock(samples: number): Promise<ClockReport> {
    return measureClock(samples, () => this.#run((client) => client.sendCommand<string[]>(['TIME'])));
  }

  /** Names of all channels of the namespace with subscribers, without the frames channels of tickbus. */
  async activeChannels(): Promise<string[]> {
    const servers = await this.#servers.all();
    const lists = await Promise.all(
      servers.map((server) =>
        this.#run(
          (client) => (this.#isCluster ? client.pubSubShardChannels() : client.pubSubChannels()),
          server,
        ),
      ),
    );
    const others = lists.flat().filter((name) => !isFramesName(name));
    const names = others.flatMap((name) => nameWithout(this.#settings.namespace, name) ?? []);
    const channels = await Promise.all(names.map((name) => this.#channelOf(name)));
    return [...new Set(channels)];
  }

  /** Another database for each channel that is used there, too; undefined if the user may not know. */
  async otherDatabases(names: readonly string[]): Promise<ReadonlyMap<string, number> | undefined> {
    const { db, namespace } = this.#settings;
    if (this.#isCluster || names.length === 0) return new Map();
    const ofServer = names.map((name) => nameIn(namespace, name));
    const found = await this.#ifAllowed((client) => findOtherDatabases(client, ofServer, db));
    return found && new Map([...found].map(([name, other]) => [nameWithout(namespace, name) ?? name, other]));
  }

  channels(names: readonly string[]): Promise<ChannelStats[]> {
    return Promise.all(
      names.map(async (name) => {
        const channel = await this.#statsOf(name);
        const { partitions = 1 } = channel;
        if (partitions === 1 || parsePartitionName(name) !== undefined) return channel;
        const each = Array.from({ length: partitions }, (_, index) => partitionName(name, index, partitions));
        return mergedStats(channel, await Promise.all(each.map((partition) => this.#statsOf(partition))));
      }),
    );
  }

  async #statsOf(name: string): Promise<ChannelStats> {
    const ofServer = nameIn(this.#settings.namespace, name);
    const server = await this.#servers.of(ofServer);
    const [subscribers, stats] = await Promise.all([
      this.#run(
        (client) => (this.#isCluster ? client.pubSubShardNumSub(ofServer) : client.pubSubNumSub([ofServer])),
        server,
      ),
      this.#channelStats(name, server),
    ]);
    return { ...stats, subscribers: subscribers[ofServer] ?? 0 };
  }

  /** The channel of a partition. A name of another program can look like that of a partition. */
  async #channelOf(name: string): Promise<string> {
    const channel = parsePartitionName(name)?.channel;
    if (channel === undefined) return name;
    const ofServer = nameIn(this.#settings.namespace, channel);
    const server = await this.#servers.of(ofServer);
    const { head } = channelKeys({ name: ofServer });
    const [partitions] =
      (await this.#ifAllowed((client) => client.hmGet(head, ['partitions']), server)) ?? [];
    return partitions == null ? name : channel;
  }

  async #clusterReport(): Promise<ClusterReport | undefined> {
    const { ranges } = this.#servers;
    if (ranges === undefined) return undefined;
    const servers = await this.#servers.each();
    const asked = servers.map((server) => askMaster(server, (...call) => this.#ifAllowed(...call)));
    return clusterReport(ranges, await Promise.all(asked));
  }

  get #isCluster(): boolean {
    return this.#settings.cluster !== undefined;
  }

  async #channelStats(name: string, server: RedisClient): Promise<Omit<ChannelStats, 'subscribers'>> {
    const { head, last, history, lease } = channelKeys({ name: nameIn(this.#settings.namespace, name) });
    const faults: string[] = [];
    const addFault = (key: string, what: string) => {
      faults.push(`${foreignKeyFault(key, what)} ${foreignKeyAdvice(key)}`);
    };
    /** Reads a key. A key of another type is a fault of the channel. */
    const read = <T>(key: string, reading: Promise<T>, absent: T): Promise<T> =>
      reading.catch((error: unknown) => {
        if (!isWrongType(error)) throw error;
        addFault(key, 'type');
        return absent;
      });
    const [fields, keys, entries, token, ttl] = await this.#run(
      (client) =>
        Promise.all([
          read(
            head,
            client.hmGet(head, HEAD_FIELDS),
            HEAD_FIELDS.map(() => null),
          ),
          read(last, client.hLen(last), 0),
          read(history, client.xLen(history), 0),
          read(lease, client.get(lease), null),
          client.pTTL(lease),
        ]),
      server,
    );
    const [epoch, seq, writer, partitions, definition] = fields;
    const [epochNumber, seqNumber] = [parseWhole(epoch ?? '0'), parseWhole(seq ?? '0')];
    if (epochNumber === undefined) addFault(head, 'epoch');
    if (seqNumber === undefined) addFault(head, 'seq');
    const partitionsNumber = parsePartitions(partitions ?? '1');
    if (partitionsNumber === undefined) addFault(head, 'partitions');
    return {
      channel: name,
      ...(partitionsNumber === undefined || partitionsNumber === 1 ? {} : { partitions: partitionsNumber }),
      position:
        epochNumber && seqNumber !== undefined && partitionsNumber !== undefined
          ? { epoch: epochNumber, seq: seqNumber }
          : undefined,
      ...(definition != null && { definition }),
      keys,
      history: entries,
      // Otherwise the key does not contain a token, but `nobody` during a hold-off, or a nonce during a claim.
      lease: /^\d+$/.test(token ?? '')
        ? {
            token: Number(token),
            expiresInMs: Math.max(0, ttl),
            fence: writer === 'plain' ? 'connection' : 'token',
          }
        : undefined,
      fault: faults.length === 0 ? undefined : faults.join(' '),
    };
  }

  /** undefined if the user lacks the permission, or the server does not support the command. */
  async #ifAllowed<T>(
    command: (client: RedisClient) => Promise<T>,
    client?: RedisClient,
  ): Promise<T | undefined> {
    try {
      return await this.#run(command, client);
    } catch (error) {
      const { code } = error as TickbusError;
      if (code === 'TICKBUS_DENIED' || code === 'TICKBUS_SERVER_ERROR') return undefined;
      throw error;
    }
  }

  async #run<T>(
    command: (client: RedisClient) => Promise<T>,
    client: RedisClient = this.#servers.any(),
  ): Promise<T> {
    try {
      return await command(client);
    } catch (error) {
      throw commandError(error, this.#settings, 'read');
    }
  }
}

const HEAD_FIELDS = ['epoch', 'seq', 'writer', 'partitions', 'definition'];

function toNumber(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
