// Writes what a feed receives and sends as capture files, beside the feed and never in its way.

import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'tickbus';
import type { Feed, FeedListener, RawFrame } from '../feeds/feed.ts';
import { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import { CaptureFile } from './capture-file.ts';
import { Masker } from './mask.ts';

export interface RecorderOptions {
  /** Where the files go; made if it is not there. */
  readonly folder: string;
  /** How their names begin: `alpaca`. */
  readonly name: string;
  readonly logger: Logger;
  /** Values that may not be written down. Default none. */
  readonly secrets?: readonly string[];
  /** Compressed bytes after which the next file begins. Default 100 MiB. */
  readonly maxFileBytes?: number;
  /** Milliseconds after which the next file begins. Default one hour. */
  readonly maxFileMs?: number;
  /** Milliseconds between two writes: what a killed process loses at most. Default 1,000. */
  readonly flushMs?: number;
  /** Characters that may wait to be written; what comes on top is dropped, counted and told. Default 16 Mi. */
  readonly maxBuffered?: number;
}

/** Counted since the start. */
export interface RecorderStats {
  /** Frames that are in a file. */
  readonly written: number;
  /** Frames that are in none, because they came too fast or could not be written. */
  readonly dropped: number;
  /** Compressed bytes written. */
  readonly bytes: number;
  /** Files begun. */
  readonly files: number;
}

/**
 * A recorder; no file is made before there is a frame to write.
 *
 * @throws Error when the folder cannot be written to
 */
export async function openRecorder(options: RecorderOptions): Promise<CaptureRecorder> {
  const { folder } = options;
  try {
    await createFolder(folder);
    await access(folder, constants.W_OK);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`The folder ${folder} for recordings cannot be written to: ${reason}`, { cause: error });
  }
  return new CaptureRecorder(options);
}

/** With its parents. The `recursive` of `mkdir` never ends where a folder takes no other and says ENOENT, as /proc does. */
async function createFolder(folder: string): Promise<void> {
  if (await isFolder(folder)) return;
  const parent = dirname(folder);
  if (parent !== folder) await createFolder(parent);
  try {
    await mkdir(folder);
  } catch (error) {
    // Another gateway may have made it meanwhile.
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

/** So much is written without waiting for the next turn of `flushMs`. */
const FLUSH_AT_CHARACTERS = 256 * 1024;

/**
 * Frames become lines in a buffer; one write at a time takes all of them, compresses them outside of this thread, and appends
 * them as a whole. Made by `openRecorder`.
 */
export class CaptureRecorder implements AsyncDisposable {
  readonly #options: RecorderOptions & typeof DEFAULTS;
  readonly #masker: Masker;
  readonly #warnings: RateLimitedLog;
  readonly #stats = { written: 0, dropped: 0, bytes: 0, files: 0 };
  readonly #timer: NodeJS.Timeout;
  #lines: string[] = [];
  /** Characters in the lines. */
  #bufferedCharacters = 0;
  /** Characters in the lines that are being written. */
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

  /** The feed, with every frame recorded. */
  record(feed: Feed): Feed {
    return {
      name: feed.name,
      venue: feed.venue,
      setSymbols: (symbols) => feed.setSymbols(symbols),
      reconnect: (reason) => feed.reconnect(reason),
      start: (listener: FeedListener) => feed.start({ ...listener, onRaw: (frame) => this.write(frame) }),
      close: (withinMs) => feed.close(withinMs),
    };
  }

  /** Takes a frame, or drops and counts it. Never throws, never waits. */
  write(frame: RawFrame): void {
    try {
      const line = this.#formatLine(frame);
      const { maxBuffered } = this.#options;
      if (
        this.#closed !== undefined ||
        this.#inFlightCharacters + this.#bufferedCharacters + line.length > maxBuffered
      )
        return this.#drop(1, 'The disk is too slow, or the recording is closed.');
      this.#lines.push(line);
      this.#bufferedCharacters += line.length;
      if (this.#bufferedCharacters >= FLUSH_AT_CHARACTERS) this.#flush();
    } catch (error) {
      this.#drop(1, String(error));
    }
  }

  /** Everything that was taken is in the file, and on the disk, once it resolves. Safe to call again. */
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
    // A line break in valid JSON stands between its parts only, where a space is as good.
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
    logger.info({ path: this.#file.path }, 'A recording begins.');
    return this.#file;
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    try {
      await file?.close();
    } catch (error) {
      this.#warnings.warn('close', { reason: String(error) }, 'A recording could not be ended properly.');
    }
  }

  #drop(frames: number, reason: string): void {
    this.#stats.dropped += frames;
    const { dropped } = this.#stats;
    this.#warnings.warn('drop', { reason, dropped }, 'Frames are missing in the recording.');
  }
}
