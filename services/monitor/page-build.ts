// Builds the page with Vite: for `npm run build`, and at startup in a clone if the build is missing or outdated.

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
/** File in the folder of the built page that holds the digest of its sources. */
const DIGEST_FILE = 'sources.txt';

/**
 * Returns the folder of the built page. In a clone, builds it first if needed.
 *
 * @throws Error if the page is missing or the build fails
 */
export async function builtPage(): Promise<string> {
  const folder = join(HERE, 'built');
  const isClone = existsSync(join(SOURCES, 'index.html'));
  if (isClone && storedDigestOf(folder) !== digestSources()) await buildPage(folder);
  if (existsSync(join(folder, 'index.html'))) return folder;
  throw new Error(
    `The monitor page is missing from ${folder}, so the monitor cannot start. Run: npm run build`,
  );
}

/** Builds into a temporary folder and renames it, so that no reader sees a partial build. */
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
    // Not an error if a concurrent process has put the same build in place.
    if (storedDigestOf(folder) !== digest) throw error;
  }
}

/** Runs Vite in a child process: in this process, its 300 MB of memory would stay allocated. */
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
  throw new Error(
    `Building the monitor page failed, so the monitor cannot start. Vite reported: ${errors}${output}`,
  );
}

function storedDigestOf(folder: string): string | undefined {
  const file = join(folder, DIGEST_FILE);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** Digest of all inputs of the build. package.json covers the pinned versions of the dependencies. */
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
