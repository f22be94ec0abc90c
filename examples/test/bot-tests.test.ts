// docs/testing-bots.md shows the code of examples/bot-tests, whose tests pass and have at most five lines.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { expect, it } from 'vitest';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const PAGE = read('docs/testing-bots.md');
const TESTS = read('examples/bot-tests/rising.test.ts');
const SOURCES = [
  TESTS,
  read('examples/bot-tests/rising.ts'),
  read('examples/bot-tests/node-timers.test.ts'),
  read('examples/test/fake-timers.test.ts'),
];

const blocks = [...PAGE.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code);
const tests = [...TESTS.matchAll(/^test\('([^']*)'.*?\n(.*?)^\}\);$/gms)];

it('each block of the page is code of the examples', () => {
  expect(blocks.length).toBeGreaterThan(10);
  expect(blocks.filter((block) => !SOURCES.some((source) => source.includes(block.trim())))).toEqual([]);
});

it('the page shows each test', () => {
  expect(tests).toHaveLength(10);
  expect(tests.filter(([code]) => !PAGE.includes(code)).map(([, name]) => name)).toEqual([]);
});

it('each test has at most five lines', () => {
  expect(
    tests.filter(([, , body = '']) => body.trim().split('\n').length > 5).map(([, name]) => name),
  ).toEqual([]);
});

it.each([
  ['rising', tests.length],
  ['node-timers', 1],
])('the tests of %s pass', async (name, count) => {
  const program = await bundledProgram(new URL(`../bot-tests/${name}.test.ts`, import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--test-reporter=tap', program]);
  expect(stdout).toContain(`# pass ${count}`);
});
