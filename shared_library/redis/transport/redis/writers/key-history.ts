// The history of each key of a channel: the commands that store messages in it, and those that bound it.

import type { ChannelSpec } from '../../../channel/channel.ts';
import { maxHistoryKeys } from '../../../channel/history.ts';
import type { Position } from '../../../wire/position.ts';
import type { Outgoing } from '../../port.ts';
import type { ChannelKeys } from '../keys.ts';

/**
 * The length of a key's stream. The oldest entry shows that nothing after it was dropped, so that a subscriber which
 * resumes at that entry knows that nothing is missing.
 */
export function keyStreamLength({ historyPerKey }: ChannelSpec): number {
  return historyPerKey === undefined ? 0 : historyPerKey + 1;
}

/**
 * Lua function `evict_histories(index, prefix, limit)`: deletes the histories of the keys that were published on least
 * recently, until `limit` are left. It never fails, because messages have been stored before it runs.
 */
export const LUA_EVICT_HISTORIES = `
local function evict_histories(index, prefix, limit)
  local size = redis.pcall('ZCARD', index)
  local surplus = type(size) == 'number' and size - tonumber(limit) or 0
  if surplus <= 0 then return end
  local evicted = redis.pcall('ZPOPMIN', index, surplus)
  for i = 1, #evicted, 2 do redis.pcall('DEL', prefix .. evicted[i]) end
end
`;

/** KEYS index, prefix of the streams. ARGV the maximum number of keys. */
const EVICT_HISTORIES = `${LUA_EVICT_HISTORIES}evict_histories(KEYS[1], KEYS[2], ARGV[1])`;

/** The history by key of an exclusive writer. */
export class KeyHistory {
  readonly #keys: ChannelKeys;
  readonly #length: string;
  readonly #maxKeys: number;
  /** Keys that the server knows, except those that it has evicted since. Emptied when it has as many as the server. */
  readonly #known = new Set<string>();

  constructor(channel: ChannelSpec, keys: ChannelKeys) {
    this.#keys = keys;
    this.#length = String(keyStreamLength(channel));
    this.#maxKeys = maxHistoryKeys(channel);
  }

  /** @param texts the messages of the batch. The first has the position `first`. */
  commands(
    batch: readonly Outgoing[],
    texts: readonly string[],
    { epoch, seq }: Position,
    at: number,
  ): string[][] {
    const commands: string[][] = [];
    const stored = new Set<string>();
    for (const [index, { key = '' }] of batch.entries()) {
      if (key === '') continue;
      const id = `${epoch}-${seq + index}`;
      commands.push(['XADD', this.#keys.historyOf(key), 'MAXLEN', this.#length, id, 'm', texts[index] ?? '']);
      stored.add(key);
    }
    if (stored.size === 0) return commands;
    const { histories } = this.#keys;
    commands.push(['ZADD', histories, ...[...stored].flatMap((key) => [String(at), key])]);
    // Only a new key can exceed the limit, so most batches need no script.
    if (this.#addAll(stored))
      commands.push([
        'EVAL',
        EVICT_HISTORIES,
        '2',
        histories,
        this.#keys.historyOf(''),
        String(this.#maxKeys),
      ]);
    return commands;
  }

  /** Returns true if a key is new. */
  #addAll(keys: ReadonlySet<string>): boolean {
    const before = this.#known.size;
    for (const key of keys) this.#known.add(key);
    const hasNew = this.#known.size > before;
    if (this.#known.size >= this.#maxKeys) this.#known.clear();
    return hasNew;
  }
}
