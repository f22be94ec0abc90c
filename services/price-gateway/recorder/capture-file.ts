// One capture file being written: gzip members, each of them whole, one after the other.

import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);
/** A third of the time of the default, a tenth more bytes. */
const COMPRESSION_LEVEL = 3;

/** Invariant: what is in the file is whole members, so that whoever reads it never meets a broken one. */
export class CaptureFile {
  readonly path: string;
  readonly openedAt = performance.now();
  readonly #file: FileHandle;
  #bytes = 0;

  /** A new file in `folder`, named after the moment; never one that is there. */
  static async create(folder: string, name: string): Promise<CaptureFile> {
    const stem = join(folder, `${name}-${new Date().toISOString().replaceAll(':', '-')}`);
    for (let number = 1; ; number++) {
      const path = `${stem}${number === 1 ? '' : `-${number}`}.jsonl.gz`;
      try {
        return new CaptureFile(path, await open(path, 'wx', 0o640));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** Compressed bytes in it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Compresses and appends, all of it or, when that fails, nothing. */
  async append(text: string): Promise<void> {
    const member = await compress(text, { level: COMPRESSION_LEVEL });
    try {
      await this.#file.appendFile(member);
      this.#bytes += member.length;
    } catch (error) {
      await this.#file.truncate(this.#bytes).catch(() => {});
      throw error;
    }
  }

  /** Resolves when the content is on the disk. */
  async close(): Promise<void> {
    try {
      await this.#file.sync();
    } finally {
      await this.#file.close();
    }
  }
}
