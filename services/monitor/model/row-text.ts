// Text of other programs as the page shows it: printable, limited in length.

import { printable } from 'tickbus/admin';

/** Maximum characters of a name: a bot, a sender, a symbol. */
const MAX_NAME_LENGTH = 128;
/** Maximum characters of a sentence: an event, a reason, a result. */
const MAX_SENTENCE_LENGTH = 500;

export function rowName(text: string): string {
  return trimmed(text, MAX_NAME_LENGTH);
}

export function rowSentence(text: string): string {
  return trimmed(text, MAX_SENTENCE_LENGTH);
}

/** Returns a copy: `text` can be a substring of a 1 MiB frame, and a substring keeps the whole string in memory. */
export function ownCopy(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}

function trimmed(text: string, length: number): string {
  const shown = printable(text, length);
  const cut = shown.length > length ? `${shown.slice(0, length - 1)}…` : shown;
  // Copies like `ownCopy`, but ASCII text then takes half the memory. UTF-8 is safe: it replaces a surrogate that the
  // cut has split.
  return Buffer.from(cut).toString();
}
