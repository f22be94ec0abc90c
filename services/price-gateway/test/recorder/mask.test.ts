// Masks secrets in the login messages of many protocols.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Masker } from '../../recorder/mask.ts';

const SECRET = 'hush-hush';

function masked(frame: unknown, dir: 'in' | 'out' = 'out', secrets: readonly string[] = []): unknown {
  return JSON.parse(new Masker(secrets).mask({ dir, json: JSON.stringify(frame) }));
}

it.each([
  [
    { action: 'auth', key: 'K', secret: SECRET },
    { action: 'auth', key: '***', secret: '***' },
  ],
  [
    { op: 'auth', args: ['K', 1_700_000_000, SECRET] },
    { op: 'auth', args: ['***', '***', '***'] },
  ],
  [
    { method: 'private/login', params: { who: { name: SECRET } } },
    { method: 'private/login', params: { who: { name: '***' } } },
  ],
  [
    { type: 'subscribe', product_ids: ['A'], signature: SECRET, passphrase: SECRET, apiKey: 'K' },
    { type: 'subscribe', product_ids: ['A'], signature: '***', passphrase: '***', apiKey: '***' },
  ],
  [
    { id: 1, payload: [{ access_token: SECRET }] },
    { id: 1, payload: [{ access_token: '***' }] },
  ],
  [`login me ${SECRET}`, '***'],
  [
    ['auth', SECRET],
    ['***', '***'],
  ],
])('masks %j', (frame, expected) => {
  expect(masked(frame)).toEqual(expected);
});

it('leaves frames without secrets unchanged', () => {
  const frame = { action: 'subscribe', trades: ['AAPL', 'AUTH'], id: 7, nested: { on: true, at: null } };
  expect(masked(frame)).toEqual(frame);
  expect(masked('ping')).toBe('ping');
});

it('masks secrets of the settings anywhere, in both directions', () => {
  expect(masked({ url: `/x?t=${SECRET}` }, 'out', [SECRET])).toEqual({ url: '/x?t=***' });
  expect(masked([{ echo: SECRET, n: 1 }], 'in', [SECRET])).toEqual([{ echo: '***', n: 1 }]);
  expect(masked({ price: 12345.5 }, 'in', ['12345'])).toBe('***');
});

it('masks a known secret in any frame', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 4 }), fc.jsonValue(), (secret, value) => {
      const text = new Masker([secret]).mask({ dir: 'in', json: JSON.stringify({ value, secret }) });
      fc.pre(!'***"value":,{}'.includes(secret));
      expect(text).not.toContain(JSON.stringify(secret).slice(1, -1));
      JSON.parse(text);
    }),
  );
});
