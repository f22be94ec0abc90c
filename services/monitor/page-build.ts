// Builds the page with Vite: for `npm run build`, and on the first start in a clone, when what was built is missing or older than
// its sources.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const SOURCES = join(HERE, 'page');
/** What the sources were when it was built. */
const DIGEST_FILE = 'sources.txt';

/**
 * The folder of the built page.
 *
 * @throws Error when it is missing and cannot be built here
 */
export async function builtPage(): Promise<string> {
  const folder = join(HERE, 'built');
  const isClone = existsSync(join(SOURCES, 'index.html'));
  if (isClone && storedDigestOf(folder) !== digestSources()) await buildPage(folder);
  if (existsSync(join(folder, 'index.html'))) return folder;
  throw new Error(`The monitor's page is not in ${folder}. Run: npm run build`);
}

/** Builds into a folder of its own and then puts it in place, so that nobody reads a page that is half there. */
export async function buildPage(folder: string): Promise<void> {
  const digest = digestSources();
  const fresh = `${folder}-${process.pid}-${Date.now()}`;
  await runVite(fresh);
  writeFileSync(join(fresh, DIGEST_FILE), digest);
  mkdirSync(join(folder, '..'), { recursive: true });
  try {
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    // Another process, started at the same time, was quicker, and built the same.
    if (storedDigestOf(folder) !== digest) throw error;
  }
}

/** In a process of its own: a monitor that has built its page would keep the 300 MB of memory that Vite needs. */
async function runVite(outDir: string): Promise<void> {
  const vite = join(createRequire(import.meta.url).resolve('vite/package.json'), '../bin/vite.js');
  const config = join(SOURCES, 'vite.config.ts');
  const child = spawn(process.execPath, [vite, 'build', SOURCES, '--config', config, '--outDir', outDir], {
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  if (code === 0) return;
  rmSync(outDir, { recursive: true, force: true });
  throw new Error(`The monitor's page could not be built. Vite says: ${errors}${output}`);
}

function storedDigestOf(folder: string): string | undefined {
  const file = join(folder, DIGEST_FILE);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** Of all that the page is made of; libraries are pinned in package.json. */
function digestSources(): string {
  const hash = createHash('sha256');
  for (const file of ['package.json', 'page-protocol.ts', 'page-build.ts'])
    hash.update(readFileSync(join(HERE, file)));
  const names = readdirSync(SOURCES, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  for (const name of names.toSorted()) hash.update(name.slice(SOURCES.length)).update(readFileSync(name));
  return hash.digest('hex');
}
