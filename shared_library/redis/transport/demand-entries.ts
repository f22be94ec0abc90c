// Who wants which key, as one string, the way servers keep it.

/** @param who without line breaks; a key may have some */
export function demandEntry(who: string, key: string): string {
  return `${who}\n${key}`;
}

/** Each key of these claims, and how many claim it. */
export function countKeys(claims: Iterable<string>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const claim of claims) {
    const key = claim.slice(claim.indexOf('\n') + 1);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}
