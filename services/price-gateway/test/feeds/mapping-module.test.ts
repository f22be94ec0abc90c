// Loading a mapping module: missing and wrong exports, and functions that return a promise.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import { loadMapping } from '../../feeds/mapping-module.ts';
import { websocket } from '../../feeds/websocket-feed.ts';

/** Writes a mapping module and returns its path. */
async function writeModule(source: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tickbus-mapping-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'mapping.mjs');
  await writeFile(path, source);
  return path;
}

it('rejects a function that returns a promise, without an unhandled rejection', async () => {
  const source = `export async function read() { throw new Error('later'); }
    export const open = read, subscribe = read, unsubscribe = read, ping = read;`;
  const mapping = await loadMapping(await writeModule(source));
  const failures = vi.fn();
  process.on('unhandledRejection', failures);
  onTestFinished(() => void process.off('unhandledRejection', failures));
  const calls = [mapping.read, mapping.open, mapping.subscribe, mapping.unsubscribe, mapping.ping];
  for (const call of calls as ((argument: unknown) => unknown)[])
    expect(() => call(['AAPL'])).toThrow(
      /^\w+ returned a promise, but must return its result synchronously\.$/,
    );
  await new Promise(setImmediate);
  expect(failures).not.toHaveBeenCalled();
});

it.each([
  ['no-such.mjs', /^Cannot load the mapping no-such\.mjs: /],
  [
    fileURLToPath(new URL('../gateway.fixture.ts', import.meta.url)),
    /must export a function read\(frame\)\.$/,
  ],
])('reports an error in the mapping %s', async (WEBSOCKET_MAPPING, message) => {
  const made = websocket.create({
    WEBSOCKET_URL: 'ws://127.0.0.1:1',
    WEBSOCKET_MAPPING,
    WEBSOCKET_PING_MS: 0,
  });
  await expect(made).rejects.toThrow(message);
});
