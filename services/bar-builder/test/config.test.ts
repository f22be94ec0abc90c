// Settings: defaults, values, one line per error.

import { SettingsError } from '@tickbus/settings';
import { REDIS_URL_FORMS } from 'tickbus/constants';
import { expect, it } from 'vitest';
import { helpText, readConfig } from '../config.ts';

it('has defaults', () => {
  expect(readConfig([], { BARS: '' })).toEqual({
    BARS: ['1s', '1m', '5m', '1h', '1d'].map((name) => ({ name, lengthMs: expect.any(Number) })),
    CHANNEL: 'PRICE_DATA',
    BAR_TIME_ZONE: 'UTC',
    BAR_SESSION: { open: 0, close: 86_400_000 },
    BAR_GRACE_MS: 500,
    BAR_REVISE_FOR: 900_000,
    LEASE_TTL_MS: 3_000,
    HTTP_HOST: '127.0.0.1',
    HTTP_ALLOWED_HOSTS: [],
    HTTP_PORT: 9_470,
    LOG_LEVEL: 'info',
  });
});

it('reads every setting', () => {
  const env = {
    BARS: '1m, 4h,1m',
    SYMBOLS: 'AAPL,BTC/USD',
    CHANNEL: 'PRICE_DATA.kraken',
    BAR_TIME_ZONE: 'America/New_York',
    BAR_SESSION: '09:30-16:00',
    BAR_GRACE_MS: '0',
    BAR_REVISE_FOR: '2h',
  };
  expect(readConfig([], env)).toMatchObject({
    BARS: [
      { name: '1m', lengthMs: 60_000 },
      { name: '4h', lengthMs: 14_400_000 },
    ],
    SYMBOLS: ['AAPL', 'BTC/USD'],
    CHANNEL: 'PRICE_DATA.kraken',
    BAR_TIME_ZONE: 'America/New_York',
    BAR_SESSION: { open: 34_200_000, close: 57_600_000 },
    BAR_GRACE_MS: 0,
    BAR_REVISE_FOR: 7_200_000,
  });
});

it('reports every invalid setting in its own line', () => {
  const env = {
    BARS: '1m,1w',
    SYMBOLS: 'AAPL,,MSFT',
    CHANNEL: 'kraken',
    BAR_TIME_ZONE: 'Mars/Olympus',
    BAR_SESSION: '9-16',
    BAR_GRACE_MS: '-1',
    BAR_REVISE_FOR: '10s',
  };
  expect(() => readConfig([], env)).toThrow(
    new SettingsError(`BARS must be lengths from 1s to 1d separated by commas, such as 1s,1m,5m,1h,1d.
SYMBOLS must be symbols separated by commas, such as AAPL,MSFT.
CHANNEL must be PRICE_DATA, or that of a venue, such as PRICE_DATA.kraken.
BAR_TIME_ZONE must be a time zone of the IANA database, such as America/New_York.
BAR_SESSION must be two local times such as 09:30-16:00, or 18:00-17:00 for a session over midnight.
BAR_GRACE_MS must be a whole number from 0 to 60000.
BAR_REVISE_FOR must be a time from 2m to 1d, such as 15m.`),
  );
  expect(() => readConfig(['--bars', '1m'], {})).toThrow('--help only');
});

it('has a help text with every setting', () => {
  expect(readConfig(['-h'], {})).toBe('help');
  for (const name of ['BARS', 'SYMBOLS', 'CHANNEL', 'BAR_TIME_ZONE', 'BAR_SESSION', 'BAR_REVISE_FOR'])
    expect(helpText()).toContain(`  ${name} `);
  for (const form of REDIS_URL_FORMS.split('\n')) expect(helpText()).toContain(`  ${form}\n`);
});
