// Reads recorded sessions: plain and gzipped, as a stream, with errors that name file and line.

import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readlink, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CaptureError, type CaptureRecord, readCapture } from '../index.ts';

const RECORDS: readonly CaptureRecord[] = [
  { at: 1.5, dir: 'out', frame: { type: 'subscribe' } },
  { at: 2, dir: 'in', frame: ['ü', '\n', 1] },
  { at: 2.25, dir: 'in', frame: null },
];
const TEXT = RECORDS.map((record) => `${JSON.stringify(record)}\n`).join('');

let folder: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'capture-')));
});

afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

async function readAll(path: string): Promise<CaptureRecord[]> {
  const records: CaptureRecord[] = [];
  for await (const record of readCapture(path)) records.push(record);
  return records;
}

async function failureOf(path: string): Promise<CaptureError> {
  const failure = await readAll(path).catch((error: unknown) => error);
  if (!(failure instanceof CaptureError)) throw new Error(`Expected a CaptureError, got ${failure}`);
  return failure;
}

it.each([
  ['plain', 'plain.jsonl', TEXT],
  ['gzipped', 'zipped.jsonl.gz', gzipSync(TEXT)],
  ['gzipped under a plain name', 'zipped.jsonl', gzipSync(TEXT)],
  ['without a last newline and with blank lines', 'blank.jsonl', TEXT.replaceAll('\n', '\r\n\n').trimEnd()],
])('reads a session that is %s', async (_what, name, content) => {
  expect(await readAll(await file(name, content))).toEqual(RECORDS);
});

it('reads an empty session as no records', async () => {
  expect(await readAll(await file('empty.jsonl', ''))).toEqual([]);
});

it('assembles lines that are longer than a chunk', async () => {
  const frame = 'ü'.repeat(300_000);
  const path = await file('long.jsonl', `{"at":1,"dir":"in","frame":"${frame}"}\n${TEXT}`);
  expect(await readAll(path)).toEqual([{ at: 1, dir: 'in', frame }, ...RECORDS]);
});

it('yields the records before an invalid line', async () => {
  const path = await file('partly.jsonl', `${TEXT}oops\n`);
  const records: CaptureRecord[] = [];
  await expect(async () => {
    for await (const record of readCapture(path)) records.push(record);
  }).rejects.toThrow(`Line 4 of ${path} is not valid JSON.`);
  expect(records).toEqual(RECORDS);
});

it.each([
  '[]',
  'null',
  '{"at":1,"dir":"in"}',
  '{"at":"1","dir":"in","frame":{}}',
  '{"at":1e999,"dir":"in","frame":{}}',
  '{"at":1,"dir":"up","frame":{}}',
])('rejects the line %s and names its number', async (line) => {
  const path = await file('bad.jsonl', `${TEXT}${line}\n`);
  const failure = await failureOf(path);
  expect(failure.message).toContain(`Line 4 of ${path} is not a recorded frame: expected {"at": seconds`);
  expect(failure).toMatchObject({ path, line: 4 });
});

it('skips a byte order mark, plain and gzipped', async () => {
  const marked = `\uFEFF${TEXT}`;
  expect(await readAll(await file('marked.jsonl', marked))).toEqual(RECORDS);
  expect(await readAll(await file('marked.gz', gzipSync(marked)))).toEqual(RECORDS);
  const inside = await file('inside.jsonl', `${TEXT}${marked}`);
  expect((await failureOf(inside)).message).toBe(`Line 4 of ${inside} is not valid JSON.`);
});

it.each([
  ['little', (text: string) => Buffer.from(text, 'utf16le')],
  ['big', (text: string) => Buffer.from(text, 'utf16le').swap16()],
])('names the encoding of a UTF-16 file (%s endian)', async (endian, encode) => {
  const path = await file(`${endian}.jsonl`, encode(`\uFEFF${TEXT}`));
  expect((await failureOf(path)).message).toBe(
    `The capture ${path} could not be read: It is encoded as UTF-16. Save it as UTF-8.`,
  );
});

it('names a missing file', async () => {
  const path = join(folder, 'missing.jsonl');
  expect((await failureOf(path)).message).toContain(`The capture ${path} could not be read: ENOENT`);
});

it('reports a truncated gzipped session', async () => {
  const path = await file('broken.gz', gzipSync(TEXT).subarray(0, -12));
  expect((await failureOf(path)).message).toMatch(/broken\.gz could not be read.*: unexpected end of file$/);
});

it('reads a truncated session up to its end with allowTruncated', async () => {
  // Two gzip members, as a recorder writes them.
  const [first, second] = [gzipSync(TEXT), gzipSync(TEXT.repeat(50))];
  const whole = Buffer.concat([first, second]);
  for (const length of [first.length, first.length + 3, first.length + 30, whole.length - 8, whole.length]) {
    const path = await file(`cut-${length}.gz`, whole.subarray(0, length));
    const records: CaptureRecord[] = [];
    for await (const record of readCapture(path, { allowTruncated: true })) records.push(record);
    const least = length >= whole.length - 8 ? 3 * 51 : 3;
    expect(records.length).toBeGreaterThanOrEqual(least);
    expect(records).toEqual(Array.from({ length: records.length }, (_, index) => RECORDS[index % 3]));
  }
  const plain = await file('cut.jsonl', TEXT.slice(0, -4));
  await expect(readAll(plain)).rejects.toThrow('is not valid JSON');
  const records: CaptureRecord[] = [];
  for await (const record of readCapture(plain, { allowTruncated: true })) records.push(record);
  expect(records).toEqual(RECORDS.slice(0, 2));
});

it('closes the file when the loop ends early', async ({ skip }) => {
  const open = '/proc/self/fd';
  skip(!existsSync(open), 'This system does not list the open files of a process.');
  const path = await file('early.gz', gzipSync(TEXT.repeat(10_000)));
  const isOpen = async () => {
    const files = await Promise.all(
      (await readdir(open)).map((fd) => readlink(join(open, fd)).catch(() => '')),
    );
    return files.includes(path);
  };
  for await (const record of readCapture(path)) {
    expect(record).toEqual(RECORDS[0]);
    expect(await isOpen()).toBe(true);
    break;
  }
  expect(await isOpen()).toBe(false);
});
