// The demand of a channel on Redis. Calls are split into chunks, so that no command blocks the server for long.

import type { ChannelSpec } from '../../channel/channel.ts';
import { MAX_DEMAND } from '../../channel/limits.ts';
import { countKeys, demandFullError, tooMuchDemandError } from '../demand-entries.ts';
import type { DemandOperations } from '../demand-port.ts';
import type { RedisClient } from './client.ts';
import { channelKeys } from './keys.ts';

export type RunCommand = <T>(
  command: (client: RedisClient) => Promise<T>,
  effect?: 'read' | 'write',
) => Promise<T>;

/** Number of keys or entries per command. */
const CHUNK = 1_000;

/** `declare` and `withdraw` run in call order, one chunk at a time, so that pings of the link run between chunks. */
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

function chunksOf(keys: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: Math.ceil(keys.length / CHUNK) }, (_, index) =>
    keys.slice(index * CHUNK, (index + 1) * CHUNK),
  );
}
