// What an operator asks a server: how it is set, what the user may do, how its clock runs, what is on the channels.

import type { Channel } from '../../../channel/channel.ts';
import type { TickbusError } from '../../../errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Position } from '../../../wire/position.ts';
import type { RedisClient } from '../client.ts';
import { commandError } from '../error-mapping.ts';
import { channelKeys, isFramesName } from '../keys.ts';
import type { LinkSettings } from '../link-settings.ts';
import { RedisLink } from '../redis-link.ts';
import { permissionScript, type UserPermissions, usedCommands } from './permissions.ts';
import { parseOutputBuffer, parseServerFacts, type ServerReport } from './server-report.ts';

/** One channel, as the server has it. */
export interface ChannelStats {
  readonly channel: string;
  /** Connections that are subscribed to it by its name. */
  readonly subscribers: number;
  /** Where it stands; undefined when tickbus has not published on it, or it is unnumbered. */
  readonly position: Position | undefined;
  /** Last values that are kept (kind `state`). */
  readonly keys: number;
  /** Past messages that are kept (kind `event`). */
  readonly history: number;
  /**
   * Who may publish on it, while somebody holds its lease. `fence`: what keeps everybody else out: the holder's own `connection`, which
   * publishes with plain commands, or the `token`, which is checked with each publish.
   */
  readonly lease:
    | { readonly token: number; readonly expiresInMs: number; readonly fence: 'connection' | 'token' }
    | undefined;
}

/** How far the server's clock is from ours, and how fast it answers. Milliseconds. */
export interface ClockReport {
  /** Server time less our time, by the quickest answer. */
  readonly offsetMs: number;
  /** By how much the offset can be wrong at the most: half of that answer's round trip. */
  readonly errorMs: number;
  /** Of every question, in order. */
  readonly roundTripsMs: readonly number[];
}

export type { ServerReport } from './server-report.ts';

/** One link for questions. Nothing it does changes anything on the server. */
export class RedisInspector {
  readonly #settings: LinkSettings;
  readonly #link: RedisLink;

  constructor(settings: LinkSettings, logger: Logger) {
    this.#settings = settings;
    this.#link = new RedisLink(settings, logger, async () => {});
  }

  /** @throws TickbusError `TICKBUS_CONNECT_FAILED` or `TICKBUS_AUTH_FAILED`, at once, saying what to try */
  connect(): Promise<void> {
    return this.#link.connect();
  }

  async close(): Promise<void> {
    this.#link.close();
  }

  /** How the server is set, and how it is. What the user may not ask is undefined. */
  async inspect(): Promise<ServerReport> {
    const [info, buffers, save, user] = await Promise.all([
      this.#ifAllowed((client) => client.info()),
      this.#ifAllowed((client) => client.configGet('client-output-buffer-limit')),
      this.#ifAllowed((client) => client.configGet('save')),
      this.#ifAllowed((client) => client.aclWhoAmI()),
    ]);
    return {
      ...parseServerFacts(info),
      pubsubBuffer: parseOutputBuffer(buffers?.['client-output-buffer-limit'], 'pubsub'),
      normalBuffer: parseOutputBuffer(buffers?.['client-output-buffer-limit'], 'normal'),
      savePoints: save?.save,
      user,
    };
  }

  /** What the user may do on each channel, as the server's own access control answers. Nothing is tried out. */
  async permissions(channels: readonly Channel[]): Promise<UserPermissions> {
    const wanted = channels.flatMap(usedCommands);
    const reply = await this.#ifAllowed((client) => client.eval(permissionScript(wanted)));
    const answers = Array.isArray(reply) ? reply.map(Number) : undefined;
    return wanted.map((command, index) => ({
      ...command,
      isAllowed: answers === undefined ? undefined : answers[index] === 1,
    }));
  }

  /** Asks for the server's time so many times, one after the other. */
  async clock(samples: number): Promise<ClockReport> {
    let best = { offsetMs: 0, errorMs: Number.POSITIVE_INFINITY };
    const roundTripsMs: number[] = [];
    for (let sample = 0; sample < samples; sample++) {
      const asked = performance.now();
      const time = await this.#run((client) => client.sendCommand<string[]>(['TIME']));
      const answered = performance.now();
      const [seconds, microseconds] = time.map(Number);
      const serverMs = (seconds ?? 0) * 1000 + (microseconds ?? 0) / 1000;
      const ourMs = performance.timeOrigin + (asked + answered) / 2;
      const errorMs = (answered - asked) / 2;
      roundTripsMs.push(answered - asked);
      if (errorMs < best.errorMs) best = { offsetMs: serverMs - ourMs, errorMs };
    }
    return { ...best, roundTripsMs };
  }

  /** Names of the channels that somebody is subscribed to; not those to which our subscribers listen besides. */
  async activeChannels(): Promise<string[]> {
    const names = await this.#run((client) => client.pubSubChannels());
    return names.filter((name) => !isFramesName(name));
  }

  async channels(names: readonly string[]): Promise<ChannelStats[]> {
    if (names.length === 0) return [];
    const [subscribers, ...stats] = await Promise.all([
      this.#run((client) => client.pubSubNumSub([...names])),
      ...names.map((name) => this.#channelStats(name)),
    ]);
    return stats.map((kept) => ({ ...kept, subscribers: subscribers[kept.channel] ?? 0 }));
  }

  async #channelStats(name: string): Promise<Omit<ChannelStats, 'subscribers'>> {
    const { head, last, history, lease } = channelKeys({ name });
    const [place, keys, entries, token, ttl] = await this.#run((client) =>
      Promise.all([
        client.hmGet(head, ['epoch', 'seq', 'writer']),
        client.hLen(last),
        client.xLen(history),
        client.get(lease),
        client.pTTL(lease),
      ]),
    );
    const [epoch, seq, writer] = place;
    return {
      channel: name,
      position: epoch && seq ? { epoch: Number(epoch), seq: Number(seq) } : undefined,
      keys,
      history: entries,
      // `nobody` while the server waits for a holder that it may have forgotten; a nonce during a claim.
      lease: /^\d+$/.test(token ?? '')
        ? {
            token: Number(token),
            expiresInMs: Math.max(0, ttl),
            fence: writer === 'plain' ? 'connection' : 'token',
          }
        : undefined,
    };
  }

  /** undefined where the user lacks the permission, or the server does not have the command. */
  async #ifAllowed<T>(command: (client: RedisClient) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#run(command);
    } catch (error) {
      const { code } = error as TickbusError;
      if (code === 'TICKBUS_DENIED' || code === 'TICKBUS_SERVER_ERROR') return undefined;
      throw error;
    }
  }

  async #run<T>(command: (client: RedisClient) => Promise<T>): Promise<T> {
    const { client } = this.#link;
    try {
      return await command(client);
    } catch (error) {
      throw commandError(error, this.#settings, 'read');
    }
  }
}
