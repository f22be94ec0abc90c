// Messages of plain clients on the in-memory server: what the adopt script does on Redis.

import { MAX_ADOPTED_KEYS } from '../../channel/limits.ts';
import { type AdoptableText, adoptedText } from '../../wire/adopted-prefix.ts';
import { isBeyond, ORIGIN } from '../../wire/position.ts';
import { type Adoption, CLOCK_TRUST_MS, type PlainMessage } from '../adoption-port.ts';
import type { StoredEntry } from '../history-port.ts';

/** A last value. An adopted one has the position ORIGIN. */
export interface LastValue extends StoredEntry {
  readonly adopted?: AdoptableText & { readonly at: number };
}

/** @param now server time, Unix milliseconds */
export function adoptInto(
  last: Map<string, LastValue>,
  { key, agoMs, after, timestamp, tail }: PlainMessage,
  now: number,
): Adoption {
  const known = last.get(key);
  if (known?.adopted?.tail === tail) return 'present';
  if (known !== undefined && isNewer(known, timestamp, now, after)) return 'older';
  if (known === undefined && last.size >= MAX_ADOPTED_KEYS) return 'full';
  const adopted = { at: now - agoMs, timestamp, tail };
  const frame = new TextEncoder().encode(adoptedText(adopted.at, adopted));
  last.set(key, { position: ORIGIN, frame, adopted });
  return 'stored';
}

function isNewer(
  { adopted, position }: LastValue,
  timestamp: number,
  now: number,
  after: PlainMessage['after'],
): boolean {
  if (adopted === undefined) return isBeyond(position, after);
  return now - adopted.at <= CLOCK_TRUST_MS && adopted.timestamp > timestamp;
}
