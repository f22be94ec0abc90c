// The demand of a channel on Redis. Every call is cut into chunks, so that none blocks the server for long.

import type { ChannelSpec } from '../../channel/channel.ts';
import { MAX_DEMAND } from '../../channel/limits.ts';
import { countKeys, demandFullError, MAX_DEMAND_BYTES, tooMuchDemandError } from '../demand-entries.ts';
import type { DemandOperations } from '../port.ts';
import type { RedisClient } from './client.ts';
import { channelKeys } from './keys.ts';

export type RunCommand = <T>(
  command: (client: RedisClient) => Promise<T>,
  effect?: 'read' | 'write',
) => Promise<T>;

/** Keys a call. */
const CHUNK = 1_000;
/** Maximum bytes of an entry: the id of a subscriber and a key of 256 UTF-16 units. */
const MAX_ENTRY_BYTES = 2_048;

/** Calls are executed in order, and their chunks one after another, so that pings of the link come between them. */
export function redisDemand(channel: ChannelSpec, run: RunCommand): DemandOperations {
  const { demand } = channelKeys(channel);
  let last: Promise<unknown> = Promise.resolve();
  const inOrder = (call: () => Promise<void>): Promise<void> => {
    const done = last.then(call);
    last = done.catch(() => {});
    return done;
  };
  return {
    declare: (subscriberId, keys, ttlMs) =>
      inOrder(async () => {
        let declined = 0;
        for (const chunk of chunksOf(keys)) {
          const args = [subscriberId, String(ttlMs), String(MAX_DEMAND), ...chunk];
          declined += Number(await run((client) => client.declareDemand([demand], args)));
        }
        if (declined > 0) throw demandFullError(channel, declined);
      }),
    withdraw: (subscriberId, keys) =>
      inOrder(async () => {
        for (const chunk of chunksOf(keys))
          await run((client) => client.withdrawDemand([demand], [subscriberId, ...chunk]));
      }),
    async wanted() {
      const entries = new Set<string>();
      let [cursor, scanned, bytes] = ['0', 0, 0];
      do {
        const args = [cursor, String(CHUNK), String(MAX_ENTRY_BYTES)];
        const reply = await run((client) => client.readDemand([demand], args), 'read');
        const [next, count, found, size] = reply as unknown as [string, number, string[], number];
        for (const entry of found) entries.add(entry);
        [cursor, scanned, bytes] = [String(next), scanned + Number(count), bytes + Number(size)];
        // Twice the limit, because expired entries stay for a while.
        if (scanned > 2 * MAX_DEMAND || bytes > MAX_DEMAND_BYTES) throw tooMuchDemandError(channel);
      } while (cursor !== '0');
      return countKeys(entries);
    },
  };
}

function chunksOf(keys: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: Math.ceil(keys.length / CHUNK) }, (_, index) =>
    keys.slice(index * CHUNK, (index + 1) * CHUNK),
  );
}
