// Loading a mapping module: missing and wrong exports, and functions that return a promise.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import { loadMapping } from '../../feeds/mapping-module.ts';
import { websocket } from '../../feeds/websocket-feed.ts';
import type { FrameTools } from '../../mapping.ts';
import { startVenueServer } from './venue-server.fixture.ts';
import { observe } from './websocket-feed.fixture.ts';

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
    export const decode = read, open = read, subscribe = read, unsubscribe = read, ping = read;`;
  const mapping = await loadMapping(await writeModule(source));
  const failures = vi.fn();
  process.on('unhandledRejection', failures);
  onTestFinished(() => void process.off('unhandledRejection', failures));
  const { read, decode } = mapping;
  const calls = [read, decode, mapping.open, mapping.subscribe, mapping.unsubscribe, mapping.ping];
  for (const call of calls as ((argument: unknown) => unknown)[])
    expect(() => call(['AAPL'])).toThrow(
      /^\w+ returned a promise, but must return its result synchronously\.$/,
    );
  await new Promise(setImmediate);
  expect(failures).not.toHaveBeenCalled();
});

it('counts the frames of an asynchronous decode as invalid', async () => {
  const source = `export const read = () => [];
    export async function decode() { throw new Error('later'); }`;
  const venue = await startVenueServer();
  const observed = observe({ url: venue.url, mapping: await loadMapping(await writeModule(source)) }, []);
  const socket = await venue.sockets.until(() => true);
  socket.send('{}');
  expect(await observed.invalid.until(() => true)).toBe(
    'The mapping cannot decode a frame: decode returned a promise, but must return its result synchronously.',
  );
  expect(observed.attempts.all).toHaveLength(1);
});

it('passes the tools to decode', async () => {
  const source = `export const read = () => [];
    export const decode = (bytes, tools) => tools.isBinary;`;
  const { decode } = await loadMapping(await writeModule(source));
  expect(decode?.(Buffer.of(), { isBinary: true } as FrameTools)).toBe(true);
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
