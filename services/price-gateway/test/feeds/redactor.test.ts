// Cleaned texts of a broker: escaped, of limited length, and without any part of a secret in any usual form.

import { describe, expect, it } from 'vitest';
import { Redactor, secretsOfUrl } from '../../feeds/redactor.ts';

const SECRET = 'Sw0rd/fish+"42é';
const redactor = new Redactor([SECRET, 'AK-12345678', 'tiny']);

/** Every 8 consecutive characters of one form of a secret. A cleaned text must contain none of these parts. */
function partsOf(form: string): string[] {
  return Array.from({ length: form.length - 7 }, (_, start) => form.slice(start, start + 8));
}

describe.each(
  Object.entries({
    'as it is': SECRET,
    'URL-encoded': encodeURIComponent(SECRET),
    'as a JSON string': JSON.stringify(SECRET).slice(1, -1),
    'in base64': Buffer.from(SECRET).toString('base64').replace(/=+$/, ''),
    'in base64url': Buffer.from(SECRET).toString('base64url'),
    'in hexadecimal': Buffer.from(SECRET).toString('hex'),
  }),
)('a secret %s', (_what, form) => {
  it('is masked wherever it stands', () => {
    for (const text of [form, `invalid key ${form}!`, `${form}${form}`, `x${form}`]) {
      const cleaned = redactor.clean(text);
      expect(cleaned).toContain('***');
      for (const part of partsOf(form)) expect(cleaned).not.toContain(part);
    }
  });

  it('is masked when it is cut off', () => {
    // The last base64 character also depends on what follows the secret, so it need not be masked.
    for (let length = 9; length < form.length; length++) {
      expect(redactor.clean(`bad: ${form.slice(0, length)}`)).toBe('bad: ***');
      expect(redactor.clean(`bad: ${form.slice(-length)}`)).toMatch(/^bad: \*\*\*.?$/);
    }
  });
});

it('masks base64 of a key and a secret together, at any offset', () => {
  for (const prefix of ['', 'a', 'ab', 'abc', 'AK:', 'user:']) {
    const header = Buffer.from(`${prefix}${SECRET}:more`).toString('base64');
    const cleaned = redactor.clean(`Basic ${header}`);
    const readable = Buffer.from(cleaned.replace(/^Basic /, '').split('***')[0] ?? '', 'base64').toString();
    expect(readable).not.toContain(SECRET.slice(0, 3));
    expect(cleaned).toContain('***');
  }
});

it('masks a secret that is shorter than a part, and leaves other text alone', () => {
  expect(redactor.clean('tiny is not AK-12345678')).toBe('*** is not ***');
  expect(redactor.clean('connection limit exceeded')).toBe('connection limit exceeded');
});

it('escapes terminal controls and bidirectional marks, and limits the length', () => {
  expect(redactor.clean('\u001b[2J\u202eevil\n')).toBe('\\u001b[2J\\u202eevil\\u000a');
  expect(redactor.clean('x'.repeat(1_000_000))).toMatch(/^x{200}\.\.\. \(\d+ characters\)$/);
});

it('leaves no part of a secret at the place where a text is cut', () => {
  for (let before = 180; before < 200; before++)
    for (const part of partsOf(SECRET))
      expect(redactor.clean(`${'.'.repeat(before)}${SECRET}`)).not.toContain(part.slice(0, 4));
});

it('takes tokens from every place of a URL, and no host name', () => {
  const url =
    'wss://us%40er:pass-word@stream.example.com/ws/listenKey0123456789?token=abc%2Fdef&x=1#frag-ment';
  const secrets = secretsOfUrl(url);
  expect(secrets).toEqual(
    expect.arrayContaining(['us@er', 'us%40er', 'pass-word', 'listenKey0123456789', 'abc/def', 'frag-ment']),
  );
  const error = 'getaddrinfo ENOTFOUND stream.example.com';
  expect(new Redactor(secrets).clean(error)).toBe(error);
  expect(new Redactor(secrets).clean(`cannot open ${url}`)).not.toMatch(/abc|pass-word|listenKey0/);
  expect(secretsOfUrl('no url')).toEqual([]);
});
