// Writes a capture file: a line for each message, as @tickbus/capture reads it, gzipped when its name says so.

import type { WriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { createGzip, type Gzip } from 'node:zlib';
import { UsageError } from './exit.ts';

/** What a slow disk leaves waiting may grow to so much; then messages are left out, and counted. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

export class CaptureWriter {
  readonly #lines: WriteStream | Gzip;
  readonly #ended: Promise<void>;
  written = 0;
  leftOut = 0;

  /** @throws UsageError when the file is there already, or cannot be made */
  static async open(path: string, overwrite: boolean | undefined): Promise<CaptureWriter> {
    try {
      const handle = await open(path, overwrite ? 'w' : 'wx');
      return new CaptureWriter(path, handle.createWriteStream());
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST')
        throw new UsageError(`${path} is there already. Name another file, or use --force.`);
      throw new UsageError(`${path} cannot be written: ${message}.`);
    }
  }

  private constructor(path: string, file: WriteStream) {
    this.#lines = file;
    if (path.endsWith('.gz')) {
      this.#lines = createGzip();
      this.#lines.pipe(file);
    }
    this.#ended = finished(file).catch(({ message }: Error) => {
      throw new Error(`${path} cannot be written any more: ${message}.`);
    });
    // Told at the end; until then nobody waits for it.
    this.#ended.catch(() => {});
  }

  /** Nothing after close(). @param receivedAt Unix milliseconds */
  write(channel: string, frame: Uint8Array, receivedAt: number): void {
    if (this.#lines.writableEnded) return;
    if (this.#lines.writableLength > MAX_WAITING_BYTES) {
      this.leftOut++;
      return;
    }
    const at = (receivedAt / 1_000).toFixed(6);
    this.#lines.write(
      `{"at":${at},"dir":"in","channel":${JSON.stringify(channel)},"frame":${asJson(frame)}}\n`,
    );
    this.written++;
  }

  /** Rejects when something could not be written, now or before. */
  async close(): Promise<void> {
    this.#lines.end();
    await this.#ended;
  }

  /** Rejects as soon as something cannot be written, a full disk say. */
  get failed(): Promise<never> {
    return this.#ended.then(() => new Promise<never>(() => {}));
  }
}

/** As it came, when that is one line of JSON; otherwise as a string. */
function asJson(frame: Uint8Array): string {
  const text = new TextDecoder().decode(frame);
  try {
    const document: unknown = JSON.parse(text);
    return /[\r\n]/.test(text) ? JSON.stringify(document) : text;
  } catch {
    return JSON.stringify(text);
  }
}
