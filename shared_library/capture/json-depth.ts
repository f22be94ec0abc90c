// Detects deep nesting before JSON is parsed: `JSON.parse` takes about a second for a MiB of brackets.

/** Venues nest less than ten levels. */
const MAX_DEPTH = 128;
/** Shorter texts are parsed in milliseconds, however deep they are, so they are not scanned. */
const SCANNED_LENGTH = 64 * 1024;

/** Whether `json` is longer than 64 Ki characters and nests arrays and objects more than 128 levels deep. */
export function isTooDeep(json: string): boolean {
  if (json.length <= SCANNED_LENGTH) return false;
  let depth = 0;
  for (let index = 0; index < json.length; index++) {
    const code = json.charCodeAt(index);
    if (code === QUOTE) index = endOfString(json, index);
    else if (code === OPEN_BRACKET || code === OPEN_BRACE) depth++;
    else if (code === CLOSE_BRACKET || code === CLOSE_BRACE) depth--;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

const QUOTE = '"'.charCodeAt(0);
const BACKSLASH = '\\'.charCodeAt(0);
const OPEN_BRACKET = '['.charCodeAt(0);
const CLOSE_BRACKET = ']'.charCodeAt(0);
const OPEN_BRACE = '{'.charCodeAt(0);
const CLOSE_BRACE = '}'.charCodeAt(0);

/** The index of the closing quote, or the length of the text if there is none. */
function endOfString(json: string, start: number): number {
  for (let index = start + 1; index < json.length; index++) {
    const code = json.charCodeAt(index);
    if (code === BACKSLASH) index++;
    else if (code === QUOTE) return index;
  }
  return json.length;
}
