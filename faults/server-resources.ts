// The servers of a scenario and every proxy, connection, publisher and subscriber on it, closed together at the end.

import { TcpProxy } from '@tickbus/fault-kit/proxy';
import type { LocalRedis } from '@tickbus/local-redis';
import type { Random } from '@tickbus/test-kit/random';
import { createClient } from 'redis';
import {
  type Logger,
  RedisConnection,
  RedisPublisher,
  type RedisPublisherOptions,
  RedisSubscriber,
} from 'tickbus';
import { StatusLog } from './status-log.ts';

/** A client that is only duplicated, never connected: a duplicate takes under 1 ms, a new client up to 100 ms. */
let clientTemplate: ReturnType<typeof createClient> | undefined;

const LOG_LINES = 50;

/** A cluster, or a master with its replicas and sentinels. A single server is one, too. */
export interface ServerGroup {
  /** The address for clients. */
  readonly url: string;
  /** The server that serves this channel now. */
  serverOf(channel: string): Promise<LocalRedis>;
}

export class ServerResources implements AsyncDisposable {
  readonly random: Random;
  /** The last lines that the library logged. */
  readonly log: string[] = [];
  readonly logger: Logger = this.#createLogger();
  #redis: LocalRedis | undefined;
  #group: ServerGroup | undefined;
  readonly #closers: (() => unknown)[] = [];

  constructor(redis: LocalRedis | undefined, random: Random) {
    this.#redis = redis;
    this.random = random;
    this.atEnd(() => redis?.[Symbol.asyncDispose]());
  }

  /** The server that new resources and commands use. @throws Error on a group of servers */
  get redis(): LocalRedis {
    if (this.#redis === undefined) throw new Error('The scenario has no single server.');
    return this.#redis;
  }

  /** From now on new resources and commands use `redis`, as after a failover. */
  moveTo(redis: LocalRedis): void {
    this.#redis = redis;
  }

  /** From now on new resources use this group, unless they name a port. */
  moveToGroup(group: ServerGroup): void {
    this.#redis = undefined;
    this.#group = group;
  }

  /** The address of a local port. Default: the address of the server or the group. */
  urlOf(port?: number): string {
    if (port !== undefined) return `redis://127.0.0.1:${port}`;
    return this.#group?.url ?? this.redis.url;
  }

  /** Calls `close` at the end, in reverse order of registration. @returns a function that cancels the registration */
  atEnd(close: () => unknown): () => void {
    this.#closers.push(close);
    return () => {
      const index = this.#closers.indexOf(close);
      if (index >= 0) this.#closers.splice(index, 1);
    };
  }

  async proxy(redis: LocalRedis = this.redis): Promise<TcpProxy> {
    const random = this.random.fork(`proxy ${this.#closers.length}`);
    const proxy = await TcpProxy.start({ port: redis.port, random });
    this.atEnd(() => proxy.close());
    return proxy;
  }

  /** A separate connection, to observe the status of its links. */
  connection(port?: number): RedisConnection {
    const connection = new RedisConnection({ url: this.urlOf(port), logger: this.logger });
    this.atEnd(() => connection.close());
    return connection;
  }

  publisher(port?: number, options: Partial<RedisPublisherOptions> = {}): RedisPublisher {
    const publisher = new RedisPublisher({
      url: this.urlOf(port),
      logger: this.logger,
      sender: 'faults',
      ...options,
    });
    this.atEnd(() => publisher.close());
    return publisher;
  }

  /** Creates a subscriber that does not listen yet. */
  subscriber(port?: number): { subscriber: RedisSubscriber; statuses: StatusLog } {
    const subscriber = new RedisSubscriber({ url: this.urlOf(port), logger: this.logger });
    this.atEnd(() => subscriber.close({ timeoutMs: 1_000 }));
    const statuses = new StatusLog();
    subscriber.on('status', statuses.add);
    return { subscriber, statuses };
  }

  /** Sends one command over a new connection of a plain client. */
  command(...command: string[]): Promise<unknown> {
    return this.#send(this.redis, command);
  }

  /** As `command`, to the server that serves this channel. */
  async commandFor(channel: string, ...command: string[]): Promise<unknown> {
    return this.#send((await this.#group?.serverOf(channel)) ?? this.redis, command);
  }

  async #send({ host, port }: LocalRedis, command: string[]): Promise<unknown> {
    clientTemplate ??= createClient();
    const client = clientTemplate.duplicate({ socket: { host, port, reconnectStrategy: false } });
    client.on('error', () => {});
    await client.connect();
    try {
      return await client.sendCommand(command);
    } finally {
      client.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }

  #createLogger(): Logger {
    const line = (level: string) => (_: object, message: string) => {
      this.log.push(`${level} ${message}`);
      if (this.log.length > LOG_LINES) this.log.shift();
    };
    return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  }
}
