// Settings: flags, variables, defaults; one line per error, without secrets.

import { SettingsError } from '@tickbus/settings';
import { REDIS_URL_FORMS } from 'tickbus/constants';
import { expect, it } from 'vitest';
import { helpText, readConfig } from '../config.ts';

const SECRET = 'hush-hush';
const REQUIRED = { ALPACA_KEY: 'k', ALPACA_SECRET: SECRET };

it('requires the key and the secret of Alpaca, and has defaults for all other settings', () => {
  expect(readConfig([], REQUIRED)).toEqual({
    FEED: 'alpaca',
    CHANNEL: 'PRICE_DATA',
    SYMBOLS: [],
    SYMBOL_GRACE_MS: 30_000,
    TRADES: 'requested',
    LEASE_TTL_MS: 3_000,
    BROKER_RELEASE_MS: 0,
    CONNECT_LIMIT: 10,
    CONNECT_WINDOW_MS: 60_000,
    RETRY_MS: 1_000,
    MAX_RETRY_MS: 30_000,
    SILENT_AFTER_MS: 15_000,
    RECONNECT_SILENT_MS: 60_000,
    HTTP_HOST: '127.0.0.1',
    HTTP_ALLOWED_HOSTS: [],
    HTTP_PORT: 9_464,
    RECORD_MAX_MB: 100,
    RECORD_MAX_MINUTES: 60,
    LOG_LEVEL: 'info',
    feedSettings: {
      ALPACA_KEY: 'k',
      ALPACA_SECRET: SECRET,
      ALPACA_URL: 'wss://stream.data.alpaca.markets/v2/iex',
    },
  });
});

it('prefers flags to variables', () => {
  const env = { ...REQUIRED, SYMBOLS: 'MSFT', HTTP_PORT: '1', SYMBOL_LIMIT: '7' };
  const args = ['--symbols', 'AAPL', '--http-port=2', '--alpaca-url', 'ws://127.0.0.1:1/v2/iex'];
  expect(readConfig(args, env)).toMatchObject({
    SYMBOLS: ['AAPL'],
    HTTP_PORT: 2,
    SYMBOL_LIMIT: 7,
    feedSettings: { ALPACA_URL: 'ws://127.0.0.1:1/v2/iex' },
  });
});

it.each([
  ['AAPL, MSFT,AAPL', ['AAPL', 'MSFT']],
  ['*', ['*']],
  ['', []],
  ['BRK.B,BTC/USD,BAND-GBP,SUSHI/USDT:USDT', ['BRK.B', 'BTC/USD', 'BAND-GBP', 'SUSHI/USDT:USDT']],
])('parses the symbols %j', (SYMBOLS, expected) => {
  expect(readConfig([], { ...REQUIRED, SYMBOLS })).toMatchObject({ SYMBOLS: expected });
});

it('reports each error in a line of its own', () => {
  const env = { LOG_LEVEL: 'loud', LEASE_TTL_MS: '10', ALPACA_URL: 'https://broker' };
  expect(() => readConfig(['--http-port', 'x'], env)).toThrow(
    new SettingsError(`LEASE_TTL_MS (or --lease-ttl-ms) must be a whole number from 300 to 60000.
HTTP_PORT (or --http-port) must be a whole number from 0 to 65535.
LOG_LEVEL (or --log-level) must be trace, debug, info, warn, error, fatal or silent.
ALPACA_KEY (or --alpaca-key) must be the key of your Alpaca account.
ALPACA_SECRET must be the secret of your Alpaca account.
ALPACA_URL (or --alpaca-url) must be a URL that starts with ws:// or wss:// and contains no #.`),
  );
});

it.each([
  [['--feed', 'pigeons'], /^FEED \(or --feed\) must be one of alpaca, /],
  [['--symbols', 'AA  PL'], /^SYMBOLS \(or --symbols\) must be symbols separated by commas/],
  [['--symbols', ''], /^SYMBOLS /],
  ...['kraken', 'PRICE_DATA.', 'PRICE_DATA.a b', 'PRICE_DATA#1/2'].map((name): [string[], RegExp] => [
    ['--channel', name],
    /^CHANNEL \(or --channel\) must be PRICE_DATA, or that of a venue/,
  ]),
  [['--alpaca-url', 'wss://broker/v2#iex'], /contains no #/],
  [['--port', '1'], /^Unknown flag --port\. See --help for the list of flags\.$/],
  [['--http-port'], /^--http-port needs a value\.$/],
  [['AAPL'], /^The gateway accepts flags only\./],
])('reports the error in %j in one line', (args, sentence) => {
  expect(() => readConfig(args, REQUIRED)).toThrow(sentence);
});

it.each([[['--alpaca-secret', SECRET]], [[`--alpaca-secret=${SECRET}`]]])(
  'rejects a secret on the command line, and does not repeat it: %j',
  (args) => {
    expect(() => readConfig(args, REQUIRED)).toThrow(
      new SettingsError(
        '--alpaca-secret is not a flag, because other users can read a command line. Set the variable ALPACA_SECRET.',
      ),
    );
  },
);

it('rejects a flag of another feed', () => {
  expect(() => readConfig(['--capture-file', 'x'], REQUIRED)).toThrow(
    new SettingsError('--capture-file is not a setting of the feed alpaca. Remove it.'),
  );
});

it('takes the channel of a venue', () => {
  expect(readConfig(['--channel', 'PRICE_DATA.kraken'], REQUIRED)).toMatchObject({
    CHANNEL: 'PRICE_DATA.kraken',
  });
});

it('reads the settings of the chosen feed only', () => {
  const config = readConfig(['--feed', 'capture', '--capture-file', 'session.jsonl'], {});
  expect(config).toMatchObject({ FEED: 'capture', feedSettings: { CAPTURE_FILE: 'session.jsonl' } });
});

it('lists all settings with --help', () => {
  expect(readConfig(['--help'], {})).toBe('help');
  expect(readConfig(['-h'], {})).toBe('help');
  for (const name of ['FEED', 'LEASE_TTL_MS', 'ALPACA_SECRET', 'CAPTURE_FILE', 'REDIS_URL'])
    expect(helpText()).toContain(name);
  for (const form of REDIS_URL_FORMS.split('\n')) expect(helpText()).toContain(`  ${form}\n`);
});
