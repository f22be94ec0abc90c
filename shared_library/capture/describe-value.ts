// Describes a value of a venue or a mapping in an error.

/** Maximum characters of a text. */
const MAX_TEXT = 60;

/** A short text: strings in quotation marks and truncated; of objects only the type, because they can be large. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') {
    const text = JSON.stringify(value.slice(0, MAX_TEXT));
    return value.length > MAX_TEXT ? `${text} and ${value.length - MAX_TEXT} more characters` : text;
  }
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'bigint') return `${value}n`;
  return typeof value === 'function' || typeof value === 'symbol' ? `a ${typeof value}` : String(value);
}
