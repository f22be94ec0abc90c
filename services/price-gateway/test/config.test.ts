// Settings: flags and variables by one schema, defaults, one line a mistake, no secret in it.

import { expect, it } from 'vitest';
import { GatewayConfigError, helpText, readConfig } from '../config.ts';

const SECRET = 'hush-hush';
const REQUIRED = { ALPACA_KEY: 'k', ALPACA_SECRET: SECRET };

it('needs the key and the secret of Alpaca, and has a default for everything else', () => {
  expect(readConfig([], REQUIRED)).toEqual({
    FEED: 'alpaca',
    SYMBOLS: [],
    SYMBOL_GRACE_MS: 30_000,
    LEASE_TTL_MS: 3_000,
    BROKER_RELEASE_MS: 0,
    CONNECT_LIMIT: 10,
    CONNECT_WINDOW_MS: 60_000,
    RETRY_MS: 1_000,
    MAX_RETRY_MS: 30_000,
    SILENT_AFTER_MS: 15_000,
    RECONNECT_SILENT_MS: 60_000,
    HTTP_HOST: '127.0.0.1',
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

it('takes flags before variables', () => {
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
])('reads the symbols %j', (SYMBOLS, expected) => {
  expect(readConfig([], { ...REQUIRED, SYMBOLS })).toMatchObject({ SYMBOLS: expected });
});

it('tells every mistake in a line of its own', () => {
  const env = { LOG_LEVEL: 'loud', LEASE_TTL_MS: '10', ALPACA_URL: 'https://broker' };
  expect(() => readConfig(['--http-port', 'x'], env)).toThrow(
    new GatewayConfigError(`LEASE_TTL_MS (or --lease-ttl-ms) must be a whole number from 300 to 60000.
HTTP_PORT (or --http-port) must be a whole number from 0 to 65535.
LOG_LEVEL (or --log-level) must be trace, debug, info, warn, error, fatal or silent.
ALPACA_KEY (or --alpaca-key) must be the key of your Alpaca account.
ALPACA_SECRET must be the secret that belongs to the key.
ALPACA_URL (or --alpaca-url) must be an address that begins with ws:// or wss://.`),
  );
});

it.each([
  [['--feed', 'pigeons'], /^FEED \(or --feed\) must be one of alpaca, /],
  [['--symbols', 'AA PL'], /^SYMBOLS \(or --symbols\) must be symbols separated by commas/],
  [['--symbols', ''], /^SYMBOLS /],
  [['--port', '1'], /^There is no flag --port\. See --help for those there are\.$/],
  [['--http-port'], /^--http-port needs a value\.$/],
  [['AAPL'], /^The gateway takes flags and no other arguments\./],
])('says in one line what is wrong with %j', (args, sentence) => {
  expect(() => readConfig(args, REQUIRED)).toThrow(sentence);
});

it.each([[['--alpaca-secret', SECRET]], [[`--alpaca-secret=${SECRET}`]]])(
  'takes no secret on the command line, and does not repeat it: %j',
  (args) => {
    expect(() => readConfig(args, REQUIRED)).toThrow(
      new GatewayConfigError(
        '--alpaca-secret is no flag, because a command line can be read by others. Set the variable ALPACA_SECRET.',
      ),
    );
  },
);

it('refuses the flag of another feed', () => {
  expect(() => readConfig(['--capture-file', 'x'], REQUIRED)).toThrow(
    new GatewayConfigError('--capture-file is no setting of the feed alpaca. Leave it out.'),
  );
});

it('reads the settings of the feed that is chosen, and of no other', () => {
  const config = readConfig(['--feed', 'capture', '--capture-file', 'session.jsonl'], {});
  expect(config).toMatchObject({ FEED: 'capture', feedSettings: { CAPTURE_FILE: 'session.jsonl' } });
});

it('tells all of them with --help', () => {
  expect(readConfig(['--help'], {})).toBe('help');
  expect(readConfig(['-h'], {})).toBe('help');
  for (const name of ['FEED', 'LEASE_TTL_MS', 'ALPACA_SECRET', 'CAPTURE_FILE', 'REDIS_URL'])
    expect(helpText()).toContain(name);
});
