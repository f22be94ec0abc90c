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
import { Audience } from './audience.ts';
import { AS_BYTES, type RedisClient } from './client.ts';
import { commandError, isDenied } from './errors.ts';
import { RedisLink } from './link.ts';
import {
  answerFrom,
  canBeFramed,
  canBeReady,
  type PublishAnswer,
  type PublishCall,
  publishCall,
} from './publish-call.ts';
import { publishTransaction } from './publish-transaction.ts';
import { channelKeys } from './scripts.ts';
import type { RedisSettings } from './settings.ts';
import { Stamps } from './stamps.ts';

interface LinkSubscription {
  /** The channel, where whole batches are sent to our subscribers, and what they are counted by. */
  readonly names: readonly [string, ...string[]];
  readonly listener: (message: Buffer) => void;
}

/** The port's operations; the link below them connects, watches and reconnects. */
export class RedisTransport implements Transport {
  readonly #settings: RedisSettings;
  readonly #logger: Logger;
  readonly #link: RedisLink;
  readonly #subscriptions = new Set<LinkSubscription>();
  /** The channels whose frames a connection may not hear. */
  readonly #withoutFrames = new WeakMap<RedisClient, Set<string>>();
  readonly #stamps = new Stamps();
  readonly #audience = new Audience();

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
    return this.#publish(channel, batch, { ...chained, fence }, canBeReady(channel, chained));
  }

  /** @param isReady whether the messages go out as they will stand on the wire, as far as the server's time can be told */
  async #publish(
    channel: ChannelSpec,
    batch: readonly Outgoing[],
    terms: Partial<Chained> & { readonly fence: FenceToken | undefined },
    isReady: boolean,
  ): Promise<Receipt> {
    const sentAt = performance.now();
    const stamp = isReady ? this.#stamps.at(sentAt) : undefined;
    const answer = await this.#run((client) => {
      const way = stamp === undefined ? 'messages' : this.#audience.wayOf(channel, client, sentAt);
      return answered(client, channel, publishCall(channel, batch, { ...terms, stamp, way }));
    });
    if (answer.at > 0) this.#stamps.answered(answer.at, sentAt, stamp);
    if (answer.isOurs !== undefined) this.#audience.saw(channel, answer.isOurs, sentAt);
    if (answer.isUnfit) this.#audience.transactionFailed();
    // A transaction that was given up has done nothing. In its place the script says why, or does it; those behind it follow in order.
    return answer.receipt ?? this.#publish(channel, batch, terms, false);
  }

  async subscribe(channel: ChannelSpec, onFrame: (frame: Uint8Array) => void): Promise<Unsubscribe> {
    const { name } = channel;
    const { frames, ours } = channelKeys(channel);
    const subscription: LinkSubscription = {
      names: canBeFramed(channel) ? [name, frames, ours] : [name],
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
      await this.#run((client) => this.#listen(client, subscription), 'read');
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
    await Promise.all([...this.#subscriptions].map((subscription) => this.#listen(client, subscription)));
  }

  /**
   * By one command, so that whoever counts listeners finds all or none. Who may not hear frames, as users may be set up from before there
   * were any, is counted as a plain client, and sent each message by itself. That stays so on this connection, which is counted once for all
   * who listen on it.
   */
  async #listen(client: RedisClient, { names, listener }: LinkSubscription): Promise<void> {
    const [name] = names;
    const refused = this.#withoutFrames.get(client) ?? new Set();
    if (refused.has(name)) return client.subscribe(name, listener, true);
    try {
      await client.subscribe([...names], listener, true);
    } catch (error) {
      if (names.length === 1 || !isDenied(error)) throw error;
      this.#withoutFrames.set(client, refused.add(name));
      await client.subscribe(name, listener, true);
    }
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
    const { names, listener } = subscription;
    // It hears nothing from here on; that the server still sends for a moment does no harm.
    this.#run((client) => client.unsubscribe([...names], listener, true), 'read').catch(() => {});
  }
}

async function answered(
  client: RedisClient,
  channel: ChannelSpec,
  call: PublishCall,
): Promise<PublishAnswer> {
  if (call.script === 'transaction') return publishTransaction(client, call);
  return answerFrom(await client[call.script](call.keys, call.args), channel, call.script);
}

function attemptFrom(reply: unknown): LeaseAttempt {
  const [state, number] = Array.isArray(reply) ? reply.map(String) : [];
  const value = Number(number);
  if (state === 'held') return { state, token: value };
  return { state: state === 'holding_off' ? state : 'taken', leftMs: value };
}
