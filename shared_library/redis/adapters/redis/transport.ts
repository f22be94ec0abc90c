// The port over one Redis link: RESP3, so that pushed messages and replies share one ordered connection.

import type { ChannelSpec } from '../../core/channel.ts';
import { Emitter } from '../../core/emitter.ts';
import type {
  ChannelState,
  FenceToken,
  LeaseOperations,
  Logger,
  Outgoing,
  Receipt,
  Transport,
  Unsubscribe,
} from '../../core/ports.ts';
import { ORIGIN, type Position } from '../../core/sequence.ts';
import type { LinkStatus } from '../../core/status.ts';
import { TickbusError } from '../../errors.ts';
import { AS_BYTES, createRedisClient, type RedisClient } from './client.ts';
import { commandError, connectError, linkError, notConnected } from './errors.ts';
import { channelKeys } from './scripts.ts';
import { type RedisSettings, whereabouts } from './settings.ts';

interface LinkSubscription {
  readonly name: string;
  readonly listener: (message: Buffer) => void;
}

/**
 * States: new -> connecting -> connected <-> disconnected (the client reconnects by itself) -> closed; `failed` after a first
 * connection that did not come about, or a link that is not to be tried again: `connect()` then begins anew.
 */
export class RedisTransport implements Transport {
  readonly #settings: RedisSettings;
  readonly #logger: Logger;
  readonly #status: Emitter<{ status: LinkStatus }>;
  readonly #subscriptions = new Set<LinkSubscription>();
  #state: 'new' | 'connecting' | 'connected' | 'disconnected' | 'failed' | 'closed' = 'new';
  #client: RedisClient | undefined;
  #connecting: Promise<void> | undefined;
  #generation = 0;

  constructor(settings: RedisSettings, logger: Logger) {
    this.#settings = settings;
    this.#logger = logger;
    this.#status = new Emitter((err) => logger.error({ err }, 'A listener of the link threw.'));
  }

  connect(): Promise<void> {
    if (this.#state === 'closed') return Promise.reject(closed());
    this.#connecting ??= this.#open();
    return this.#connecting;
  }

  async publish(channel: ChannelSpec, batch: readonly Outgoing[], fence?: FenceToken): Promise<Receipt> {
    const { head, last, history, lease } = channelKeys(channel);
    const args = [
      channel.name,
      channel.kind,
      String(channel.history),
      fence === undefined ? '' : String(fence),
    ];
    for (const { key, json } of batch) args.push(key ?? '', json.slice(1));
    const reply = await this.#run((client) => client.publishBatch([head, last, history, lease], args));
    return receiptFrom(reply, channel);
  }

  async subscribe({ name }: ChannelSpec, onFrame: (frame: Uint8Array) => void): Promise<Unsubscribe> {
    const subscription: LinkSubscription = {
      name,
      listener: (message) => {
        // One that was ended hears nothing more, even if the client still has it.
        if (!this.#subscriptions.has(subscription)) return;
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
    const [epoch, seq, ...entries] = reply as unknown as Buffer[];
    return { position: { epoch: Number(epoch), seq: Number(seq) }, entries };
  }

  lease(channel: ChannelSpec): LeaseOperations {
    const { head, lease } = channelKeys(channel);
    return {
      acquire: async (ttlMs) => {
        const token = await this.#run((client) => client.acquireLease([head, lease], [String(ttlMs)]));
        return token === null ? undefined : Number(token);
      },
      renew: async (token, ttlMs) =>
        (await this.#run((client) => client.renewLease([lease], [String(token), String(ttlMs)]))) === 1,
      release: async (token) =>
        (await this.#run((client) => client.releaseLease([lease], [String(token)]))) === 1,
    };
  }

  onStatus(listener: (status: LinkStatus) => void): Unsubscribe {
    return this.#status.on('status', listener);
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#enter('closed', { type: 'closed' });
    this.#status.clear();
    this.#client?.destroy();
  }

  /** Makes a client and brings it up, with every subscription there is. One client lasts until its link is given up. */
  async #open(): Promise<void> {
    this.#enter('connecting', { type: 'connecting' });
    let established = this.#generation > 0;
    const client = createRedisClient(this.#settings, () => established);
    this.#client = client;
    client.on('error', (error: unknown) => this.#onError(client, error));
    client.on(
      'terminated',
      (error: unknown) => established && this.#giveUp(client, linkError(error, this.#settings)),
    );
    client.on('reconnecting', () => this.#onReconnecting(client));
    const cancelDeadline = this.#deadline(client);
    try {
      await client.connect();
      for (const { name, listener } of this.#subscriptions) await client.subscribe(name, listener, true);
    } catch (error) {
      const failure = this.#state === 'closed' ? closed() : connectError(error, this.#settings);
      this.#giveUp(client, failure);
      throw failure;
    } finally {
      cancelDeadline();
    }
    established = true;
    this.#onReady(client);
    client.on('ready', () => this.#onReady(client));
  }

  /** Bounds the whole of connecting; the client's own time limit ends with the TCP connection. */
  #deadline(client: RedisClient): () => void {
    const timer = setTimeout(() => client.destroy(), this.#settings.connectTimeoutMs);
    return () => clearTimeout(timer);
  }

  #onReady(client: RedisClient): void {
    if (client !== this.#client || this.#state === 'closed') return;
    this.#logger.debug(this.#fields(), 'Connected to Redis.');
    this.#enter('connected', { type: 'connected', generation: ++this.#generation });
  }

  #onError(client: RedisClient, error: unknown): void {
    if (client !== this.#client || this.#state !== 'connected') return;
    const failure = linkError(error, this.#settings);
    this.#logger.warn(this.#fields(failure), failure.message);
    this.#enter('disconnected', { type: 'disconnected', error: failure });
    // An error on a link that is still up came from its decoder: the stream cannot be trusted any more.
    if (client.isReady) this.#replace(client);
  }

  #onReconnecting(client: RedisClient): void {
    if (client === this.#client && this.#state === 'disconnected')
      this.#status.emit('status', { type: 'reconnecting' });
  }

  #replace(client: RedisClient): void {
    client.destroy();
    this.#connecting = this.#open();
    // Told as status; the next `connect()` hears of it too.
    this.#connecting.catch(() => {});
  }

  #giveUp(client: RedisClient, error: TickbusError): void {
    if (client !== this.#client || this.#state === 'closed' || this.#state === 'failed') return;
    this.#logger.error(this.#fields(error), error.message);
    this.#connecting = undefined;
    this.#enter('failed', { type: 'failed', error });
    client.destroy();
  }

  #enter(state: 'connecting' | 'connected' | 'disconnected' | 'failed' | 'closed', status: LinkStatus): void {
    this.#state = state;
    this.#status.emit('status', status);
  }

  /** Gives a command to the client, if the link is up; nothing is ever queued for later. */
  async #run<T>(
    command: (client: RedisClient) => Promise<T>,
    effect: 'read' | 'write' = 'write',
  ): Promise<T> {
    if (this.#state === 'closed') throw closed();
    if (this.#client === undefined || this.#state !== 'connected') throw notConnected(this.#settings);
    try {
      return await command(this.#client);
    } catch (error) {
      throw commandError(error, this.#settings, effect);
    }
  }

  #fields(error?: TickbusError): object {
    const { name } = this.#settings;
    return {
      redis: whereabouts(this.#settings),
      link: name,
      ...(error === undefined ? {} : { code: error.code }),
    };
  }

  #end(subscription: LinkSubscription): void {
    if (!this.#subscriptions.delete(subscription)) return;
    const { name, listener } = subscription;
    // It hears nothing from here on; that the server still sends for a moment does no harm.
    this.#client?.unsubscribe(name, listener, true).catch(() => {});
  }
}

function closed(): TickbusError {
  return new TickbusError('TICKBUS_CLOSED', 'The connection was closed. Make a new one.');
}

/** Anything but a receipt leaves open what was done. */
function receiptFrom(reply: unknown, { kind, name }: ChannelSpec): Receipt {
  const [epoch, seq, receivers] = Array.isArray(reply) ? reply.map(Number) : [];
  if (
    epoch === undefined ||
    seq === undefined ||
    receivers === undefined ||
    !Number.isSafeInteger(epoch + seq + receivers)
  ) {
    const text = `What answered the publish on ${name} is no Redis: it may or may not have been published.`;
    throw new TickbusError('TICKBUS_OUTCOME_UNKNOWN', text);
  }
  return { first: kind === 'plain' ? undefined : { epoch, seq }, receivers };
}
