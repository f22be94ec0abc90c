// Who listens on the channels, as far as the server can tell: where all are subscribers of ours, they can be sent whole batches.

import type { ChannelSpec } from '../../core/channel.ts';
import type { RedisClient } from './client.ts';
import { parseServerFacts } from './server-report.ts';

/** Milliseconds for which is believed what was seen. */
const BELIEVED_MS = 1_000;

/** How a batch goes out: message by message, as one frame, or as a frame in a transaction, which is less work where the batch is large. */
export type Way = 'messages' | 'frame' | 'transaction';

/** What was found out of the server. */
interface Server {
  /**
   * Whoever listens is connected to it, and not to a replica or another node of a cluster. While there is a backlog, a replica can come back
   * and be sent what it missed.
   */
  readonly seesAll: boolean;
  /** The user may use transactions. */
  readonly transacts: boolean;
}

const UNKNOWN: Server = { seesAll: false, transacts: false };

/** Until it is known better, everybody may be listening, so that a plain client misses nothing. Times in ms, monotonic. */
export class Audience {
  #client: RedisClient | undefined;
  #server = UNKNOWN;
  #askedAt = 0;
  /** When the server was asked what is known of it. */
  #knownFrom = 0;
  /** By channel. */
  readonly #seen = new Map<string, { readonly isOurs: boolean; readonly at: number }>();

  wayOf({ name, framing }: ChannelSpec, client: RedisClient, now: number): Way {
    this.#keepAsking(client, now);
    // While nothing is published nobody asks, and everything may have changed.
    const { seesAll, transacts } = now - this.#knownFrom <= 2 * BELIEVED_MS ? this.#server : UNKNOWN;
    const framed = transacts ? 'transaction' : 'frame';
    if (framing === 'batch') return framed;
    if (!seesAll) return 'messages';
    const seen = this.#seen.get(name);
    if (seen?.isOurs) return framed;
    return seen === undefined || now - seen.at > BELIEVED_MS ? 'frame' : 'messages';
  }

  /** @param isOurs whether only our subscribers listened */
  saw({ name }: ChannelSpec, isOurs: boolean, now: number): void {
    this.#seen.set(name, { isOurs, at: now });
  }

  /** A transaction failed in a way that another one would, too: none is made until the server was asked again. */
  transactionFailed(): void {
    this.#server = { ...this.#server, transacts: false };
  }

  #keepAsking(client: RedisClient, now: number): void {
    if (client !== this.#client) {
      this.#client = client;
      this.#server = UNKNOWN;
    } else if (now - this.#askedAt <= BELIEVED_MS) return;
    this.#askedAt = now;
    Promise.all([seesAll(client), transacts(client)]).then(([all, may]) => {
      if (client !== this.#client) return;
      this.#server = { seesAll: all, transacts: may };
      this.#knownFrom = now;
    });
  }
}

async function seesAll(client: RedisClient): Promise<boolean> {
  try {
    const info = await client.sendCommand<string>(['INFO', 'server', 'replication']);
    const { mode, role, replicas, hasBacklog } = parseServerFacts(info);
    return mode === 'standalone' && role === 'master' && replicas === 0 && hasBacklog === false;
  } catch {
    return false;
  }
}

/** Asked and not tried: what is refused stands in the server's log each time. */
async function transacts(client: RedisClient): Promise<boolean> {
  try {
    return (await client.sendCommand<number>(['EVAL', MAY_TRANSACT, '0'])) === 1;
  } catch {
    return false;
  }
}

const MAY_TRANSACT = `return redis.acl_check_cmd('MULTI') and redis.acl_check_cmd('EXEC') and 1 or 0`;
