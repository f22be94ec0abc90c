// Settings: defaults, arguments before variables, one line per error.

import { SettingsError } from '@tickbus/settings';
import { REDIS_URL_FORMS } from 'tickbus/constants';
import { expect, it } from 'vitest';
import { HELP, readConfig } from '../config.ts';

it('runs all bots on all symbols by default', () => {
  expect(readConfig([], { BOTS: '' })).toEqual({
    BOTS: ['paper-trader', 'risk-guard', 'momentum'],
    CHANNEL: 'PRICE_DATA',
    LOG_LEVEL: 'info',
  });
});

it('reads variables; arguments override them', () => {
  const env = {
    BOTS: 'momentum, risk-guard',
    SYMBOLS: 'AAPL,MSFT',
    CHANNEL: 'PRICE_DATA.kraken',
    LOG_LEVEL: 'debug',
  };
  expect(readConfig([], env)).toEqual({
    BOTS: ['momentum', 'risk-guard'],
    SYMBOLS: ['AAPL', 'MSFT'],
    CHANNEL: 'PRICE_DATA.kraken',
    LOG_LEVEL: 'debug',
  });
  expect(readConfig(['paper-trader'], env)).toMatchObject({ BOTS: ['paper-trader'] });
});

it('reports every invalid setting in its own line', () => {
  expect(() => readConfig(['momentun', 'x'], { SYMBOLS: ',', CHANNEL: 'kraken', LOG_LEVEL: 'loud' })).toThrow(
    new SettingsError(`BOTS must be names among paper-trader, risk-guard, momentum, separated by commas.
SYMBOLS must be symbols separated by commas, such as AAPL,MSFT.
CHANNEL must be PRICE_DATA, or that of a venue, such as PRICE_DATA.kraken.
LOG_LEVEL must be trace, debug, info, warn, error, fatal or silent.`),
  );
});

it('has a help text', () => {
  expect(readConfig(['-h'], {})).toBe('help');
  expect(HELP).toContain('BOTS');
  for (const form of REDIS_URL_FORMS.split('\n')) expect(HELP).toContain(`  ${form}\n`);
});
