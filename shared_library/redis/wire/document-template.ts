// A template of JSON documents that differ only in some values, as messages of one channel do. It decodes by comparing
// bytes.

/** Constant text before a value, or at the end of the document. */
interface Literal {
  readonly bytes: Uint8Array;
  /** The bytes as 32-bit words. `lastWord` holds the last four bytes and may overlap the word before. */
  readonly words: readonly number[];
  readonly lastWord: number;
}

/** A value that differs between documents. */
interface Slot {
  readonly before: Literal;
  readonly isNumber: boolean;
}

/**
 * A field of an object. Its value is that of slot number `slot` if `slot >= 0`, nested object number `object` if
 * `object > 0`, else the constant `value`.
 */
interface Field {
  readonly key: string;
  readonly slot: number;
  readonly object: number;
  readonly value: unknown;
}

/** Above these limits a template is hardly faster than JSON.parse, because it reads strings byte by byte. */
const MAX_SLOTS = 64;
const MAX_LAYOUT_LENGTH = 4_096;
const MAX_STRING_LENGTH = 64;

/**
 * The text of one document without its numbers and strings. Decoding another document compares the constant text and
 * reads the values, at less than half the cost of JSON.parse. The result equals that of JSON.parse, with finite numbers
 * only. Anything else does not match: another field, an escape, non-ASCII text, a long string or an exponent.
 */
export class DocumentTemplate {
  /** The text without the values of the slots. Equal layouts mean equal templates. */
  readonly layout: string;
  readonly #slots: readonly Slot[];
  /** The text after the last slot. */
  readonly #tail: Literal;
  /** The document first, then nested objects. */
  readonly #objects: readonly (readonly Field[])[];
  readonly #numbers: Float64Array;
  readonly #strings: string[];
  #end = 0;

  /**
   * @param document a result of JSON.parse
   * @returns undefined if the document is too large or contains an array or a long string
   */
  static of(document: object): DocumentTemplate | undefined {
    const outline = new TemplateBuilder();
    const isSuitable = outline.add(document as Readonly<Record<string, unknown>>) !== undefined;
    return isSuitable ? new DocumentTemplate(outline) : undefined;
  }

  private constructor({ slots, text, layout, objects }: TemplateBuilder) {
    this.layout = layout;
    this.#slots = slots;
    this.#tail = createLiteral(text);
    this.#objects = objects;
    this.#numbers = new Float64Array(slots.length);
    this.#strings = new Array<string>(slots.length).fill('');
  }

  /** The end of the last document that was read. */
  get end(): number {
    return this.#end;
  }

  /** The document that begins at `from` and ends no later than `to`; undefined if it does not match. */
  read(view: DataView, from: number, to: number): object | undefined {
    const slots = this.#slots;
    let at = from;
    for (let index = 0; index < slots.length; index++) {
      const { before, isNumber } = slots[index] as Slot;
      if (!matchesAt(before, view, at, to)) return undefined;
      at += before.bytes.length;
      if (isNumber) {
        const value = readNumber(view, at, to);
        if (Number.isNaN(value)) return undefined;
        this.#numbers[index] = value;
      } else {
        const value = readString(view, at, to);
        if (value === undefined) return undefined;
        this.#strings[index] = value;
      }
      at = valueEnd;
    }
    if (!matchesAt(this.#tail, view, at, to)) return undefined;
    this.#end = at + this.#tail.bytes.length;
    return this.#build(0);
  }

  /** Sets one field at a time. Copying a prototype object is as fast with few templates, but slower with many. */
  #build(object: number): object {
    const fields = this.#objects[object] as readonly Field[];
    const built: Record<string, unknown> = {};
    for (let index = 0; index < fields.length; index++) {
      const { key, slot, object: inner, value } = fields[index] as Field;
      if (slot >= 0) built[key] = this.#valueOf(slot);
      else built[key] = inner > 0 ? this.#build(inner) : value;
    }
    return built;
  }

  #valueOf(slot: number): string | number | undefined {
    return (this.#slots[slot] as Slot).isNumber ? this.#numbers[slot] : this.#strings[slot];
  }
}

/** Splits a document into constant text and slots. */
class TemplateBuilder {
  readonly slots: Slot[] = [];
  readonly objects: Field[][] = [];
  /** The text after the last slot so far. */
  text = '';
  /** The whole text, with NUL in place of each slot, which valid JSON text never contains. */
  layout = '';

  /** @returns the index of the object; undefined as soon as it is too large, or is or contains an array */
  add(object: Readonly<Record<string, unknown>>): number | undefined {
    if (Array.isArray(object)) return undefined;
    const fields: Field[] = [];
    const number = this.objects.push(fields) - 1;
    this.#write('{');
    // `for in` stops early, where Object.entries would first copy every member of a large object.
    for (const key in object) {
      if (this.slots.length > MAX_SLOTS || this.layout.length + key.length > MAX_LAYOUT_LENGTH)
        return undefined;
      const value = object[key];
      this.#write(`${fields.length === 0 ? '' : ','}${JSON.stringify(key)}:`);
      const field = this.#fieldOf(key, value);
      if (field === undefined) return undefined;
      fields.push(field);
    }
    this.#write('}');
    return this.slots.length > MAX_SLOTS || this.layout.length > MAX_LAYOUT_LENGTH ? undefined : number;
  }

  #fieldOf(key: string, value: unknown): Field | undefined {
    // Assigning a name of Object.prototype may call a setter or fail. Long strings are slower here than in JSON.parse.
    if (key in Object.prototype || (typeof value === 'string' && value.length > MAX_STRING_LENGTH))
      return undefined;
    if (typeof value === 'object' && value !== null) {
      const object = this.add(value as Readonly<Record<string, unknown>>);
      return object === undefined ? undefined : { key, slot: -1, object, value: undefined };
    }
    if (typeof value === 'number' || typeof value === 'string')
      return { key, slot: this.#addSlot(typeof value === 'number'), object: 0, value: undefined };
    this.#write(JSON.stringify(value));
    return { key, slot: -1, object: 0, value };
  }

  #addSlot(isNumber: boolean): number {
    if (!isNumber) this.#write('"');
    const before = createLiteral(this.text);
    this.text = isNumber ? '' : '"';
    this.layout += `\0${this.text}`;
    return this.slots.push({ before, isNumber }) - 1;
  }

  #write(text: string): void {
    this.text += text;
    this.layout += text;
  }
}

function createLiteral(text: string): Literal {
  const bytes = new TextEncoder().encode(text);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const words = Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) => view.getInt32(4 * index));
  return { bytes, words, lastWord: bytes.length < 4 ? 0 : view.getInt32(bytes.length - 4) };
}

function matchesAt({ bytes, words, lastWord }: Literal, view: DataView, at: number, to: number): boolean {
  const { length } = bytes;
  if (at + length > to) return false;
  if (length < 4) {
    for (let index = 0; index < length; index++) if (view.getUint8(at + index) !== bytes[index]) return false;
    return true;
  }
  for (let index = 0; index < words.length; index++)
    if (view.getInt32(at + 4 * index) !== words[index]) return false;
  return view.getInt32(at + length - 4) === lastWord;
}

/** The end of the last value that was read. */
let valueEnd = 0;

const QUOTE = 0x22;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const BACKSLASH = 0x5c;
const LAST_PRINTABLE = 0x7e;

/**
 * Whole numbers of up to 15 digits are exact as doubles, and so are powers of ten up to 10^15. The quotient of two
 * exact numbers is rounded only once.
 */
const EXACT_DIGITS = 15;
const POWERS_OF_TEN = Array.from({ length: EXACT_DIGITS + 1 }, (_, power) => 10 ** power);
/** Whole numbers of up to 9 digits fit in 31 bits. */
const SHORT_DIGITS = 9;

/** A JSON number without exponent; NaN if the text at `from` is not one. */
function readNumber(view: DataView, from: number, to: number): number {
  let at = from;
  if (at < to && view.getUint8(at) === MINUS) at++;
  const start = at;
  let high = 0;
  let low = 0;
  let digits = 0;
  let dot = -1;
  for (; at < to; at++) {
    const digit = view.getUint8(at) - ZERO;
    if (digit >= 0 && digit <= 9) {
      if (digits === SHORT_DIGITS) {
        high = low;
        low = 0;
      }
      low = (low * 10 + digit) | 0;
      digits++;
    } else if (digit === DOT - ZERO && dot < 0) {
      dot = at;
    } else {
      break;
    }
  }
  valueEnd = at;
  const wholeDigits = (dot < 0 ? at : dot) - start;
  if (wholeDigits === 0 || dot === at - 1) return Number.NaN;
  if (wholeDigits > 1 && view.getUint8(start) === ZERO) return Number.NaN;
  if (digits > EXACT_DIGITS) {
    const value = Number(decodeAscii(view, from, at));
    return Number.isFinite(value) ? value : Number.NaN;
  }
  let value = digits > SHORT_DIGITS ? high * (POWERS_OF_TEN[digits - SHORT_DIGITS] as number) + low : low;
  if (dot >= 0) value /= POWERS_OF_TEN[at - dot - 1] as number;
  return start > from ? -value : value;
}

/** Recent strings, indexed by hash, because most strings recur. The length is a power of two. */
const stringCache = new Array<string>(4_096).fill('');

/**
 * The text up to the closing quote; undefined if it has an escape, is not printable ASCII, is too long or is
 * unterminated.
 */
function readString(view: DataView, from: number, to: number): string | undefined {
  let at = from;
  let hash = 0;
  for (; ; at++) {
    if (at >= to || at - from > MAX_STRING_LENGTH) return undefined;
    const byte = view.getUint8(at);
    if (byte === QUOTE) break;
    if (byte < 0x20 || byte === BACKSLASH || byte > LAST_PRINTABLE) return undefined;
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  valueEnd = at;
  const place = hash & (stringCache.length - 1);
  const candidate = stringCache[place] as string;
  if (candidate.length === at - from && equalsAt(candidate, view, from)) return candidate;
  const text = decodeAscii(view, from, at);
  stringCache[place] = text;
  return text;
}

function equalsAt(text: string, view: DataView, from: number): boolean {
  for (let index = 0; index < text.length; index++)
    if (text.charCodeAt(index) !== view.getUint8(from + index)) return false;
  return true;
}

const utf8 = new TextDecoder();

function decodeAscii(view: DataView, from: number, to: number): string {
  return utf8.decode(new Uint8Array(view.buffer, view.byteOffset + from, to - from));
}
