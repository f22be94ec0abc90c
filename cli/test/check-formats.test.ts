// The output formats of `tickbus check`, also with hostile text.

import { describe, expect, it } from 'vitest';
import { FORMATS } from '../check-formats.ts';
import { checkFeed, combinedResult } from '../checks.ts';
import { stored } from './stored-value.fixture.ts';

it('writes each format', () => {
  const metrics = [{ name: 'f_quiet', ms: 1_234.5678, warnMs: 15_000, criticalMs: 60_000 }];
  const result = {
    check: 'feed',
    name: 'f"1',
    status: 'warning',
    summary: 'f is | silent\nnow',
    metrics,
  } as const;
  expect(FORMATS.text(result)).toBe('WARNING: f is | silent now.');
  expect(JSON.parse(FORMATS.json(result))).toEqual({
    check: 'feed',
    name: 'f"1',
    status: 'warning',
    summary: 'f is | silent\\u000anow',
    metrics: { f_quiet: { ms: 1_234.568, warn_ms: 15_000, critical_ms: 60_000 } },
  });
  expect(FORMATS.nagios(result)).toBe('FEED WARNING - f is / silent now | f_quiet=1.234568s;15;60;0');
  expect(FORMATS.prometheus(result).split('\n')).toEqual([
    '# HELP tickbus_check_status 0 ok, 1 warning, 2 critical, 3 unknown.',
    '# TYPE tickbus_check_status gauge',
    'tickbus_check_status{check="feed",name="f\\"1"} 1',
    '# HELP tickbus_check_seconds The measured latency or age.',
    '# TYPE tickbus_check_seconds gauge',
    'tickbus_check_seconds{check="feed",name="f\\"1",metric="f_quiet"} 1.234568',
  ]);
});

describe('text of other programs', () => {
  const ESC = '\u001b';
  const odd = `a"b\\c|d='e;\n${ESC}[31m\u202e`;
  const status = stored({ feed: odd, state: 'live', last_frame_ago_ms: 1, detail: odd.repeat(20) }, 0);
  const result = { ...checkFeed(status, {}), check: 'feed', name: undefined };

  it.each(Object.entries(FORMATS))('leaves no control character in %s', (name, format) => {
    const lines = format(result).split('\n');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: no control character may be left
    for (const line of lines) expect(line).toMatch(/^[^\u0000-\u001f\u202e]{1,3000}$/);
    if (name !== 'prometheus') expect(lines).toHaveLength(1);
  });

  it('cannot add performance data to the Nagios output', () => {
    const line = FORMATS.nagios(result);
    expect(line.split('|')).toHaveLength(2);
    expect(line.split('|')[1]).toMatch(/^ '[^'|=;]+'=\S+s;\S+;\S+;0$/);
  });

  it('cannot end a Prometheus label', () => {
    const samples = FORMATS.prometheus(result)
      .split('\n')
      .filter((line) => !line.startsWith('#'));
    for (const sample of samples) expect(sample).toMatch(/^\w+\{(\w+="([^"\\]|\\[\\"n])*",?)+\} [\d.e-]+$/);
  });

  it('1,000 fake feeds do not hide the one that is down', () => {
    const fakes = Array.from({ length: 1_000 }, (_, index) =>
      stored({ feed: `fake-${index}`, state: 'live', last_frame_ago_ms: 1 }, 0),
    );
    const down = stored({ feed: 'alpaca', state: 'down', last_frame_ago_ms: 99_000 }, 0);
    const combined = combinedResult([...fakes, down].map((value) => checkFeed(value, {})));
    for (const format of Object.values(FORMATS)) {
      const output = format({ ...combined, check: 'feed', name: undefined });
      expect(output).toContain('alpaca');
      expect(output.length).toBeLessThan(12_000);
    }
  });
});
