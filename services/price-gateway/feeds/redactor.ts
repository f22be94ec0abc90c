// Makes texts of a broker safe for logs and statuses: without the feed's secrets, escaped, and of limited length.

import { printable } from 'tickbus/admin';

/** Maximum characters of a text of a broker, such as an error message. */
const MAX_TEXT = 200;
/** Characters of a text that are examined; the rest is cut off. */
const MAX_EXAMINED = 4_096;
/** Length of a part, in characters: a text with this many consecutive characters of a secret reveals part of it. */
const PART = 8;
/** Shorter secrets would match unrelated text. */
const MIN_SECRET = 4;
const MASK = '***';

/**
 * Masks the secrets of one feed. Recognizes each secret in plain text, URL-encoded, in base64, in hexadecimal and as a
 * JSON string, and any 8 consecutive characters of these forms. Cannot recognize a secret that a broker encodes in
 * another way on purpose.
 */
export class Redactor {
  /** Every `PART` consecutive characters of every form; a shorter form is one part. */
  readonly #parts = new Set<string>();
  /** Lengths of the parts, the longest first. */
  readonly #lengths: readonly number[];

  /** @param secrets keys, passwords and tokens; for a URL, the result of `secretsOfUrl` */
  constructor(secrets: readonly string[]) {
    const forms = secrets.filter(({ length }) => length >= MIN_SECRET).flatMap(formsOf);
    for (const form of forms)
      for (let start = 0; start <= Math.max(0, form.length - PART); start++)
        this.#parts.add(form.slice(start, start + PART));
    this.#lengths = [...new Set([...this.#parts].map(({ length }) => length))].sort((a, b) => b - a);
  }

  /** @param maxLength maximum characters of the result, before escaping; default 200 */
  clean(text: string, maxLength: number = MAX_TEXT): string {
    return printable(this.#masked(text.slice(0, MAX_EXAMINED)), maxLength);
  }

  #masked(text: string): string {
    let masked = '';
    let copied = 0;
    for (let start = 0; start < text.length; ) {
      let end = start;
      // Parts overlap: the match grows while another part begins inside it or right after it.
      for (let at = start; at <= end && at < text.length; at++)
        end = Math.max(end, at + this.#partAt(text, at));
      if (end > start) {
        masked += text.slice(copied, start) + MASK;
        copied = end;
      }
      start = Math.max(end, start + 1);
    }
    return masked + text.slice(copied);
  }

  /** The length of the part at this place; 0 if there is none. */
  #partAt(text: string, at: number): number {
    return this.#lengths.find((length) => this.#parts.has(text.slice(at, at + length))) ?? 0;
  }
}

/** The parts of a URL that can be secret: user, password, values of the query, and long path segments. */
export function secretsOfUrl(url: string): readonly string[] {
  if (!URL.canParse(url)) return [];
  const { username, password, searchParams, pathname, hash } = new URL(url);
  const segments = pathname.split('/').filter(({ length }) => length >= MIN_PATH_TOKEN);
  const texts = [username, password, ...searchParams.values(), ...segments, hash.slice(1)];
  return texts.flatMap((text) => [text, decoded(text)]);
}

/** A shorter path segment is a name, such as `iex` or `stream`. */
const MIN_PATH_TOKEN = 16;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  // In the base64 of a longer text, such as "key:secret", a secret begins at any of three offsets within a group.
  const base64 = [0, 1, 2].flatMap((offset) => {
    const whole = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    // Omits the characters that also depend on the neighbouring bytes.
    const own = whole.slice(Math.ceil((offset * 4) / 3), Math.floor(((offset + bytes.length) * 4) / 3));
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
  const hex = bytes.toString('hex');
  const forms = [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    ...base64,
    hex,
    hex.toUpperCase(),
  ];
  return [...new Set(forms)].filter(({ length }) => length >= MIN_SECRET);
}
