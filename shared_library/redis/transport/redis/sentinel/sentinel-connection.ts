// The connection to one sentinel: what it knows about the master.

import { ConnectionTimeoutError } from 'redis';
import type { Place, SentinelGroup } from '../address.ts';
import { type ClientSettings, createRedisClient, type RedisClient } from '../client.ts';

/** Milliseconds that a sentinel has for its answer, including connecting. Links wait for the slowest one. */
const ANSWER_TIMEOUT_MS = 500;

/** What one sentinel knows. */
export interface SentinelAnswer {
  /** The id of the sentinel: it can have several addresses. */
  readonly id: string;
  readonly master: Place;
  /** The configuration epoch, which grows with every failover. */
  readonly epoch: number;
  /** The other sentinels of this master, as far as the user may read them. */
  readonly others: readonly Place[];
  /** Number of sentinels that it knows, itself included. */
  readonly sentinels: number;
}

/** Connects when it is asked, and stays connected until `close` or a failure. */
export class SentinelConnection {
  readonly place: Place;
  readonly #settings: ClientSettings;
  readonly #master: string;
  #client: RedisClient | undefined;

  constructor(place: Place, settings: ClientSettings, { master, username, password }: SentinelGroup) {
    const { tls, certificates, name } = settings;
    this.place = place;
    this.#master = master;
    // The user and password of Redis are not for the sentinels.
    this.#settings = {
      ...place,
      db: 0,
      tls,
      name: `${name}:sentinel`,
      connectTimeoutMs: ANSWER_TIMEOUT_MS,
      ...(certificates === undefined ? {} : { certificates }),
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    };
  }

  /** Rejects with the error of the client, or with the error reply of the sentinel. */
  async ask(): Promise<SentinelAnswer> {
    try {
      return await withTimeout(this.#ask(), ANSWER_TIMEOUT_MS);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.destroy();
  }

  async #ask(): Promise<SentinelAnswer> {
    const client = this.#client ?? (await this.#connect());
    const send = (...words: string[]) => client.sendCommand(['SENTINEL', ...words, this.#master]);
    // During a failover, only GET-MASTER-ADDR-BY-NAME names the promoted replica under the new epoch.
    const [id, master, address, others] = await Promise.all([
      client.sendCommand(['SENTINEL', 'MYID']),
      send('MASTER'),
      send('GET-MASTER-ADDR-BY-NAME'),
      // Optional: the user may lack the permission.
      send('SENTINELS').catch(() => []),
    ]);
    const fields = fieldsOf(master);
    const epoch = Number(fields['config-epoch']);
    const sentinels = 1 + Number(fields['num-other-sentinels'] ?? 0);
    const [host, port] = Array.isArray(address) ? address : [];
    if (!Number.isSafeInteger(epoch) || typeof host !== 'string' || !(Number(port) > 0))
      throw new Error('It replied with no address of a master');
    const place = { host, port: Number(port) };
    return { id: String(id), master: place, epoch, others: placesIn(others), sentinels };
  }

  async #connect(): Promise<RedisClient> {
    const client = createRedisClient(this.#settings);
    this.#client = client;
    client.on('error', () => {
      if (this.#client === client) this.close();
    });
    await client.connect();
    // Closed by the timeout while it connected.
    if (this.#client !== client) client.destroy();
    return client;
  }
}

function placesIn(reply: unknown): Place[] {
  if (!Array.isArray(reply)) return [];
  return reply.flatMap((one) => {
    const { ip, port } = fieldsOf(one);
    return ip && Number(port) > 0 ? [{ host: ip, port: Number(port) }] : [];
  });
}

/** A map of RESP3, or names and values in turn. */
function fieldsOf(reply: unknown): Readonly<Record<string, string | undefined>> {
  if (!Array.isArray(reply)) return Object(reply) as Record<string, string>;
  return Object.fromEntries(
    reply.flatMap((name, index) => (index % 2 === 0 ? [[String(name), String(reply[index + 1])]] : [])),
  );
}

async function withTimeout<T>(answer: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timedOut = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ConnectionTimeoutError()), ms);
  });
  try {
    return await Promise.race([answer, timedOut]);
  } finally {
    clearTimeout(timer);
    answer.catch(() => {});
  }
}
