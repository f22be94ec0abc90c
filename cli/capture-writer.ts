// Writes a capture file for @tickbus/capture: one line per message, gzipped if the name ends with .gz.

import type { WriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { createGzip, type Gzip } from 'node:zlib';
import { UsageError } from './exit.ts';

/** Limit of the write buffer. Beyond it messages are dropped and counted. */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;

export class CaptureWriter {
  readonly #lines: WriteStream | Gzip;
  readonly #ended: Promise<void>;
  written = 0;
  dropped = 0;

  /** @throws UsageError if the file exists, or cannot be created */
  static async open(path: string, overwrite: boolean | undefined): Promise<CaptureWriter> {
    try {
      const handle = await open(path, overwrite ? 'w' : 'wx');
      return new CaptureWriter(path, handle.createWriteStream());
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST')
        throw new UsageError(`${path} already exists. Name another file, or overwrite it with --force.`);
      throw new UsageError(`Cannot create ${path}: ${message}. Check the folder and its permissions.`);
    }
  }

  private constructor(path: string, file: WriteStream) {
    this.#lines = file;
    if (path.endsWith('.gz')) {
      this.#lines = createGzip();
      this.#lines.pipe(file);
    }
    this.#ended = finished(file).catch(({ message }: Error) => {
      throw new Error(
        `Cannot write to ${path}: ${message}. The recording is incomplete. Free disk space, then record again.`,
      );
    });
    // Prevents an unhandled rejection: close() and `failed` report the error later.
    this.#ended.catch(() => {});
  }

  /** Does nothing after close(). @param receivedAt Unix milliseconds */
  write(channel: string, frame: Uint8Array, receivedAt: number): void {
    if (this.#lines.writableEnded) return;
    if (this.#lines.writableLength > MAX_BUFFERED_BYTES) {
      this.dropped++;
      return;
    }
    const at = (receivedAt / 1_000).toFixed(6);
    this.#lines.write(
      `{"at":${at},"dir":"in","channel":${JSON.stringify(channel)},"frame":${asJson(frame)}}\n`,
    );
    this.written++;
  }

  /** Flushes the file. Rejects if any write failed. */
  async close(): Promise<void> {
    this.#lines.end();
    await this.#ended;
  }

  /** Rejects at the first failed write, for example on a full disk. Never resolves. */
  get failed(): Promise<never> {
    return this.#ended.then(() => new Promise<never>(() => {}));
  }
}

/** The frame unchanged if it is one line of JSON; otherwise as a JSON string. */
function asJson(frame: Uint8Array): string {
  const text = new TextDecoder().decode(frame);
  try {
    const document: unknown = JSON.parse(text);
    return /[\r\n]/.test(text) ? JSON.stringify(document) : text;
  } catch {
    return JSON.stringify(text);
  }
}
