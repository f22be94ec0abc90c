// Reads a recorded exchange session: JSON lines, plain or gzipped, one frame a line.

import { type FileHandle, open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { constants, createGunzip } from 'node:zlib';

/** One frame of a recorded session. */
export interface CaptureRecord {
  /** When the frame was received or sent, Unix seconds. */
  readonly at: number;
  /** `in` came from the venue, `out` went to it. */
  readonly dir: 'in' | 'out';
  /** The JSON frame as it was sent. */
  readonly frame: unknown;
}

/** A recorded session that cannot be read; the message names the file, and the line where there is one. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
  readonly path: string;
  /** Counted from 1; undefined when the file as a whole could not be read. */
  readonly line: number | undefined;

  constructor(message: string, path: string, line?: number, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
    this.line = line;
  }
}

export interface ReadCaptureOptions {
  /** A session that breaks off, as one whose recording was killed, ends where it does. Default false: that is an error. */
  readonly allowTruncated?: boolean;
}

/**
 * Streams the records of the recorded session at `path`, in order. Whether it is gzipped is told by its first bytes, not
 * by its name. Blank lines are passed over. Leaving the loop early closes the file.
 *
 * @throws CaptureError on a file that cannot be read and on the first line that is not a record.
 */
export async function* readCapture(
  path: string,
  { allowTruncated = false }: ReadCaptureOptions = {},
): AsyncGenerator<CaptureRecord, void, undefined> {
  let line = 0;
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    for await (const { text, isWhole } of lines(await textOf(file, allowTruncated))) {
      line += 1;
      if (text.trim() === '' || (allowTruncated && !isWhole && !isJson(text))) continue;
      yield parseRecord(text, path, line);
    }
  } catch (error) {
    if (error instanceof CaptureError) throw error;
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
  const gzipped = bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  const bytes = file.createReadStream({ start: 0, autoClose: false });
  // An error of either stream reaches the reader of the last one; the callback has nothing to add.
  const options = allowTruncated ? { finishFlush: constants.Z_SYNC_FLUSH } : {};
  const plain = gzipped ? pipeline(bytes, createGunzip(options), () => {}) : bytes;
  return plain.setEncoding('utf8');
}

/** Splits text into lines. (`node:readline` does not pass a stream's error on to its iterator.) */
async function* lines(text: Readable): AsyncGenerator<Line, void, undefined> {
  let rest = '';
  for await (const chunk of text) {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) yield { text: part, isWhole: true };
  }
  if (rest !== '') yield { text: rest, isWhole: false };
}

interface Line {
  readonly text: string;
  /** Whether it ends as a line does. */
  readonly isWhole: boolean;
}

function isJson(text: string): boolean {
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
