// Channels by name: the bundled ones, and any other Redis channel as a plain one.

import type { Channel } from 'tickbus';
import { printable } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import { UsageError } from './exit.ts';

/** What reading from the wire needs to know of a channel. */
export type WireChannel = Pick<Channel, 'name' | 'kind' | 'history'>;

const BUNDLED: ReadonlyMap<string, Channel> = new Map(
  Object.values(CHANNELS).map((channel: Channel) => [channel.name, channel]),
);

export const bundledNames: readonly string[] = [...BUNDLED.keys()];

export function bundledChannel(name: string): Channel | undefined {
  return BUNDLED.get(name);
}

/** A Standard Schema that takes every payload, for channels whose messages nobody has described. */
export const ANYTHING = {
  '~standard': { version: 1, vendor: 'tickbus', validate: (value: unknown) => ({ value }) },
} as const;

/** The bundled channel of that name, else a plain one. */
export function wireChannel(name: string): WireChannel {
  if (name === '') throw new UsageError('The name of a channel is empty.');
  return BUNDLED.get(name) ?? { name, kind: 'plain', history: 0 };
}

/** What was named, once each; else the bundled channels, or those of them that have keys. @throws UsageError */
export function chosenNames(given: readonly string[], withKeys: boolean): readonly string[] {
  if (given.length === 0)
    return withKeys ? bundledNames.filter((name) => BUNDLED.get(name)?.keyed) : bundledNames;
  for (const name of given) wireChannel(name);
  return [...new Set(given)];
}

/** A remark for a name that is no bundled channel's. */
export function hintFor(name: string): string {
  const similar = similarChannel(name);
  const question = similar === undefined ? '' : ` Did you mean ${similar}?`;
  return `${printable(name)} is none of the bundled channels (${bundledNames.join(', ')}), so it is read as it comes: losses on it are not noticed.${question}`;
}

export function unknownChannel(name: string): UsageError {
  const similar = similarChannel(name);
  const question = similar === undefined ? '' : ` Did you mean ${similar}?`;
  return new UsageError(
    `There is no channel ${printable(name)}.${question} The channels are ${bundledNames.join(', ')}; any other takes --plain.`,
  );
}

function similarChannel(name: string): string | undefined {
  const plain = (text: string) => text.toUpperCase().replace(/[^A-Z]/g, '');
  const ranked = bundledNames
    .map((known) => ({ known, edits: distance(plain(name), plain(known)) }))
    .sort((a, b) => a.edits - b.edits);
  const [best] = ranked;
  return best !== undefined && best.edits <= best.known.length / 3 ? best.known : undefined;
}

/** Letters to insert, delete or replace (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replace = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
