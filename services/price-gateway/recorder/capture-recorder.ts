// Records the frames that a feed receives and sends in capture files, without delaying the feed.

import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'tickbus';
import type { Feed, FeedListener, RawFrame } from '../feeds/feed.ts';
import { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import { CaptureFile } from './capture-file.ts';
import { Masker } from './mask.ts';

export interface RecorderOptions {
  /** Folder of the files; created if it does not exist. */
  readonly folder: string;
  /** Prefix of the file names: `alpaca`. */
  readonly name: string;
  readonly logger: Logger;
  /** Values to mask. Default none. */
  readonly secrets?: readonly string[];
  /** Compressed size at which the next file starts, bytes. Default 100 MiB. */
  readonly maxFileBytes?: number;
  /** Age at which the next file starts, milliseconds. Default one hour. */
  readonly maxFileMs?: number;
  /** Write interval, milliseconds; a killed process loses at most the frames of one interval. Default 1,000. */
  readonly flushMs?: number;
  /** Maximum buffered characters; further frames are dropped, counted and logged. Default 16 Mi. */
  readonly maxBuffered?: number;
}

/** Counters since the start. */
export interface RecorderStats {
  /** Frames written to a file. */
  readonly written: number;
  /** Frames not recorded, because the buffer was full or a write failed. */
  readonly dropped: number;
  /** Compressed bytes written. */
  readonly bytes: number;
  /** Files created. */
  readonly files: number;
}

/**
 * Opens a recorder. The first frame creates the first file.
 *
 * @throws Error if the folder is not writable
 */
export async function openRecorder(options: RecorderOptions): Promise<CaptureRecorder> {
  const { folder } = options;
  try {
    await createFolder(folder);
    await access(folder, constants.W_OK);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot write recordings to the folder ${folder}: ${reason}`, { cause: error });
  }
  return new CaptureRecorder(options);
}

/** Creates parents one by one: a recursive `mkdir` never returns if a folder fails with ENOENT, as in /proc. */
async function createFolder(folder: string): Promise<void> {
  if (await isFolder(folder)) return;
  const parent = dirname(folder);
  if (parent !== folder) await createFolder(parent);
  try {
    await mkdir(folder);
  } catch (error) {
    // Another gateway may have created the folder concurrently.
    if (!(await isFolder(folder))) throw error;
  }
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

const DEFAULTS = {
  maxFileBytes: 100 * 1024 * 1024,
  maxFileMs: 3_600_000,
  flushMs: 1_000,
  maxBuffered: 16 * 1024 * 1024,
};

/** A buffer of this size is written immediately, without waiting for `flushMs`. */
const FLUSH_AT_CHARACTERS = 256 * 1024;

/**
 * Buffers frames as lines. One write at a time takes all buffered lines, compresses them in a worker thread of Node,
 * and appends them as one gzip member. Created by `openRecorder`.
 */
export class CaptureRecorder implements AsyncDisposable {
  readonly #options: RecorderOptions & typeof DEFAULTS;
  readonly #masker: Masker;
  readonly #warnings: RateLimitedLog;
  readonly #stats = { written: 0, dropped: 0, bytes: 0, files: 0 };
  readonly #timer: NodeJS.Timeout;
  #lines: string[] = [];
  /** Characters in `#lines`. */
  #bufferedCharacters = 0;
  /** Characters of the write in flight. */
  #inFlightCharacters = 0;
  #file: CaptureFile | undefined;
  #writing: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: RecorderOptions) {
    this.#options = { ...DEFAULTS, ...options };
    this.#masker = new Masker(options.secrets ?? []);
    this.#warnings = new RateLimitedLog(options.logger);
    this.#timer = setInterval(() => this.#flush(), this.#options.flushMs);
  }

  get stats(): RecorderStats {
    return { ...this.#stats };
  }

  /** Wraps a feed so that every frame is recorded. */
  record(feed: Feed): Feed {
    return {
      name: feed.name,
      venue: feed.venue,
      origin: feed.origin,
      setSymbols: (symbols) => feed.setSymbols(symbols),
      reconnect: (reason) => feed.reconnect(reason),
      start: (listener: FeedListener) => feed.start({ ...listener, onRaw: (frame) => this.write(frame) }),
      close: (withinMs) => feed.close(withinMs),
    };
  }

  /** Buffers a frame, or drops and counts it. Never throws or waits. */
  write(frame: RawFrame): void {
    try {
      const line = this.#formatLine(frame);
      const { maxBuffered } = this.#options;
      if (
        this.#closed !== undefined ||
        this.#inFlightCharacters + this.#bufferedCharacters + line.length > maxBuffered
      )
        return this.#drop(1, 'The buffer is full, or the recorder is closed.');
      this.#lines.push(line);
      this.#bufferedCharacters += line.length;
      if (this.#bufferedCharacters >= FLUSH_AT_CHARACTERS) this.#flush();
    } catch (error) {
      this.#drop(1, String(error));
    }
  }

  /** Resolves when all buffered frames are written and flushed to disk. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    while (this.#writing !== undefined || this.#lines.length > 0) {
      this.#flush();
      await this.#writing;
    }
    await this.#closeFile();
  }

  #formatLine(frame: RawFrame): string {
    // In valid JSON, a line break is only whitespace between tokens.
    const json = this.#masker.mask(frame).replace(/[\r\n]+/g, ' ');
    return `{"at":${Date.now() / 1000},"dir":"${frame.dir}","frame":${json}}\n`;
  }

  #flush(): void {
    if (this.#writing !== undefined || this.#lines.length === 0) return;
    const lines = this.#lines;
    this.#inFlightCharacters = this.#bufferedCharacters;
    this.#lines = [];
    this.#bufferedCharacters = 0;
    this.#writing = this.#append(lines).finally(() => {
      this.#inFlightCharacters = 0;
      this.#writing = undefined;
      if (this.#bufferedCharacters >= FLUSH_AT_CHARACTERS) this.#flush();
    });
  }

  async #append(lines: readonly string[]): Promise<void> {
    try {
      const file = await this.#currentFile();
      const before = file.bytes;
      await file.append(lines.join(''));
      this.#stats.bytes += file.bytes - before;
      this.#stats.written += lines.length;
    } catch (error) {
      this.#drop(lines.length, String(error));
      await this.#closeFile();
    }
  }

  async #currentFile(): Promise<CaptureFile> {
    const { folder, name, maxFileBytes, maxFileMs, logger } = this.#options;
    const file = this.#file;
    const isFull = file && (file.bytes >= maxFileBytes || performance.now() - file.openedAt >= maxFileMs);
    if (file && !isFull) return file;
    await this.#closeFile();
    this.#file = await CaptureFile.create(folder, name);
    this.#stats.files++;
    logger.info({ path: this.#file.path }, 'Recording started.');
    return this.#file;
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    try {
      await file?.close();
    } catch (error) {
      this.#warnings.warn('close', { reason: String(error) }, 'Cannot close the recording properly.');
    }
  }

  #drop(frames: number, reason: string): void {
    this.#stats.dropped += frames;
    const { dropped } = this.#stats;
    this.#warnings.warn('drop', { reason, dropped }, 'Dropped frames from the recording.');
  }
}
