// Builds the page with Vite: for `npm run build`, and on the first start in a clone, when what was built is missing or older than
// its sources.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const SOURCES = join(HERE, 'page');
/** What the sources were when it was built. */
const STAMP = 'sources.txt';

/**
 * The folder of the built page.
 *
 * @throws Error when it is missing and cannot be built here
 */
export async function builtPage(): Promise<string> {
  const folder = join(HERE, 'built');
  const isClone = existsSync(join(SOURCES, 'index.html'));
  if (isClone && stampOf(folder) !== digestOfSources()) await buildPage(folder);
  if (existsSync(join(folder, 'index.html'))) return folder;
  throw new Error(`The monitor's page is not in ${folder}. Run: npm run build`);
}

/** Builds into a folder of its own and then puts it in place, so that nobody reads a page that is half there. */
export async function buildPage(folder: string): Promise<void> {
  const { build } = await import('vite');
  const digest = digestOfSources();
  const fresh = `${folder}-${process.pid}-${Date.now()}`;
  await build({
    configFile: false,
    root: SOURCES,
    base: '/',
    logLevel: 'warn',
    // The policy of the page allows no inline script, style or image.
    build: {
      outDir: fresh,
      emptyOutDir: true,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      target: 'es2023',
      reportCompressedSize: false,
    },
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  });
  writeFileSync(join(fresh, STAMP), digest);
  mkdirSync(join(folder, '..'), { recursive: true });
  try {
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    // Another process, started at the same time, was quicker, and built the same.
    if (stampOf(folder) !== digest) throw error;
  }
}

function stampOf(folder: string): string | undefined {
  const file = join(folder, STAMP);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** Of all that the page is made of; libraries are pinned in package.json. */
function digestOfSources(): string {
  const hash = createHash('sha256');
  for (const file of ['package.json', 'protocol.ts', 'page-build.ts'])
    hash.update(readFileSync(join(HERE, file)));
  const names = readdirSync(SOURCES, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  for (const name of names.toSorted()) hash.update(name.slice(SOURCES.length)).update(readFileSync(name));
  return hash.digest('hex');
}
