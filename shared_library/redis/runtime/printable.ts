// Text from outside, made fit for a log line or an error message: escaped and cut to length.

const DEFAULT_MAX_LENGTH = 200;
// Control characters (terminal escapes among them), line and paragraph separators, direction marks that can make a line lie,
// the byte order mark, and halves of surrogate pairs.
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}\ufeff]/gu;

/** The text with every control or direction character as `\uXXXX`, cut to `maxLength` characters (default 200). */
export function printable(text: string, maxLength: number = DEFAULT_MAX_LENGTH): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}... (${text.length} characters)` : text;
  return cut.replace(UNPRINTABLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
