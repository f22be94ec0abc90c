import { REDIS_URL_FORMS } from 'tickbus/constants';
import { expect, it } from 'vitest';
import { helpText, readConfig } from '../config.ts';

it('has a default for every setting; an empty variable counts as not set', () => {
  expect(readConfig([], { MONITOR_TOKEN: '', MONITOR_PORT: '' })).toEqual({
    MONITOR_HOST: '127.0.0.1',
    MONITOR_PORT: 8788,
    MONITOR_ALLOWED_HOSTS: [],
    MONITOR_MAX_AGE_MS: 5_000,
    LOG_LEVEL: 'info',
  });
});

it('ignores what Kubernetes sets for a service called monitor', () => {
  expect(readConfig([], { MONITOR_PORT: 'tcp://10.0.0.1:80' })).toMatchObject({ MONITOR_PORT: 8788 });
});

it('reads variables', () => {
  const env = { MONITOR_HOST: '0.0.0.0', MONITOR_PORT: '0', MONITOR_ALLOWED_HOSTS: 'desk, desk.lan' };
  expect(readConfig([], env)).toMatchObject({
    MONITOR_HOST: '0.0.0.0',
    MONITOR_PORT: 0,
    MONITOR_ALLOWED_HOSTS: ['desk', 'desk.lan'],
  });
});

it('reports each invalid setting in one line without its value', () => {
  const env = { MONITOR_TOKEN: 'hunter2', MONITOR_PORT: '70000', MONITOR_MAX_AGE_MS: 'soon' };
  expect(() => readConfig([], env)).toThrow(
    /^MONITOR_PORT must be a port.*\nMONITOR_TOKEN must be at least 16.*\nMONITOR_MAX_AGE_MS must be a whole/,
  );
  expect(() => readConfig([], env)).not.toThrow(/hunter2/);
  expect(() => readConfig(['--port'], {})).toThrow(/accepts --help only/);
});

it.each([
  'ein schönes langes Token',
  'пароль достаточно длинный',
  ' outer space before it',
  'a line break after it\n',
])('rejects a token that a browser cannot send: %j', (token) => {
  expect(() => readConfig([], { MONITOR_TOKEN: token })).toThrow(/^MONITOR_TOKEN must be .*ASCII/);
});

it('has a help text', () => {
  expect(readConfig(['--help'], {})).toBe('help');
  expect(helpText()).toMatch(/MONITOR_TOKEN.*default off/);
  for (const form of REDIS_URL_FORMS.split('\n')) expect(helpText()).toContain(`  ${form}\n`);
});
