// Settings: defaults, variables, flags that override them; one line per error.

import { SettingsError } from '@tickbus/settings';
import { expect, it } from 'vitest';
import { helpText, readConfig } from '../config.ts';

it('has defaults for all settings except the recorded session', () => {
  expect(readConfig([], {})).toEqual({
    port: 8765,
    host: '127.0.0.1',
    speed: 1,
    seed: 1,
    rate: 20,
    symbols: ['AAPL', 'MSFT', 'TSLA', 'NVDA', 'SPY'],
    key: 'local-key',
    secret: 'local-secret',
    release: 0,
    incidents: false,
    resend: 0,
  });
});

it('reads variables, and prefers flags to them', () => {
  const env = { BROKER_PORT: '1', BROKER_SPEED: 'Infinity', BROKER_SECRET: 's' };
  expect(readConfig(['--port', '2', '--symbols=A,B', '--capture', 'x.gz'], env)).toMatchObject({
    port: 2,
    speed: Number.POSITIVE_INFINITY,
    secret: 's',
    symbols: ['A', 'B'],
    capture: 'x.gz',
  });
});

it.each([
  ['--port', '65536', '--port (or BROKER_PORT) must be a whole number from 0 to 65535.'],
  ['--port', '', '--port (or BROKER_PORT) must be a whole number from 0 to 65535.'],
  ['--speed', '0', '--speed (or BROKER_SPEED) must be a number above 0.'],
  ['--rate', 'fast', '--rate (or BROKER_RATE) must be a number from 0.01 to 100000.'],
  ['--seed', '1.5', '--seed (or BROKER_SEED) must be a whole number from 0 to 4294967295.'],
  [
    '--symbols',
    'A,,B',
    '--symbols (or BROKER_SYMBOLS) must be symbols separated by commas, such as AAPL,MSFT.',
  ],
  ['--secret', ' ', '--secret (or BROKER_SECRET) must be a secret.'],
  ['--prot', '1', "Unknown option '--prot'. See --help for the list of flags."],
])('rejects %s %j with one clear error', (flag, value, message) => {
  expect(() => readConfig([`${flag}=${value}`], {})).toThrow(new SettingsError(message));
});

it.each([
  [['./session.jsonl'], "Unexpected argument './session.jsonl'. See --help for the list of flags."],
  [['--port'], "Option '--port <value>' argument missing. See --help for the list of flags."],
  [['--port', '--speed'], "Option '--port' argument is ambiguous. See --help for the list of flags."],
])('rejects the arguments %j', (args, message) => {
  expect(() => readConfig(args, {})).toThrow(new SettingsError(message));
});

it('reports all errors at once', () => {
  expect(() => readConfig(['--port', 'x', '--speed', 'y'], {})).toThrow(/^--port .*\n--speed .*$/);
});

it('has a help text with every flag and variable', () => {
  expect(readConfig(['-h'], {})).toBe('help');
  expect(helpText()).toMatch(/--port +BROKER_PORT/);
});
