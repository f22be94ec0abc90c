// `npm run build [-- folder]`: writes the workspaces as JavaScript to dist/, without tests, for plain node and npm.
// dist/packages/cli is the command line as npm gets it, without the other workspaces.
// Also writes the software bills of materials of both packages, and of the services.
// In the repository the packages export .ts files, so that no build is necessary. In dist/ they export .js files.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPage } from '../services/monitor/page-build.ts';
import { writeCommandPackage } from './command-package.ts';
import { writeSbom } from './sbom.ts';

interface Manifest {
  name: string;
  version: string;
  license: string;
  description: string;
  private?: boolean;
  exports?: Record<string, string>;
  /** Commands: a launcher NAME.mjs runs NAME.ts, if that exists. */
  bin?: Record<string, string>;
}

/** The export of a built module: types and code. */
interface BuiltModule {
  types: string;
  default: string;
}

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const DIST = resolve(process.argv[2] ?? join(ROOT, 'dist'));

rmSync(DIST, { recursive: true, force: true });
compile();
for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(ROOT, file), join(DIST, file));
for (const folder of workspaces()) writePackage(folder);
await buildPage(join(DIST, 'services/monitor/built'));
await writePackedCommand(join(DIST, 'packages/cli'));
mkdirSync(join(DIST, 'sbom'));
writeSboms(join(DIST, 'sbom'));

function compile(): void {
  const tsc = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
  const args = [tsc, '--project', join(ROOT, 'tsconfig.build.json'), '--outDir', DIST];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}

/** One document for each package of npm, and one for the image of the services, which has the command line, too. */
function writeSboms(folder: string): void {
  const ofPackage = (workspace: string) => ({
    subject: readJson<Manifest>(join(ROOT, workspace, 'package.json')),
    workspaces: [workspace],
  });
  const library = ofPackage('shared_library/redis');
  const command = ofPackage('cli');
  const services = {
    subject: {
      ...library.subject,
      name: 'tickbus-services',
      description: 'The services of tickbus and its command.',
    },
    workspaces: [...workspaces().filter((one) => one.startsWith('services/')), ...command.workspaces],
  };
  for (const [name, about] of Object.entries({ tickbus: library, cli: command, services }))
    writeSbom({ root: ROOT, ...about, file: join(folder, `${name}.cdx.json`) });
}

/** The workspace folders in the lock file, which `npm ci` requires. */
function workspaces(): string[] {
  const { packages } = readJson<{ packages: Record<string, unknown> }>(join(ROOT, 'package-lock.json'));
  return Object.keys(packages).filter((folder) => folder !== '' && !folder.includes('node_modules/'));
}

function writePackage(folder: string): void {
  const manifest = readJson<Manifest>(join(ROOT, folder, 'package.json'));
  const built = { ...manifest, exports: builtExports(manifest.exports ?? {}) };
  mkdirSync(join(DIST, folder), { recursive: true });
  writeFileSync(join(DIST, folder, 'package.json'), `${JSON.stringify(built, undefined, 2)}\n`);
  for (const launcher of Object.values(manifest.bin ?? {}))
    writeLauncher(folder, launcher, join(DIST, folder));
  if (!manifest.private) copyDocuments(folder, join(DIST, folder));
}

async function writePackedCommand(folder: string): Promise<void> {
  await writeCommandPackage(ROOT, folder);
  for (const launcher of Object.values(readJson<Manifest>(join(ROOT, 'cli/package.json')).bin ?? {}))
    writeLauncher('cli', launcher, folder);
  cpSync(join(DIST, 'services/monitor/built'), join(folder, 'built'), { recursive: true });
  copyDocuments('cli', folder);
}

/** The npm registry shows these files. If the workspace has none, the package gets those of the repository. */
function copyDocuments(workspace: string, to: string): void {
  for (const file of ['README.md', 'LICENSE']) {
    const source = [join(ROOT, workspace, file), join(ROOT, file)].find(existsSync);
    if (source !== undefined) copyFileSync(source, join(to, file));
  }
}

function builtExports(sources: Record<string, string>): Record<string, string | BuiltModule> {
  return Object.fromEntries(
    Object.entries(sources).map(([name, file]) => [name, file.endsWith('.ts') ? builtModule(file) : file]),
  );
}

/** Writes a launcher. Its name remains NAME.mjs, as in the lock file, but it starts the compiled NAME.js. */
function writeLauncher(workspace: string, launcher: string, to: string): void {
  const path = join(to, launcher);
  const program = launcher.replace(/\.mjs$/, '');
  if (existsSync(join(ROOT, workspace, `${program}.ts`)))
    writeFileSync(path, `#!/usr/bin/env node\nimport './${program}.js';\n`);
  else copyFileSync(join(ROOT, workspace, launcher), path);
  // npm sets the mode for installed packages, but not for workspaces.
  chmodSync(path, 0o755);
}

function builtModule(source: string): BuiltModule {
  const path = source.replace(/\.ts$/, '');
  return { types: `${path}.d.ts`, default: `${path}.js` };
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}
