import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

const folder = new URL('../', import.meta.url);
/** bridge.test.ts tests the bridge, which needs two servers. */
const programs = readdirSync(folder).filter((name) => name.endsWith('.ts') && name !== 'bridge.ts');

let redis: LocalRedis;
let running: ChildProcess | undefined;
beforeAll(async () => {
  redis = await startLocalRedis();
});
// Each example starts with an empty server.
afterEach(async () => {
  running?.kill('SIGKILL');
  await redis.kill();
  await redis.start();
});
afterAll(() => redis.kill());

describe('each example prints the output in its last comment', () => {
  it.each(programs)('%s', async (name) => {
    const expected = expectedOutput(readFileSync(new URL(name, folder), 'utf8'));
    expect(expected.length).toBeGreaterThan(0);
    const { lines, keepsRunning } = await run(name, expected.length);
    expect(lines.sort()).toEqual(expected.sort());
    expect(keepsRunning).toBe(name === 'quickstart.ts');
  });
});

it('the README contains the code of quickstart.ts', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  // Without the handler of errors before it.
  const code = /^import .*?(?=\n\/\/ Prints)/ms.exec(
    readFileSync(new URL('quickstart.ts', folder), 'utf8'),
  )?.[0];
  expect(readme).toContain(code?.trim() ?? 'no code');
});

/** Returns the comment lines after the last "Prints". */
function expectedOutput(source: string): string[] {
  const [, output = ''] = source.split(/^\/\/ Prints.*$/m);
  return output
    .trim()
    .split('\n')
    .map((line) => line.replace(/^\/\/ /, ''));
}

/** Runs a program until it exits. quickstart.ts does not exit: it runs until it has printed `count` lines. */
async function run(name: string, count: number): Promise<{ lines: string[]; keepsRunning: boolean }> {
  const env = { ...process.env, REDIS_URL: redis.url };
  const child = spawn(process.execPath, [await bundledProgram(new URL(name, folder))], { env });
  running = child;
  const lines: string[] = [];
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  return new Promise((resolve, reject) => {
    let rest = '';
    child.stdout.on('data', (chunk) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
      if (name === 'quickstart.ts' && lines.length >= count)
        resolve({ lines, keepsRunning: child.exitCode === null });
    });
    child.once('close', (code) => {
      if (code === 0) resolve({ lines, keepsRunning: false });
      else reject(new Error(`${name} ended with ${code}:\n${lines.join('\n')}\n${errors}`));
    });
  });
}
