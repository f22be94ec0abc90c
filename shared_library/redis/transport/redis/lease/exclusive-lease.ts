// The lease of a channel with an exclusive writer. It has its own connection, and disconnects all other writers.

import type { ChannelSpec } from '../../../channel/channel.ts';
import { TickbusError } from '../../../errors.ts';
import type { Unsubscribe } from '../../../runtime/emitter.ts';
import { Emitter } from '../../../runtime/emitter.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { printable } from '../../../runtime/printable.ts';
import type { FenceToken, LeaseAttempt, LeaseOperations } from '../../port.ts';
import type { RedisClient } from '../client.ts';
import { requireOnlyDatabase } from '../database-guard.ts';
import { commandError, isDenied, refusedError } from '../error-mapping.ts';
import type { LinkSettings } from '../link-settings.ts';
import { redact } from '../redact.ts';
import { ExclusiveWriter } from '../writers/exclusive-writer.ts';
import type { PastEpoch } from '../writers/head-snapshot.ts';
import { unconfirmedError } from '../writers/replica-wait.ts';
import { LeaseCommands, lostIfUnusable, programOf, replacedBy } from './lease-commands.ts';
import type { ReplicaConfirmation } from './replica-confirmation.ts';
import { type ConnectedLease, WriterConnection } from './writer-connection.ts';

/** One period of holding the lease: from a claim until its release or the loss of the lease. */
interface Term {
  readonly token: FenceToken;
  readonly writer: ExclusiveWriter;
  ttlMs: number;
}

/**
 * Fence by connection: a new holder first disconnects every other writer. After the reply to CLIENT KILL the server
 * executes nothing that a disconnected writer still has in flight. Everything runs on one connection; the steps restart
 * if it drops.
 *
 *     claim   RESERVE_LEASE -> CLIENT SETNAME, LIST, KILL -> ACTIVATE_LEASE -> WATCH fence -> attach a writer
 *     resume  the same on each new connection of a holder, with its token; the writer then settles batches in flight
 *     renew, release  on the same connection, so a release is executed after all batches
 *
 * - RESERVE_LEASE keeps others out for one TTL under a nonce. If another process holds the lease, nobody is
 *   disconnected.
 * - ACTIVATE_LEASE requires the nonce of the latest reservation. A claim whose reservation expired and was followed by
 *   another one fails. Position, marks of recent batches and epoch come from its reply alone; nothing is published
 *   before it.
 * - A guard follows every EXEC: WATCH of the epoch's fence, and a read that blocks forever if that fence is gone. Every
 *   new epoch deletes the previous fence. This stops connections that no KILL can reach, because the server was
 *   emptied, or demoted and promoted again.
 * - A release ends the term, and so does a renewal that finds the lease lost. If a renewal finds that the server has
 *   lost data, the writer resumes.
 *
 * Behind Sentinel, replicas confirm each claim and each renewal: see `ReplicaConfirmation`.
 *
 * If the user may not use LIST and KILL, or a proxy multiplexes connections, the token is the only fence: see
 * `WriterConnection.obstacle`. The holder then publishes by script. It cannot take over from an exclusive writer that
 * did not release the lease.
 */
export class ExclusiveLease implements LeaseOperations, ConnectedLease {
  readonly #channel: ChannelSpec;
  readonly #settings: LinkSettings;
  readonly #connection: WriterConnection;
  /** The same connection; undefined for a partition, because the lease of the channel fences it. */
  readonly #own: WriterConnection | undefined;
  readonly #unwatchLink: Unsubscribe;
  readonly #onClosed: (lease: ExclusiveLease) => void;
  readonly #commands: LeaseCommands;
  readonly #confirmation: ReplicaConfirmation;
  readonly #events = new Emitter<{ connected: undefined }>(() => {});
  #term: Term | undefined;
  /** The writer of the previous term. Its batches in flight are settled when the link reconnects or ends. */
  #previousWriter: ExclusiveWriter | undefined;
  /** The token of the previous term, which can no longer be renewed. Only a new claim provides a writer. */
  #endedToken: FenceToken | undefined;
  /**
   * Earliest time of the next claim, in monotonic milliseconds. In the future only after a claim that failed half-way.
   */
  #nextClaimAt = 0;

  /**
   * @param onClosed called once, by `close`
   * @param channelLease the lease of the channel, if `channel` is a partition on the same server
   */
  constructor(
    channel: ChannelSpec,
    settings: LinkSettings,
    confirmation: ReplicaConfirmation,
    logger: Logger,
    onClosed: (lease: ExclusiveLease) => void,
    channelLease?: ExclusiveLease,
  ) {
    this.#onClosed = onClosed;
    this.#channel = channel;
    this.#settings = settings;
    this.#confirmation = confirmation;
    this.#commands = new LeaseCommands(channel, programOf(settings));
    if (channelLease === undefined) {
      this.#own = new WriterConnection(channel, settings, logger, this);
      this.#connection = this.#own;
    } else {
      this.#connection = channelLease.#connection;
      this.#connection.add(this);
    }
    this.#unwatchLink = this.#link.onStatus(({ type }) => {
      if (type === 'connected') this.#onConnected();
      else this.#term?.writer.detach();
      if (type === 'failed' || type === 'closed') {
        this.#depose([]);
        this.#settlePreviousWriter();
      }
    });
  }

  connect(): Promise<void> {
    return this.#link.connect();
  }

  async acquire(ttlMs: number): Promise<LeaseAttempt> {
    return this.#run(async (client) => {
      if (this.#term !== undefined) await this.#release(client, this.#term.token);
      const waitMs = this.#nextClaimAt - performance.now();
      if (waitMs > 0) return { state: 'taken', leftMs: waitMs };
      await requireOnlyDatabase(client, this.#channel, this.#settings);
      await this.#confirmation.requireReplicas(client);
      const { obstacle, fence } = this.#connection;
      if (obstacle !== undefined) return this.#claimByToken(client, ttlMs, obstacle);
      // The lease of the channel was lost meanwhile.
      if (this.#own === undefined && fence === undefined) return { state: 'taken', leftMs: ttlMs };
      return this.#claimExclusively(client, ttlMs);
    });
  }

  async renew(token: FenceToken, ttlMs: number): Promise<boolean> {
    if (token === this.#endedToken) return false;
    return this.#run(async (client) => {
      const term = this.#term?.token === token ? this.#term : undefined;
      const reply = await this.#commands.renew(client, token, ttlMs, term?.writer);
      if (term !== undefined) term.ttlMs = ttlMs;
      if (term !== undefined && reply === 0) {
        this.#endTerm();
        // Not awaited, so that the loss of the lease is reported at once.
        this.#own?.giveUp(client).catch(() => {});
      }
      if (reply === 2) this.#link.dropConnection(client, new Error('the server has lost its latest data'));
      if (reply === 0) return false;
      await this.#confirmation.confirm(client, ttlMs);
      return true;
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
    if (this.#own === undefined) this.#leave();
    else this.#link.close();
    this.#events.clear();
    this.#onClosed(this);
  }

  async #claimByToken(client: RedisClient, ttlMs: number, obstacle: string): Promise<LeaseAttempt> {
    const claimed = await this.#commands.claim(client, ttlMs, 'token', () =>
      this.#confirmation.confirm(client, ttlMs),
    );
    if (claimed.state === 'activated')
      return { state: 'held', token: claimed.token, reason: obstacle, ...replacedBy(claimed) };
    return claimed.state === 'barred' ? { ...claimed, reason: `${claimed.reason} ${obstacle}` } : claimed;
  }

  async #claimExclusively(client: RedisClient, ttlMs: number): Promise<LeaseAttempt> {
    const beforeActivation = async () => {
      await this.#confirmation.confirm(client, ttlMs);
      // If the claim fails after this point, this candidate waits, so that others can claim when the reservation ends.
      this.#nextClaimAt = performance.now() + 2 * ttlMs;
      await this.#own?.disconnectOthers(client, ttlMs);
    };
    const claimed = await this.#commands
      .claim(client, ttlMs, 'plain', beforeActivation)
      .catch(async (error: unknown) => {
        // The user lost a permission after this link connected. Checking the permissions again decides whether the
        // next claim gets an exclusive writer or only a token.
        if (isDenied(error)) await this.#own?.becomeCandidate(client);
        throw error;
      });
    this.#nextClaimAt = 0;
    if (claimed.state !== 'activated') return claimed;
    const { token, head } = claimed;
    const writer = new ExclusiveWriter(this.#writerOptions, head);
    await this.#own?.watch(client, writer.epoch);
    this.#term = { token, writer, ttlMs };
    writer.attach(client);
    return { state: 'held', token, writer, ...replacedBy(claimed) };
  }

  async #release(client: RedisClient, token: FenceToken): Promise<boolean> {
    const wasOurs = await this.#commands.release(client, token);
    if (this.#term?.token === token) {
      this.#endTerm();
      await this.#own?.giveUp(client);
    }
    return wasOurs;
  }

  #endTerm(): void {
    if (this.#term === undefined) return;
    this.#endedToken = this.#term.token;
    this.#previousWriter = this.#term.writer;
    this.#term = undefined;
    this.#previousWriter.end();
  }

  // --- a new connection ---

  async prepare(client: RedisClient): Promise<void> {
    const term = this.#term;
    if (term === undefined) return this.#own?.becomeCandidate(client);
    const { token, writer, ttlMs } = term;
    if (this.#own === undefined && this.#connection.fence === undefined) {
      // The lease of the channel is lost, so the former connection may still be executing batches.
      return this.#depose(await this.#commands.pastEpochs(client));
    }
    const disconnectOthers = async () => this.#own?.disconnectOthers(client, ttlMs);
    const resuming = this.#commands.resume(client, ttlMs, token, writer, disconnectOthers);
    const resumed = await (this.#own === undefined ? lostIfUnusable(resuming, this.#settings) : resuming);
    if (resumed.state === 'lost') {
      this.#depose(resumed.past);
      return this.#own?.becomeCandidate(client);
    }
    await this.#own?.watch(client, resumed.head.epoch);
    writer.resumed(resumed.head, client);
    // The holder has given up the lease while the link was down.
    if (writer.isEnded) await this.#release(client, token);
  }

  #onConnected(): void {
    const { client } = this.#link;
    this.#term?.writer.attach(client);
    this.#settlePreviousWriter();
    this.#events.emit('connected', undefined);
  }

  /** The connection of the previous term is dead: the outcome of its batches in flight is unknown. */
  #settlePreviousWriter(): void {
    this.#previousWriter?.deposed([]);
    this.#previousWriter = undefined;
  }

  /** The connection stays open for the other leases. */
  #leave(): void {
    this.#connection.remove(this);
    this.#unwatchLink();
    this.#depose([]);
    this.#settlePreviousWriter();
  }

  /** Ends the term, because the lease is lost or the link has ended for good. */
  #depose(past: readonly PastEpoch[]): void {
    this.#term?.writer.deposed(past);
    this.#endTerm();
  }

  // --- shared ---

  get #link() {
    return this.#connection.link;
  }

  get #writerOptions() {
    const { name } = this.#channel;
    return {
      channel: this.#channel,
      isSharded: this.#settings.isSharded === true,
      fence: () => this.#connection.fence,
      onUntrusted: (client: RedisClient, error: unknown) => this.#link.dropConnection(client, error),
      refusedError: (error: unknown) => refusedError(error, name, this.#settings),
      onRefusal: (client: RedisClient, error: unknown) => this.#link.onRefusal(client, error),
      unknownError: (reason: string) => {
        const shown = printable(redact(reason, this.#settings.password), 1_000);
        const text = `Publishing on ${name}: ${shown}. Whether the messages were published is unknown.`;
        return new TickbusError('TICKBUS_OUTCOME_UNKNOWN', text);
      },
      unconfirmedError: (reason: string) => unconfirmedError(name, reason, this.#settings),
      notSentError: (reason: string) =>
        new TickbusError('TICKBUS_NOT_SENT', `Nothing was published on ${name}: ${reason}.`),
    };
  }

  async #run<T>(command: (client: RedisClient) => Promise<T>): Promise<T> {
    await this.#link.connect();
    const { client } = this.#link;
    try {
      return await command(client);
    } catch (error) {
      this.#link.onRefusal(client, error);
      throw commandError(error, this.#settings, 'write');
    }
  }
}
