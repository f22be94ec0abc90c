// Secrets in errors of the server: hidden in every form in which a server can quote them.

import { ErrorReply } from 'redis';
import { describe, expect, it } from 'vitest';
import { DEFAULT_ADDRESS } from '../../transport/redis/address.ts';
import { connectError, linkError, refusedError } from '../../transport/redis/error-mapping.ts';
import { redact } from '../../transport/redis/redact.ts';

const PASSWORD = 'correct horse/battery"staple\u202e%';

describe('redact', () => {
  it.each([
    ['as it is', PASSWORD],
    ['URL-encoded', encodeURIComponent(PASSWORD)],
    ['URL-encoded in lower case', encodeURIComponent(PASSWORD).replace(/%../g, (code) => code.toLowerCase())],
    ['form-encoded', encodeURIComponent(PASSWORD).replaceAll('%20', '+')],
    ['JSON-encoded', JSON.stringify(PASSWORD).slice(1, -1)],
    ['cut off', PASSWORD.slice(0, 16)],
    ['URL-encoded and cut off', encodeURIComponent(PASSWORD).slice(0, 30)],
  ])('hides a password that is quoted %s', (_, quoted) => {
    expect(redact(`ERR '${quoted}' is wrong, '${quoted}'`, PASSWORD)).toBe("ERR '***' is wrong, '***'");
  });

  it('removes the arguments that Redis quotes, which it cuts off anywhere', () => {
    const text = `ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'bot' 'cor`;
    expect(redact(text, PASSWORD)).toBe("ERR unknown command 'HELLO', with args beginning with: ***");
    expect(redact(text, undefined)).not.toContain('AUTH');
  });

  it('leaves words alone that share the beginning of a password, or contain no part of it', () => {
    expect(redact('ERR cannot connect', 'connoisseur')).toBe('ERR cannot connect');
    expect(redact('ERR no such key', 'keys')).toBe('ERR no such key');
    expect(redact('ERR no such key', '')).toBe('ERR no such key');
    expect(redact('ERR aab', 'ab')).toBe('ERR a***');
  });
});

describe('an error of the server', () => {
  const address = { ...DEFAULT_ADDRESS, password: PASSWORD };
  const words = ['correct', 'horse', 'battery', 'staple'];

  it.each([
    ['near the place where messages are truncated', `ERR ${'x'.repeat(180)}${PASSWORD}`],
    ['with a character that messages escape', `WRONGPASS ${PASSWORD}`],
    [
      'as an argument',
      `ERR unknown command 'AUTH', with args beginning with: 'default' '${PASSWORD.slice(0, 9)}`,
    ],
  ])('shows no part of a password that it quotes %s', (_, text) => {
    const reply = new ErrorReply(text);
    for (const error of [
      connectError(reply, address),
      linkError(reply, address),
      refusedError(reply, 'X', address),
    ])
      for (const shown of [error.message, String(error.cause), JSON.stringify(error.cause)])
        for (const word of words) expect(shown).not.toContain(word);
  });
});
