// The built page, read into memory at startup. Requests cannot reach files outside its folder.

import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, sep } from 'node:path';

export interface PageFile {
  readonly content: Uint8Array<ArrayBuffer>;
  readonly type: string;
  /** The file name contains a content hash, so browsers may cache the file forever. */
  readonly isImmutable: boolean;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Returns the files by request path, such as `/` and `/assets/index-1a2b.js`. */
export function readPageFiles(folder: string): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>();
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const path = `/${name.split(sep).join('/')}`;
    const isImmutable = path.startsWith('/assets/');
    const content = new Uint8Array(readFileSync(join(folder, name)));
    files.set(path === '/index.html' ? '/' : path, { content, type, isImmutable });
  }
  return files;
}
