// The port over one Redis link: RESP3, so that pushed messages and replies share one ordered connection.

import type { ChannelSpec } from '../../core/channel.ts';
import { countedKeys } from '../../core/demand.ts';
import type {
  Chained,
  ChannelHead,
  ChannelState,
  DemandOperations,
  FenceToken,
  LeaseAttempt,
  LeaseOperations,
  Logger,
  Outgoing,
  Receipt,
  Transport,
  Unsubscribe,
} from '../../core/ports.ts';
import { ORIGIN, type Position } from '../../core/sequence.ts';
import type { LinkStatus } from '../../core/status.ts';
import { AS_BYTES, type RedisClient } from './client.ts';
import { commandError } from './errors.ts';
import { RedisLink } from './link.ts';
import { answerFrom, canBeReady, publishCall } from './publish-call.ts';
import { channelKeys } from './scripts.ts';
import type { RedisSettings } from './settings.ts';
import { Stamps } from './stamps.ts';

interface LinkSubscription {
  readonly name: string;
  readonly listener: (message: Buffer) => void;
}

/** The port's operations; the link below them connects, watches and reconnects. */
export class RedisTransport implements Transport {
  readonly #settings: RedisSettings;
  readonly #logger: Logger;
  readonly #link: RedisLink;
  readonly #subscriptions = new Set<LinkSubscription>();
  readonly #stamps = new Stamps();

  constructor(settings: RedisSettings, logger: Logger) {
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
    fence?: FenceToken,
    chained: Partial<Chained> = {},
  ): Promise<Receipt> {
    const sentAt = performance.now();
    const stamp = canBeReady(channel, chained) ? this.#stamps.at(sentAt) : undefined;
    const { script, keys, args } = publishCall(channel, batch, { ...chained, fence, stamp });
    const { receipt, at } = answerFrom(await this.#run((client) => client[script](keys, args)), channel);
    if (at > 0) this.#stamps.answered(at, sentAt, stamp);
    return receipt;
  }

  async subscribe({ name }: ChannelSpec, onFrame: (frame: Uint8Array) => void): Promise<Unsubscribe> {
    const subscription: LinkSubscription = {
      name,
      listener: (message) => {
        // One that was ended hears nothing more, even if the client still has it.
        if (!this.#subscriptions.has(subscription)) return;
        this.#link.heard();
        // No exception may reach the client: it would reset its decoder in the middle of the stream.
        try {
          onFrame(message);
        } catch (err) {
          this.#logger.error({ err, channel: name }, 'A received message could not be processed.');
        }
      },
    };
    this.#subscriptions.add(subscription);
    try {
      await this.#run((client) => client.subscribe(name, subscription.listener, true), 'read');
    } catch (error) {
      this.#end(subscription);
      throw error;
    }
    return () => this.#end(subscription);
  }

  async read(channel: ChannelSpec, since: Position = ORIGIN): Promise<ChannelState> {
    const { head, last, history } = channelKeys(channel);
    const args = [channel.kind, String(since.epoch), String(since.seq)];
    const reply = await this.#run((client) =>
      client.withTypeMapping(AS_BYTES).readChannel([head, last, history], args),
    );
    const [epoch, seq, at, entries] = reply as unknown as [Buffer, Buffer, Buffer, Buffer[]];
    return { position: { epoch: Number(epoch), seq: Number(seq) }, at: Number(at), entries };
  }

  /** Two commands and no script, written together: the time is that of the head or a moment later. */
  async head(channel: ChannelSpec): Promise<ChannelHead> {
    const [[epoch, seq], [seconds, microseconds]] = await this.#run(
      (client) =>
        Promise.all([
          client.hmGet(channelKeys(channel).head, ['epoch', 'seq']),
          client.sendCommand<[string, string]>(['TIME']),
        ]),
      'read',
    );
    const position = { epoch: Number(epoch ?? 0), seq: Number(seq ?? 0) };
    return { position, at: Number(seconds) * 1_000 + Number(microseconds) / 1_000 };
  }

  lease(channel: ChannelSpec): LeaseOperations {
    const { head, lease } = channelKeys(channel);
    return {
      acquire: async (ttlMs) =>
        attemptFrom(await this.#run((client) => client.acquireLease([head, lease], [String(ttlMs)]))),
      renew: async (token, ttlMs) =>
        (await this.#run((client) => client.renewLease([head, lease], [String(token), String(ttlMs)]))) === 1,
      release: async (token) =>
        (await this.#run((client) => client.releaseLease([head, lease], [String(token)]))) === 1,
    };
  }

  demand(channel: ChannelSpec): DemandOperations {
    const { demand } = channelKeys(channel);
    return {
      declare: async (who, keys, ttlMs) => {
        await this.#run((client) => client.declareDemand([demand], [who, String(ttlMs), ...keys]));
      },
      withdraw: async (who, keys) => {
        await this.#run((client) => client.withdrawDemand([demand], [who, ...keys]));
      },
      wanted: async () => {
        const reply = await this.#run((client) => client.readDemand([demand], []), 'read');
        return countedKeys(Array.isArray(reply) ? reply.map(String) : []);
      },
    };
  }

  onStatus(listener: (status: LinkStatus) => void): Unsubscribe {
    return this.#link.onStatus(listener);
  }

  async close(): Promise<void> {
    this.#link.close();
  }

  /** On a new connection. All at once: they are acknowledged in one round trip. */
  async #subscribeAll(client: RedisClient): Promise<void> {
    await Promise.all(
      [...this.#subscriptions].map(({ name, listener }) => client.subscribe(name, listener, true)),
    );
  }

  /** Gives a command to the client, if the link is up; nothing is ever queued for later. */
  async #run<T>(
    command: (client: RedisClient) => Promise<T>,
    effect: 'read' | 'write' = 'write',
  ): Promise<T> {
    const { client } = this.#link;
    try {
      return await command(client);
    } catch (error) {
      throw commandError(error, this.#settings, effect);
    }
  }

  #end(subscription: LinkSubscription): void {
    if (!this.#subscriptions.delete(subscription)) return;
    const { name, listener } = subscription;
    // It hears nothing from here on; that the server still sends for a moment does no harm.
    this.#run((client) => client.unsubscribe(name, listener, true), 'read').catch(() => {});
  }
}

function attemptFrom(reply: unknown): LeaseAttempt {
  const [state, number] = Array.isArray(reply) ? reply.map(String) : [];
  const value = Number(number);
  if (state === 'held') return { state, token: value };
  return { state: state === 'holding_off' ? state : 'taken', leftMs: value };
}
