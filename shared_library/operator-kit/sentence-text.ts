// Parts of a sentence: untrusted text, names of feeds, short lists, durations.

import { printable } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';

/** Problems, and names of one problem, that the sentence has room for. */
const SHOWN = 3;
const MAX_NAME_LENGTH = 128;
const MAX_DETAIL_LENGTH = 300;

/** Safe to print within a sentence. */
export function clause(text: string): string {
  return printable(text.replace(/\s+/g, ' ').trim().replace(/\.$/, ''), MAX_DETAIL_LENGTH);
}

export function shown(name: string): string {
  return printable(name, MAX_NAME_LENGTH);
}

export function shortList(items: readonly string[], separator = ', '): string {
  const more = items.length - SHOWN;
  if (more <= 0) return items.join(separator);
  return `${items.slice(0, SHOWN).join(separator)}${separator}and ${more} more`;
}

export function time(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** The channel of a status without one is PRICE_DATA. */
export function channelOf({
  channel = CHANNELS.PRICE_DATA.name,
}: {
  readonly channel?: string | undefined;
}): string {
  return channel;
}

/** The name of a feed. PRICE_DATA goes without saying. */
export function nameOf(of: { readonly feed: string; readonly channel?: string | undefined }): string {
  const channel = channelOf(of);
  return channel === CHANNELS.PRICE_DATA.name ? shown(of.feed) : `${shown(of.feed)} on ${shown(channel)}`;
}

export function about(detail: string | undefined): string {
  return detail === undefined ? '' : ` (${clause(detail)})`;
}
