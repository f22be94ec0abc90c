// The lease of a channel whose holder writes exclusively: a connection of its own, and the protocol by which it deposes all others.

import type { ChannelSpec } from '../../../channel/channel.ts';
import { TickbusError } from '../../../errors.ts';
import type { Unsubscribe } from '../../../runtime/emitter.ts';
import { Emitter } from '../../../runtime/emitter.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { FenceToken, LeaseAttempt, LeaseOperations } from '../../port.ts';
import type { RedisClient } from '../client.ts';
import { commandError, isDenied, refusedError } from '../error-mapping.ts';
import type { LinkSettings } from '../link-settings.ts';
import { RedisLink } from '../redis-link.ts';
import { channelKeys } from '../scripts.ts';
import { type ConfirmedHead, ExclusiveWriter, type PastEpoch } from '../writers/exclusive-writer.ts';
import { LeaseCommands, whileBusy } from './lease-commands.ts';

/** Between a claim and its release, or the loss of the lease. */
interface Term {
  readonly token: FenceToken;
  readonly writer: ExclusiveWriter;
  ttlMs: number;
}

/**
 * Fence by connection: whoever takes the lease first disconnects every other writer, and nothing that a deposed writer still has under
 * way is executed after the reply to CLIENT KILL. Everything runs on one connection; if it drops, what was begun on it is begun again.
 *
 *     claim   RESERVE -> name the connection -> CLIENT LIST, KILL -> TAKE_UP -> WATCH fence -> a writer is attached
 *     resume  the same on each new connection of a holder, with its token; then the head settles what was under way
 *     renew, release  on the same connection, so a release is executed behind all batches
 *
 * - RESERVE keeps others out for one TTL under a nonce, or finds the lease held by another: then nobody is disconnected.
 * - TAKE_UP requires the nonce, so that of two claims that overlap only the later one counts. Position, marks and epoch come from its
 *   reply alone; nothing is published before it.
 * - A guard stands behind every EXEC: WATCH of the fence of the epoch, and a read that blocks for good if that fence is gone. Every new
 *   epoch deletes the fence, which covers a connection that no KILL can reach: a server that was emptied, or demoted and promoted again.
 * - A release, and a renewal that finds the lease lost or the server on another branch, end or resume the term.
 *
 * A user who may not LIST and KILL, or a proxy that multiplexes connections, leaves the fence to the token (`#reason`): the holder
 * then publishes by script, and never follows an exclusive writer that did not release.
 */
export class ExclusiveLease implements LeaseOperations {
  readonly #channel: ChannelSpec;
  readonly #settings: LinkSettings;
  readonly #link: RedisLink;
  readonly #onClosed: (lease: ExclusiveLease) => void;
  readonly #commands: LeaseCommands;
  readonly #events = new Emitter<{ connected: undefined }>(() => {});
  /** The name of a connection that writes this channel. Database numbers share one name space of connections; names are ASCII. */
  readonly #writerName: string;
  #term: Term | undefined;
  /** Of a term that is over, until all that was under way is settled. */
  #former: ExclusiveWriter | undefined;
  /** Of the last term: only a claim gives a writer again. */
  #endedToken: FenceToken | undefined;
  /** A claim that failed half-way is not tried again before (monotonic). */
  #notBefore = 0;
  /** Why this connection cannot write exclusively, as known when it was made, or when a claim on it was last refused. */
  #reason: string | undefined;

  /** @param onClosed is called once, with `close` */
  constructor(
    channel: ChannelSpec,
    settings: LinkSettings,
    logger: Logger,
    onClosed: (lease: ExclusiveLease) => void,
  ) {
    this.#onClosed = onClosed;
    this.#channel = channel;
    this.#settings = settings;
    this.#writerName = `tickbus:${settings.db}:${encodeURIComponent(channel.name)}`;
    this.#commands = new LeaseCommands(channel);
    this.#link = new RedisLink(settings, logger, (client) => this.#prepare(client));
    this.#link.onStatus(({ type }) => {
      if (type === 'connected') this.#onConnected();
      else this.#term?.writer.detach();
      if (type === 'failed' || type === 'closed') {
        this.#depose([]);
        this.#settleFormer();
      }
    });
  }

  connect(): Promise<void> {
    return this.#link.connect();
  }

  async acquire(ttlMs: number): Promise<LeaseAttempt> {
    return this.#run(async (client) => {
      if (this.#term !== undefined) await this.#release(client, this.#term.token);
      const waitMs = this.#notBefore - performance.now();
      if (waitMs > 0) return { state: 'taken', leftMs: waitMs };
      const reason = this.#reason;
      if (reason !== undefined) {
        const claimed = await this.#commands.claim(client, ttlMs, 'token');
        if (claimed.state === 'taken_up') return { state: 'held', token: claimed.token, reason };
        return claimed.state === 'barred' ? { ...claimed, reason: `${claimed.reason} ${reason}` } : claimed;
      }
      const disconnect = async () => {
        // If the claim fails from here on, others have their turn when the reservation ends.
        this.#notBefore = performance.now() + 2 * ttlMs;
        await this.#disconnectOthers(client, ttlMs);
      };
      const claimed = await this.#commands
        .claim(client, ttlMs, 'plain', disconnect)
        .catch(async (error: unknown) => {
          // Rights can change under a connection.
          if (isDenied(error)) await this.#beCandidate(client);
          throw error;
        });
      this.#notBefore = 0;
      if (claimed.state !== 'taken_up') return claimed;
      const { token, head } = claimed;
      const writer = new ExclusiveWriter(this.#writerOptions, confirmedHead(head));
      await this.#watchFence(client, writer.epoch);
      this.#term = { token, writer, ttlMs };
      writer.attach(client);
      return { state: 'held', token, writer };
    });
  }

  async renew(token: FenceToken, ttlMs: number): Promise<boolean> {
    if (token === this.#endedToken) return false;
    return this.#run(async (client) => {
      const term = this.#term?.token === token ? this.#term : undefined;
      const reply = await this.#commands.renew(client, token, ttlMs, term?.writer);
      if (term === undefined) return reply !== 0;
      term.ttlMs = ttlMs;
      if (reply === 0) {
        this.#endTerm();
        // Not awaited: that the lease is lost must be known at once.
        client.sendCommand(['CLIENT', 'SETNAME', this.#settings.name]).catch(() => {});
      }
      if (reply === 2) this.#link.distrust(client, new Error('the server has lost its latest memory'));
      return reply !== 0;
    });
  }

  async release(token: FenceToken): Promise<boolean> {
    if (this.#term?.token === token) this.#term.writer.end();
    return this.#run((client) => this.#release(client, token));
  }

  onConnected(listener: () => void): Unsubscribe {
    return this.#events.on('connected', listener);
  }

  async close(): Promise<void> {
    this.#link.close();
    this.#events.clear();
    this.#onClosed(this);
  }

  async #release(client: RedisClient, token: FenceToken): Promise<boolean> {
    const wasOurs = await this.#commands.release(client, token);
    if (this.#term?.token === token) {
      this.#endTerm();
      // A later claim by somebody else must not disconnect a mere candidate.
      await client.sendCommand(['CLIENT', 'SETNAME', this.#settings.name]);
    }
    return wasOurs;
  }

  #endTerm(): void {
    if (this.#term === undefined) return;
    this.#endedToken = this.#term.token;
    this.#former = this.#term.writer;
    this.#term = undefined;
    this.#former.end();
  }

  // --- a new connection ---

  async #prepare(client: RedisClient): Promise<void> {
    const term = this.#term;
    if (term === undefined) return this.#beCandidate(client);
    const { token, writer, ttlMs } = term;
    const resumed = await this.#commands.resume(client, ttlMs, token, writer, () =>
      this.#disconnectOthers(client, ttlMs),
    );
    if (resumed.state === 'lost') {
      this.#depose(pastEpochs(resumed.past));
      return this.#beCandidate(client);
    }
    const confirmed = confirmedHead(resumed.head);
    await this.#watchFence(client, confirmed.epoch);
    writer.resumed(confirmed);
    // Whoever counted on the lease has given it up meanwhile.
    if (writer.isEnded) await this.#release(client, token);
  }

  /** The connection writes nothing for now, so nobody needs to disconnect it. What it may do is asked anew. */
  async #beCandidate(client: RedisClient): Promise<void> {
    // One that was not renamed has this name already, and need not be allowed to change it.
    await client.sendCommand(['CLIENT', 'SETNAME', this.#settings.name]).catch(() => {});
    this.#reason = await obstacle(client, this.#settings.name, channelKeys(this.#channel).fence(0));
  }

  #onConnected(): void {
    const { client } = this.#link;
    this.#term?.writer.attach(client);
    this.#settleFormer();
    this.#events.emit('connected', undefined);
  }

  /** The connection of a term that is over is dead: what was still under way there is unknown. */
  #settleFormer(): void {
    this.#former?.deposed([]);
    this.#former = undefined;
  }

  /** The lease is lost, or the link is for good. */
  #depose(past: readonly PastEpoch[]): void {
    this.#term?.writer.deposed(past);
    this.#endTerm();
  }

  #disconnectOthers(client: RedisClient, ttlMs: number): Promise<void> {
    return whileBusy(ttlMs, async () => {
      const ownId = String(await client.sendCommand(['CLIENT', 'ID']));
      await client.sendCommand(['CLIENT', 'SETNAME', this.#writerName]);
      const list = String(await client.sendCommand(['CLIENT', 'LIST']));
      const lines = list.split('\n').filter((line) => line.includes(` name=${this.#writerName} `));
      const ids = lines.map((line) => /^id=(\d+) /.exec(line)?.[1] ?? '').filter((id) => id !== ownId);
      // One that is gone by now answers 0.
      await Promise.all(ids.map((id) => client.sendCommand(['CLIENT', 'KILL', 'ID', id])));
    });
  }

  /** From here on a batch is executed only while the epoch is the present one. */
  async #watchFence(client: RedisClient, epoch: number): Promise<void> {
    const fence = channelKeys(this.#channel).fence(epoch);
    const [, , exists] = await Promise.all([
      client.sendCommand(['UNWATCH']),
      client.sendCommand(['WATCH', fence]),
      client.sendCommand<number>(['EXISTS', fence]),
    ]);
    if (exists !== 1) throw new Error('Another writer has begun an epoch of the channel meanwhile.');
  }

  // --- all ---

  get #writerOptions() {
    const { name } = this.#channel;
    return {
      channel: this.#channel,
      onDoubt: (client: RedisClient, error: unknown) => this.#link.distrust(client, error),
      refused: (error: unknown) => refusedError(error, name, this.#settings),
      unknown: (reason: string) => {
        const text = `Publishing on ${name}: ${reason}. Whether the messages were published is unknown.`;
        return new TickbusError('TICKBUS_OUTCOME_UNKNOWN', text);
      },
      notSent: (reason: string) =>
        new TickbusError('TICKBUS_NOT_SENT', `Nothing was published on ${name}: ${reason}.`),
    };
  }

  async #run<T>(command: (client: RedisClient) => Promise<T>): Promise<T> {
    await this.#link.connect();
    const { client } = this.#link;
    try {
      return await command(client);
    } catch (error) {
      throw commandError(error, this.#settings, 'write');
    }
  }
}

/**
 * Why a connection cannot write exclusively; undefined: it can. Permissions are asked for and not tried: what is refused stands in the
 * server's log.
 */
async function obstacle(client: RedisClient, name: string, fence: string): Promise<string | undefined> {
  const [mayDisconnect, id, info] = await Promise.allSettled([
    client.sendCommand<number>(['EVAL', MAY_DISCONNECT, '1', fence]),
    client.sendCommand<number>(['CLIENT', 'ID']),
    client.sendCommand<string>(['CLIENT', 'INFO']),
  ]);
  if (mayDisconnect.status === 'rejected' || mayDisconnect.value !== 1)
    return 'The user may not use CLIENT LIST and CLIENT KILL, or MULTI, EXEC and WATCH.';
  const shown = info.status === 'fulfilled' ? String(info.value) : '';
  const isOwn = id.status === 'fulfilled' && shown.startsWith(`id=${id.value} `);
  if (!isOwn || !shown.includes(` name=${name} `))
    return 'CLIENT INFO does not show this connection: a proxy shares connections among clients.';
  return undefined;
}

const MAY_DISCONNECT = `
local commands = {
  { 'CLIENT', 'LIST' }, { 'CLIENT', 'KILL', 'ID', '1' }, { 'CLIENT', 'SETNAME', 'x' },
  { 'MULTI' }, { 'EXEC' }, { 'WATCH', KEYS[1] }, { 'UNWATCH' }, { 'XREAD', 'STREAMS', KEYS[1], '0' },
}
for _, command in ipairs(commands) do
  local known, may = pcall(redis.acl_check_cmd, unpack(command))
  if not known or not may then return 0 end
end
return 1
`;

/** From a reply of TAKE_UP: epoch, time in microseconds, seq, marks; the last two only of an epoch that goes on. */
function confirmedHead([epoch, micros, seq = '0', ...marks]: readonly string[]): ConfirmedHead {
  return {
    epoch: Number(epoch),
    seq: Number(seq),
    marks: marks.map(Number),
    serverAt: Number(micros) / 1_000,
  };
}

function pastEpochs(text: string): PastEpoch[] {
  const ended = text === '' ? [] : text.split(';');
  return ended.map((one) => {
    const [epoch, seq, isKnown, marks = ''] = one.split(':');
    return {
      epoch: Number(epoch),
      seq: Number(seq),
      isKnown: isKnown === '1',
      marks: marks.split(',').map(Number),
    };
  });
}
