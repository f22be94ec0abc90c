// printable: text from outside cannot move the cursor, change the text direction or flood a log line.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { printable } from '../../runtime/printable.ts';

it('leaves ordinary text of any script unchanged', () => {
  for (const text of ['AAPL 50000.00', 'Größe', '価格', 'سعر', '🪙']) expect(printable(text)).toBe(text);
});

it.each([
  ['a terminal escape', '\u001b[31m', '\\u001b[31m'],
  ['a new line', 'a\r\nb', 'a\\u000d\\u000ab'],
  ['NUL and DEL', '\u0000\u007f', '\\u0000\\u007f'],
  ['a C1 control', '\u009b2J', '\\u009b2J'],
  ['a line separator', '\u2028', '\\u2028'],
  ['a byte order mark', '\ufeff', '\\ufeff'],
  ['a zero-width space', 'AA\u200bPL', 'AA\\u200bPL'],
  ['a joiner', 'a\u200d\u2060', 'a\\u200d\\u2060'],
  ['a soft hyphen', '\u00ad', '\\u00ad'],
  ['a Hangul filler', 'AAPL\u3164', 'AAPL\\u3164'],
  ['a variation selector', 'A\ufe0f', 'A\\ufe0f'],
  ['a tag', 'A\u{e0041}', 'A\\udb40\\udc41'],
  ['a lone surrogate', 'a\ud800', 'a\\ud800'],
])('escapes %s', (_, text, escaped) => {
  expect(printable(text)).toBe(escaped);
});

it('escapes every character that changes the direction of text', () => {
  const marks = ['\u061c', '\u200e', '\u200f', '\u202a', '\u202b', '\u202c', '\u202d', '\u202e'];
  for (const mark of [...marks, '\u2066', '\u2067', '\u2068', '\u2069']) {
    expect(mark).toMatch(/\p{Bidi_Control}/u);
    expect(printable(`a${mark}b`)).toBe(`a\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}b`);
  }
});

it('cuts at 200 characters or at the given limit, and appends the original length', () => {
  expect(printable('x'.repeat(200))).toBe('x'.repeat(200));
  expect(printable('x'.repeat(201))).toBe(`${'x'.repeat(200)}... (201 characters)`);
  expect(printable('abcdef', 3)).toBe('abc... (6 characters)');
});

it('returns no control character for any input', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
      expect(printable(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Bidi_Control}\u2028\u2029]/u);
    }),
    { numRuns: 1_000 },
  );
});
