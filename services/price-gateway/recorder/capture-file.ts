// Writes one capture file as a sequence of complete gzip members.

import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);
/** Gzip level that takes a third of the default level's time and produces a tenth more bytes. */
const COMPRESSION_LEVEL = 3;

/** Invariant: the file consists of complete gzip members, unless the process is killed during a write. */
export class CaptureFile {
  readonly path: string;
  readonly openedAt = performance.now();
  readonly #file: FileHandle;
  #bytes = 0;

  /** Creates a file in `folder`, named after the current time. Never overwrites a file. */
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

  /** Compressed size. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Compresses and appends `text`. If the write fails, the file is truncated to its previous size. */
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

  /** Resolves when the content is flushed to disk. */
  async close(): Promise<void> {
    try {
      await this.#file.sync();
    } finally {
      await this.#file.close();
    }
  }
}
