// Captures made to exhaust the reader: an endless line, a gzip bomb, and a long line in many chunks.

import { createWriteStream } from 'node:fs';
import { mkdtemp, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CaptureError, type CaptureRecord, readCapture } from '../index.ts';

const MIB = 1024 * 1024;
const RECORD: CaptureRecord = { at: 1, dir: 'in', frame: { a: 1 } };
const LINE = `${JSON.stringify(RECORD)}\n`;

let folder: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'hostile-capture-')));
});

afterAll(() => rm(folder, { recursive: true }));

/** One good line, then `mebibytes` of the letter x without a line break. */
function* endlessLine(mebibytes: number): Generator<Buffer> {
  yield Buffer.from(`${LINE}{"at":1,"dir":"in","frame":"`);
  for (let written = 0; written < mebibytes; written++) yield Buffer.alloc(MIB, 'x');
}

async function read(path: string) {
  const records: CaptureRecord[] = [];
  const before = process.memoryUsage().rss;
  const failure = await (async () => {
    for await (const record of readCapture(path)) records.push(record);
  })().catch((error: unknown) => error);
  const memory = process.memoryUsage().rss - before;
  if (!(failure instanceof CaptureError)) throw new Error(`Expected a CaptureError, got ${failure}`);
  return { records, failure, memory };
}

it.each([
  ['a plain file', 'endless.jsonl'],
  ['a gzip bomb', 'endless.jsonl.gz'],
])('stops at a line of 64 MiB in %s, and names it', async (_what, name) => {
  const path = join(folder, name);
  const gzip = name.endsWith('.gz') ? [createGzip()] : [];
  await pipeline([Readable.from(endlessLine(64)), ...gzip, createWriteStream(path)]);
  const { records, failure, memory } = await read(path);
  expect(records).toEqual([RECORD]);
  expect(failure.line).toBe(2);
  expect(failure.message).toBe(
    `Line 2 of ${path} exceeds the limit of 8 Mi characters. Reading stops here. Delete line 2, or record the session again.`,
  );
  expect(memory).toBeLessThan(200 * MIB);
});

it('stops decompressing a bomb of 256 MiB at the limit', async () => {
  const path = join(folder, 'bomb.gz');
  await pipeline(Readable.from(endlessLine(256)), createGzip(), createWriteStream(path));
  expect((await stat(path)).size).toBeLessThan(MIB);
  const { failure, memory } = await read(path);
  expect(failure.line).toBe(2);
  expect(memory).toBeLessThan(200 * MIB);
});

it('joins a long line in linear time', async () => {
  /** Milliseconds to read one line of `mebibytes`. */
  const duration = async (mebibytes: number): Promise<number> => {
    const path = join(folder, `${mebibytes}.jsonl`);
    await writeFile(path, `{"at":1,"dir":"in","frame":"${'x'.repeat(mebibytes * MIB - 100)}"}\n`.repeat(3));
    let fastest = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 3; round++) {
      const start = performance.now();
      let count = 0;
      for await (const _ of readCapture(path)) count++;
      expect(count).toBe(3);
      fastest = Math.min(fastest, performance.now() - start);
    }
    return fastest;
  };
  const small = await duration(0.5);
  const large = await duration(4);
  // Eight times the text: 8 in linear time, 64 in quadratic time.
  expect(large / small).toBeLessThan(32);
});

it.each([
  ['closed', '['.repeat(MIB) + ']'.repeat(MIB)],
  ['open', '{"a":'.repeat(MIB)],
])('refuses deep nesting that is %s, without parsing it', async (_what, frame) => {
  const path = join(folder, 'deep.jsonl');
  await writeFile(path, `${LINE}{"at":1,"dir":"in","frame":${frame}}\n`);
  const { records, failure } = await read(path);
  expect(records).toEqual([RECORD]);
  expect(failure.message).toBe(`Line 2 of ${path} is nested too deeply.`);
});

it('counts no bracket inside a string', async () => {
  const path = join(folder, 'brackets.jsonl');
  await writeFile(path, `{"at":1,"dir":"in","frame":"${'[{\\"'.repeat(MIB / 4)}"}\n`);
  let count = 0;
  for await (const _ of readCapture(path)) count++;
  expect(count).toBe(1);
});
