// The past messages of a channel of the in-memory server: of the whole channel, and of each key.

import type { ChannelSpec } from '../../channel/channel.ts';
import { maxHistoryKeys } from '../../channel/history.ts';
import { isBeyond, ORIGIN } from '../../wire/position.ts';
import type { HistoryPage, HistoryQuery, StoredEntry } from '../history-port.ts';

export class MemoryHistory {
  #ofChannel: StoredEntry[] = [];
  /** The key that was published on least recently is the first. */
  readonly #ofKeys = new Map<string, StoredEntry[]>();

  /** The history of the channel, oldest message first. */
  get all(): readonly StoredEntry[] {
    return this.#ofChannel;
  }

  store(spec: ChannelSpec, key: string | undefined, entry: StoredEntry): void {
    if (spec.history > 0) {
      this.#ofChannel.push(entry);
      if (this.#ofChannel.length > spec.history) this.#ofChannel.shift();
    }
    if (spec.historyPerKey === undefined || key === undefined || key === '') return;
    const ofKey = this.#ofKeys.get(key) ?? [];
    ofKey.push(entry);
    // One more than defined: see `keyStreamLength` of the Redis transport.
    if (ofKey.length > spec.historyPerKey + 1) ofKey.shift();
    this.#ofKeys.delete(key);
    this.#ofKeys.set(key, ofKey);
    const [oldest] = this.#ofKeys.keys();
    if (this.#ofKeys.size > maxHistoryKeys(spec) && oldest !== undefined) this.#ofKeys.delete(oldest);
  }

  read({ key, before, after = ORIGIN, count }: HistoryQuery): Pick<HistoryPage, 'entries' | 'extent'> {
    const stored = key === undefined ? this.#ofChannel : (this.#ofKeys.get(key) ?? []);
    const entries: StoredEntry[] = [];
    for (let index = stored.length - 1; index >= 0; index--) {
      const entry = stored[index] as StoredEntry;
      if (before !== undefined && (isBeyond(entry.position, before) || isSame(entry, before))) continue;
      if (entries.length === count) return { entries, extent: 'more' };
      if (!isBeyond(entry.position, after)) return { entries, extent: 'covered' };
      entries.push(entry);
    }
    return { entries, extent: 'end' };
  }

  clear(): void {
    this.#ofChannel = [];
    this.#ofKeys.clear();
  }
}

function isSame({ position }: StoredEntry, { epoch, seq }: StoredEntry['position']): boolean {
  return position.epoch === epoch && position.seq === seq;
}
