// Reads a recorded exchange session: JSON lines, plain or gzipped, one frame a line.

import { type FileHandle, open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { constants, createGunzip } from 'node:zlib';
import { isTooDeep } from './json-depth.ts';

/** One frame of a recorded session. */
export interface CaptureRecord {
  /** Time at which the frame was received or sent, Unix seconds. */
  readonly at: number;
  /** `in`: from the venue; `out`: to the venue. */
  readonly dir: 'in' | 'out';
  /** The decoded JSON frame. */
  readonly frame: unknown;
}

/** Thrown if a recorded session cannot be read. The message names the file, and the line if a line is at fault. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
  readonly path: string;
  /** Counted from 1; undefined if the file as a whole cannot be read. */
  readonly line: number | undefined;

  constructor(message: string, path: string, line?: number, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
    this.line = line;
  }
}

/**
 * The maximum length of a line in UTF-16 units. A recorded frame has at most 1 MiB; written as a JSON string, each of
 * its bytes takes up to six characters.
 */
const MAX_LINE_LENGTH = 8 * 1024 * 1024;

/** Editors on Windows write it at the start of a file. */
const BYTE_ORDER_MARK = '\uFEFF';

export interface ReadCaptureOptions {
  /** Accepts a truncated file, as a killed recorder leaves it. Default false: a truncated file is an error. */
  readonly allowTruncated?: boolean;
}

/**
 * Streams the records of the recorded session at `path`, in order. The first bytes, not the name, decide whether the
 * file is gzipped. Blank lines and a UTF-8 byte order mark are skipped. Leaving the loop early closes the file. Memory
 * is bounded by the longest line: at most 8 Mi characters.
 *
 * @throws CaptureError if the file cannot be read, or at the first line that is not a record or exceeds that length
 */
export async function* readCapture(
  path: string,
  { allowTruncated = false }: ReadCaptureOptions = {},
): AsyncGenerator<CaptureRecord, void, undefined> {
  let line = 0;
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    for await (const { text: content, isWhole } of lines(await textOf(file, allowTruncated))) {
      line += 1;
      const text = line === 1 && content.startsWith(BYTE_ORDER_MARK) ? content.slice(1) : content;
      if (text.trim() === '' || (allowTruncated && !isWhole && !isJson(text))) continue;
      yield parseRecord(text, path, line);
    }
  } catch (error) {
    if (error instanceof CaptureError) throw error;
    if (error instanceof LineTooLongError) throw tooLong(path, line + 1, error);
    const where = line === 0 ? '' : ` after line ${line}`;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CaptureError(`The capture ${path} could not be read${where}: ${reason}`, path, undefined, {
      cause: error,
    });
  } finally {
    await file?.close();
  }
}

async function textOf(file: FileHandle, allowTruncated: boolean): Promise<Readable> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
  if (bytesRead === 2 && (buffer.readUInt16BE() === 0xfeff || buffer.readUInt16BE() === 0xfffe))
    throw new Error('It is encoded as UTF-16. Save it as UTF-8.');
  const gzipped = bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  const bytes = file.createReadStream({ start: 0, autoClose: false });
  // The reader of the last stream receives the errors of both streams, so the callback of `pipeline` is empty.
  const options = allowTruncated ? { finishFlush: constants.Z_SYNC_FLUSH } : {};
  const plain = gzipped ? pipeline(bytes, createGunzip(options), () => {}) : bytes;
  return plain.setEncoding('utf8');
}

/**
 * Splits text into lines. Replaces `node:readline`, which does not pass a stream's error to its iterator. The pieces of
 * a long line are joined once, because joining them at every chunk takes quadratic time.
 *
 * @throws LineTooLongError as soon as a line exceeds `MAX_LINE_LENGTH`
 */
async function* lines(text: Readable): AsyncGenerator<Line, void, undefined> {
  let pieces: string[] = [];
  let length = 0;
  const add = (piece: string): void => {
    length += piece.length;
    if (length > MAX_LINE_LENGTH) throw new LineTooLongError();
    pieces.push(piece);
  };
  for await (const chunk of text as AsyncIterable<string>) {
    let start = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', start)) {
      add(chunk.slice(start, end));
      yield { text: pieces.join(''), isWhole: true };
      pieces = [];
      length = 0;
      start = end + 1;
    }
    if (start < chunk.length) add(chunk.slice(start));
  }
  if (length > 0) yield { text: pieces.join(''), isWhole: false };
}

class LineTooLongError extends Error {}

function tooLong(path: string, line: number, cause: Error): CaptureError {
  const limit = `the limit of ${MAX_LINE_LENGTH / 2 ** 20} Mi characters`;
  const advice = `Reading stops here. Delete line ${line}, or record the session again.`;
  return new CaptureError(`Line ${line} of ${path} exceeds ${limit}. ${advice}`, path, line, { cause });
}

interface Line {
  readonly text: string;
  /** Whether the line ends with a line break; false only for the last line. */
  readonly isWhole: boolean;
}

function isJson(text: string): boolean {
  if (isTooDeep(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function parseRecord(text: string, path: string, line: number): CaptureRecord {
  const record = parseJson(text, path, line);
  if (isRecord(record)) return record;
  throw new CaptureError(
    `Line ${line} of ${path} is not a recorded frame: expected {"at": seconds, "dir": "in" or "out", "frame": ...}.`,
    path,
    line,
  );
}

function parseJson(text: string, path: string, line: number): unknown {
  if (isTooDeep(text)) throw new CaptureError(`Line ${line} of ${path} is nested too deeply.`, path, line);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CaptureError(`Line ${line} of ${path} is not valid JSON.`, path, line, { cause: error });
  }
}

function isRecord(value: unknown): value is CaptureRecord {
  if (typeof value !== 'object' || value === null || !('frame' in value)) return false;
  const { at, dir } = value as Partial<CaptureRecord>;
  return Number.isFinite(at) && (dir === 'in' || dir === 'out');
}
