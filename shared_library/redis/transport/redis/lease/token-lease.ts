// The lease of a job, or of a channel on which its holder publishes by script. The token is the fence.

import type { ChannelSpec } from '../../../channel/channel.ts';
import type { Unsubscribe } from '../../../runtime/emitter.ts';
import type { FenceToken, LeaseAttempt, LeaseOperations, Transport } from '../../port.ts';
import type { RedisClient } from '../client.ts';
import { requireOnlyDatabase } from '../database-guard.ts';
import type { LinkSettings } from '../link-settings.ts';
import { LeaseCommands, programOf, replacedBy } from './lease-commands.ts';
import type { ReplicaConfirmation } from './replica-confirmation.ts';

/** A lease that shares the link of a transport. */
export class TokenLease implements LeaseOperations {
  readonly #channel: ChannelSpec;
  readonly #settings: LinkSettings;
  readonly #transport: Pick<Transport, 'connect' | 'onStatus'>;
  readonly #run: <T>(command: (client: RedisClient) => Promise<T>) => Promise<T>;
  readonly #commands: LeaseCommands;
  readonly #confirmation: ReplicaConfirmation;

  constructor(
    channel: ChannelSpec,
    settings: LinkSettings,
    transport: Pick<Transport, 'connect' | 'onStatus'>,
    confirmation: ReplicaConfirmation,
    run: <T>(command: (client: RedisClient) => Promise<T>) => Promise<T>,
  ) {
    this.#channel = channel;
    this.#settings = settings;
    this.#transport = transport;
    this.#confirmation = confirmation;
    this.#run = run;
    this.#commands = new LeaseCommands(channel, programOf(settings));
  }

  connect(): Promise<void> {
    return this.#transport.connect();
  }

  async acquire(ttlMs: number): Promise<LeaseAttempt> {
    // On a cluster, the link of a channel connects on first use.
    await this.connect();
    const claimed = await this.#run(async (client) => {
      await requireOnlyDatabase(client, this.#channel, this.#settings);
      await this.#confirmation.requireReplicas(client);
      return this.#commands.claim(client, ttlMs, 'token', () => this.#confirmation.confirm(client, ttlMs));
    });
    if (claimed.state !== 'activated') return claimed;
    return { state: 'held', token: claimed.token, ...replacedBy(claimed) };
  }

  renew(token: FenceToken, ttlMs: number): Promise<boolean> {
    return this.#run(async (client) => {
      if ((await this.#commands.renew(client, token, ttlMs)) === 0) return false;
      await this.#confirmation.confirm(client, ttlMs);
      return true;
    });
  }

  release(token: FenceToken): Promise<boolean> {
    return this.#run((client) => this.#commands.release(client, token));
  }

  onConnected(listener: () => void): Unsubscribe {
    return this.#transport.onStatus(({ type }) => {
      if (type === 'connected') listener();
    });
  }

  async close(): Promise<void> {}
}
