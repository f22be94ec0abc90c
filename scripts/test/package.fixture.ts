// Runs commands as a user does, and installs packed packages into a folder.

import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const TSX = fileURLToPath(import.meta.resolve('tsx/cli'));
export const INSTALL_OPTIONS = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];

/** Timeout of steps that compile or install, milliseconds. */
export const SLOW_MS = 180_000;

interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Resolves with stdout. Rejects with all output if the command fails. */
export async function run(
  { cwd, env = {} }: RunOptions,
  command: string,
  ...args: string[]
): Promise<string> {
  const environment = { ...process.env, REDIS_URL: '', REDIS_PORT: '', NODE_OPTIONS: '', ...env };
  const { stdout } = await promisify(execFile)(command, args, { cwd, env: environment }).catch((error) => {
    throw new Error(`${command} ${args.join(' ')} failed (${error.code}):\n${error.stdout}${error.stderr}`);
  });
  return stdout;
}

export interface Packed {
  /** Path of the .tgz file. */
  readonly file: string;
  /** Paths inside the package, sorted. */
  readonly files: readonly string[];
}

/** Packs a built package into `to`. */
export async function pack(folder: string, to: string): Promise<Packed> {
  const output = await run({ cwd: to }, 'npm', 'pack', folder, '--json', '--pack-destination', to);
  const [{ filename, files }] = JSON.parse(output) as [{ filename: string; files: { path: string }[] }];
  return { file: join(to, filename), files: files.map(({ path }) => path).sort() };
}

/**
 * Makes a project and installs packed packages. Their dependencies have the versions of the lock file: `npm ci` has put
 * these into the cache of npm, so that no network is needed.
 */
export async function installInto(project: string, packages: readonly Packed[]): Promise<void> {
  await mkdir(project);
  const { packages: locked } = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { link?: boolean }>;
  };
  const external = Object.entries(locked).filter(
    ([path, { link }]) => path.startsWith('node_modules/') && !link,
  );
  const lock = { lockfileVersion: 3, packages: { '': {}, ...Object.fromEntries(external) } };
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  await writeFile(join(project, 'package-lock.json'), JSON.stringify(lock));
  const files = packages.map(({ file }) => file);
  await run({ cwd: project }, 'npm', 'install', ...files, ...INSTALL_OPTIONS);
}
