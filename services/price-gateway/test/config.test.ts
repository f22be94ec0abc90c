// Settings: what is required, defaults, one line a mistake, no secret in it.

import { expect, it } from 'vitest';
import { ConfigError, helpText, readConfig } from '../config.ts';

const REQUIRED = { ALPACA_KEY: 'k', ALPACA_SECRET: 's', SYMBOLS: 'AAPL' };

it('needs the key, the secret and the symbols', () => {
  expect(readConfig([], REQUIRED)).toEqual({
    ALPACA_KEY: 'k',
    ALPACA_SECRET: 's',
    ALPACA_URL: 'wss://stream.data.alpaca.markets/v2/iex',
    SYMBOLS: ['AAPL'],
    RECORD_MAX_MB: 100,
    RECORD_MAX_MINUTES: 60,
    LOG_LEVEL: 'info',
  });
});

it.each([
  ['AAPL, MSFT,AAPL', ['AAPL', 'MSFT']],
  ['*', ['*']],
  ['BRK.B,BTC/USD,BAND-GBP', ['BRK.B', 'BTC/USD', 'BAND-GBP']],
])('reads the symbols %j', (SYMBOLS, expected) => {
  expect(readConfig([], { ...REQUIRED, SYMBOLS })).toMatchObject({ SYMBOLS: expected });
});

it('tells every mistake in a line of its own', () => {
  expect(() => readConfig([], { LOG_LEVEL: 'loud', ALPACA_URL: '' })).toThrow(
    new ConfigError(`ALPACA_KEY must be the key of your Alpaca account.
ALPACA_SECRET must be the secret that belongs to the key.
SYMBOLS must be symbols separated by commas, such as AAPL,MSFT.
LOG_LEVEL must be trace, debug, info, warn, error, fatal or silent.`),
  );
});

it.each(['https://broker', 'ws://', 'ws://[', 'broker'])('refuses the address %j, once', (ALPACA_URL) => {
  expect(() => readConfig([], { ...REQUIRED, ALPACA_URL })).toThrow(
    new ConfigError('ALPACA_URL must be an address that begins with ws:// or wss://.'),
  );
});

it.each(['', ',', 'AAPL,', 'AA PL'])('refuses the symbols %j', (SYMBOLS) => {
  expect(() => readConfig([], { ...REQUIRED, SYMBOLS })).toThrow(
    /^SYMBOLS must be symbols separated by commas/,
  );
});

it('takes no arguments but --help', () => {
  expect(() => readConfig(['--port'], REQUIRED)).toThrow(/takes no arguments but --help/);
  expect(readConfig(['--help'], {})).toBe('help');
  expect(helpText()).toMatch(/ALPACA_URL +stream to connect to/);
});
