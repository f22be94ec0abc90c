// A channel's demand: the keys that its subscribers request. Servers store one string for each subscriber and key.

/** @param subscriberId without line breaks; a key may contain them */
export function demandEntry(subscriberId: string, key: string): string {
  return `${subscriberId}\n${key}`;
}

/** The number of subscribers of each key. */
export function countKeys(entries: Iterable<string>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const entry of entries) {
    const key = entry.slice(entry.indexOf('\n') + 1);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}
