// The port over one Redis link: RESP3, so that pushed messages and replies share one ordered connection.

import type { ChannelSpec } from '../../core/channel.ts';
import { countedKeys } from '../../core/demand.ts';
import type {
  Chained,
  ChannelState,
  DemandOperations,
  FenceToken,
  LeaseAttempt,
  LeaseOperations,
  Logger,
  Outgoing,
  PublishedBefore,
  Receipt,
  Transport,
  Unsubscribe,
} from '../../core/ports.ts';
import { ORIGIN, type Position } from '../../core/sequence.ts';
import type { LinkStatus } from '../../core/status.ts';
import { TickbusError } from '../../errors.ts';
import { AS_BYTES, type RedisClient } from './client.ts';
import { commandError } from './errors.ts';
import { RedisLink } from './link.ts';
import { numberedFrame, Stamps } from './numbered-frame.ts';
import { channelKeys } from './scripts.ts';
import type { RedisSettings } from './settings.ts';

/** What a script answers that found the channel further than the call expects. */
const OVERTAKEN = 'overtaken';

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
    { call = '', after }: Partial<Chained> = {},
  ): Promise<Receipt> {
    const { head, last, history, lease, id } = channelKeys(channel);
    const keys = [head, last, history, lease];
    const framing = channel.framing ?? 'message';
    const args = [
      channel.name,
      channel.kind,
      String(channel.history),
      fence === undefined ? '' : String(fence),
      framing,
      call,
      after === undefined ? '' : `${after.call} ${after.end.epoch} ${after.end.seq}`,
    ];
    const sentAt = performance.now();
    const stamp = framing === 'batch' && after !== undefined ? this.#stamps.at(sentAt) : undefined;
    let script: 'publishFrame' | 'publishOnce' | 'publishBatch';
    if (after !== undefined && stamp !== undefined) {
      script = 'publishFrame';
      const { text, lengths } = numberedFrame(batch, after.end, stamp);
      args.push(text, String(stamp));
      for (const [index, { key = '' }] of batch.entries()) args.push(key, String(lengths[index]));
    } else {
      // All of a batch have ids, or none.
      script = batch[0]?.once === undefined ? 'publishBatch' : 'publishOnce';
      for (const { key = '', once, json } of batch) {
        if (once !== undefined) keys.push(id(once.id));
        args.push(once === undefined ? key : String(once.rememberMs), json.slice(1));
      }
    }
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

/** A receipt, and the server's time, 0 where it was not told; anything else leaves open what was done. */
function answerFrom(reply: unknown, { kind, name }: ChannelSpec): { receipt: Receipt; at: number } {
  if (Array.isArray(reply) && reply[0] === OVERTAKEN)
    return { receipt: { isOvertaken: true, first: undefined, receivers: 0 }, at: 0 };
  const [epoch, seq, receivers, at, ...before] = Array.isArray(reply) ? reply.map(Number) : [];
  if (
    epoch === undefined ||
    seq === undefined ||
    receivers === undefined ||
    at === undefined ||
    !Number.isSafeInteger(epoch + seq + receivers + at)
  ) {
    const text = `What answered the publish on ${name} is no Redis: it may or may not have been published.`;
    throw new TickbusError('TICKBUS_OUTCOME_UNKNOWN', text);
  }
  const receipt = { first: kind === 'plain' ? undefined : { epoch, seq }, receivers };
  return { receipt: before.length === 0 ? receipt : { ...receipt, repeated: repeatedFrom(before) }, at };
}

/** Four numbers for each message: index, epoch, seq, receivers. */
function repeatedFrom(numbers: readonly number[]): ReadonlyMap<number, PublishedBefore> {
  const repeated = new Map<number, PublishedBefore>();
  for (let i = 0; i + 3 < numbers.length; i += 4) {
    const [index = 0, epoch = 0, seq = 0, receivers = 0] = numbers.slice(i, i + 4);
    repeated.set(index, { position: { epoch, seq }, receivers });
  }
  return repeated;
}
