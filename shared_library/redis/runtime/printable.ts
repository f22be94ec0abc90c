// Makes untrusted text safe for log lines and error messages: escapes and truncates it.

const DEFAULT_MAX_LENGTH = 200;
// Control characters (including terminal escapes), line and paragraph separators, invisible characters (zero width,
// bidirectional marks, tags, variation selectors, fillers), which can disguise text, and lone surrogates.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * Writes control, bidirectional and invisible characters as `\uXXXX`, and truncates to `maxLength` UTF-16 units
 * (default 200). The escapes may make the result six times as long.
 */
export function printable(text: string, maxLength: number = DEFAULT_MAX_LENGTH): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}... (${text.length} characters)` : text;
  return cut.replace(UNPRINTABLE, escaped);
}

function escaped(char: string): string {
  return Array.from(
    { length: char.length },
    (_, index) => `\\u${char.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('');
}
