// Makes untrusted text safe for log lines and error messages: escapes and truncates it.

const DEFAULT_MAX_LENGTH = 200;
// Control characters (including terminal escapes), line and paragraph separators, bidirectional marks that can disguise
// text, the byte order mark, and lone surrogates.
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}\ufeff]/gu;

/** Writes unprintable characters as `\uXXXX` and truncates to `maxLength` characters (default 200). */
export function printable(text: string, maxLength: number = DEFAULT_MAX_LENGTH): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}... (${text.length} characters)` : text;
  return cut.replace(UNPRINTABLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
