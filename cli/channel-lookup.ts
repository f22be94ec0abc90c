// Finds channels by name: a bundled channel, one of the user's own, that of a venue, or any other as kind `plain`.

import { commandsAmong, withOwnChannels } from '@tickbus/operator-kit/own-channels';
import type { Channel, PriceChannel, TradeCommands } from 'tickbus';
import { printable } from 'tickbus/admin';
import { barChannel, CHANNELS, priceChannel, tradeChannel, venueOf } from 'tickbus/constants';
import { UsageError } from './exit.ts';

/** The fields of a channel that a wire reader needs. */
export type WireChannel = Pick<Channel, 'name' | 'kind' | 'history'>;

let own: readonly Channel[] = [];
let known = byName(withOwnChannels(own));

/** Replaces the user's own channels in all lookups. Called once in a process, before its verb runs. */
export function setOwnChannels(channels: readonly Channel[]): void {
  own = channels;
  known = byName(withOwnChannels(own));
}

export function ownChannels(): readonly Channel[] {
  return own;
}

/** Names of the bundled channels and of the user's own. */
export function knownNames(): readonly string[] {
  return [...known.keys()];
}

/** A bundled channel, one of the user's own, or that of a venue, such as PRICE_DATA.kraken. */
export function knownChannel(name: string): Channel | undefined {
  return known.get(name) ?? venueChannel(name);
}

/** TRADE_COMMANDS with the user's own types, which the compiler does not know. */
export function commandChannel(): TradeCommands {
  return commandsAmong(own);
}

/** @throws UsageError unless it is PRICE_DATA, or that of a venue */
export function priceChannelNamed(name: string): PriceChannel {
  if (name === CHANNELS.PRICE_DATA.name) return CHANNELS.PRICE_DATA;
  if (name.startsWith('PRICE_DATA.') && venueChannel(name) !== undefined) return priceChannel(venueOf(name));
  const advice = 'Use PRICE_DATA, or that of a venue, such as PRICE_DATA.kraken.';
  throw new UsageError(`${printable(name)} is not a channel of prices. ${advice}`);
}

const OF_VENUES: Readonly<Record<string, (venue: string) => Channel>> = {
  PRICE_DATA: priceChannel,
  TRADES: tradeChannel,
  BARS: barChannel,
};

/** Undefined for other names, and for those that tickbus does not allow. */
function venueChannel(name: string): Channel | undefined {
  const venue = venueOf(name);
  const base = name.split('.', 1)[0] ?? '';
  if (venue === undefined || venue === '' || !Object.hasOwn(OF_VENUES, base)) return undefined;
  try {
    return OF_VENUES[base]?.(venue);
  } catch {
    return undefined;
  }
}

/** A Standard Schema that accepts every payload, for channels without a definition. */
export const ANYTHING = {
  '~standard': { version: 1, vendor: 'tickbus', validate: (value: unknown) => ({ value }) },
} as const;

/** The known channel of that name, otherwise a plain channel. */
export function wireChannel(name: string): WireChannel {
  if (name === '') throw new UsageError('The channel name is empty. Name a channel, such as PRICE_DATA.');
  return knownChannel(name) ?? { name, kind: 'plain', history: 0 };
}

/**
 * Returns the given names without duplicates. If no names are given: all known channels, or with `withKeys` only
 * those that have keys.
 *
 * @throws UsageError
 */
export function chosenNames(given: readonly string[], withKeys: boolean): readonly string[] {
  if (given.length === 0)
    return withKeys ? knownNames().filter((name) => known.get(name)?.keyed) : knownNames();
  for (const name of given) wireChannel(name);
  return [...new Set(given)];
}

/** The note printed for a channel that is not known. */
export function hintFor(name: string): string {
  const similar = similarChannel(name);
  const question = similar === undefined ? '' : ` Did you mean ${similar}?`;
  const names = knownNames().join(', ');
  const consequence = 'its messages have no sequence, so gaps are not detected';
  return `${printable(name)} is not a known channel (${names}): ${consequence}.${question}`;
}

export function unknownChannel(name: string): UsageError {
  const similar = similarChannel(name);
  const question = similar === undefined ? '' : ` Did you mean ${similar}?`;
  return new UsageError(
    `Unknown channel ${printable(name)}.${question} Use one of ${knownNames().join(', ')}, name a module of your own ` +
      'channels in TICKBUS_CHANNELS, or add --plain.',
  );
}

function similarChannel(name: string): string | undefined {
  const plain = (text: string) => text.toUpperCase().replace(/[^A-Z]/g, '');
  const ranked = knownNames()
    .map((candidate) => ({ candidate, edits: distance(plain(name), plain(candidate)) }))
    .sort((a, b) => a.edits - b.edits);
  const [best] = ranked;
  return best !== undefined && best.edits <= best.candidate.length / 3 ? best.candidate : undefined;
}

function byName(channels: readonly Channel[]): ReadonlyMap<string, Channel> {
  return new Map(channels.map((channel) => [channel.name, channel]));
}

/** Levenshtein distance. */
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
