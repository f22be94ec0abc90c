// The demand of a channel on Redis. Every call is cut into chunks, so that none blocks the server for long.

import type { ChannelSpec } from '../../channel/channel.ts';
import { MAX_DEMAND } from '../../channel/limits.ts';
import { countKeys, demandFullError, tooMuchDemandError } from '../demand-entries.ts';
import type { DemandOperations } from '../port.ts';
import type { RedisClient } from './client.ts';
import { channelKeys } from './keys.ts';

export type RunCommand = <T>(
  command: (client: RedisClient) => Promise<T>,
  effect?: 'read' | 'write',
) => Promise<T>;

/** Keys a call. */
const CHUNK = 1_000;

export function redisDemand(channel: ChannelSpec, run: RunCommand): DemandOperations {
  const { demand } = channelKeys(channel);
  return {
    async declare(subscriberId, keys, ttlMs) {
      const sent = chunksOf(keys).map((chunk) => {
        const args = [subscriberId, String(ttlMs), String(MAX_DEMAND), ...chunk];
        return run((client) => client.declareDemand([demand], args));
      });
      const declined = (await Promise.all(sent)).reduce<number>((sum, reply) => sum + Number(reply), 0);
      if (declined > 0) throw demandFullError(channel, declined);
    },
    async withdraw(subscriberId, keys) {
      const sent = chunksOf(keys).map((chunk) =>
        run((client) => client.withdrawDemand([demand], [subscriberId, ...chunk])),
      );
      await Promise.all(sent);
    },
    async wanted() {
      const entries = new Set<string>();
      let [cursor, scanned] = ['0', 0];
      do {
        const args = [cursor, String(CHUNK)];
        const reply = await run((client) => client.readDemand([demand], args), 'read');
        const [next, count, found] = reply as unknown as [string, number, string[]];
        for (const entry of found) entries.add(entry);
        [cursor, scanned] = [String(next), scanned + Number(count)];
        // Twice the limit, because expired entries stay for a while.
        if (scanned > 2 * MAX_DEMAND) throw tooMuchDemandError(channel);
      } while (cursor !== '0');
      return countKeys(entries);
    },
  };
}

/** Declares nothing for no keys, but one call for any other number up to `CHUNK`. */
function chunksOf(keys: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: Math.ceil(keys.length / CHUNK) }, (_, index) =>
    keys.slice(index * CHUNK, (index + 1) * CHUNK),
  );
}
