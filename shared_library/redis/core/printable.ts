// Text from outside, made fit for a log line or an error message: escaped and cut to length.

const DEFAULT_MAX_LENGTH = 200;
// Control characters (terminal escapes among them), line and paragraph separators, and the direction marks that can make a line lie.
const UNPRINTABLE = /[\p{Cc}\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|\p{Cs}/gu;

/** The text with every control or direction character as `\uXXXX`, cut to `maxLength` characters (default 200). */
export function printable(text: string, maxLength: number = DEFAULT_MAX_LENGTH): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}... (${text.length} characters)` : text;
  return cut.replace(UNPRINTABLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
