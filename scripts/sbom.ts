// The software bill of materials of a build: the production dependencies with the exact versions of the lock file.
// `npm sbom` writes it. In a repository with workspaces, `npm sbom` omits packages that a development tool also uses.
// So it gets a temporary lock file with the production dependencies alone.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface LockedPackage {
  readonly version?: string;
  /** The folder of a workspace. */
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

type Packages = Readonly<Record<string, LockedPackage>>;

/** A package, or a set of programs such as an image. */
interface SbomSubject {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly description: string;
}

export interface SbomOptions {
  /** The folder with package-lock.json. */
  readonly root: string;
  /** The name and the description of what the document describes, as its package.json has them. */
  readonly subject: SbomSubject;
  /** The folders of the workspaces that are in it, for example `shared_library/redis`. */
  readonly workspaces: readonly string[];
  /** The file to write, CycloneDX in JSON. */
  readonly file: string;
}

/** @throws Error if a dependency is not in the lock file, or npm fails */
export function writeSbom({ root, subject, workspaces, file }: SbomOptions): void {
  const { packages } = readJson<{ packages: Packages }>(join(root, 'package-lock.json'));
  const { name, version, license, description } = subject;
  const locked = productionPackages(packages, workspaces);
  const dependencies = Object.fromEntries(
    Object.entries(locked)
      .filter(([path]) => path.lastIndexOf('node_modules/') === 0)
      .map(([path, one]) => [path.slice('node_modules/'.length), one.version]),
  );
  const manifest = { name, version, license, description, dependencies };
  const folder = mkdtempSync(join(tmpdir(), 'tickbus-sbom-'));
  try {
    // npm names the document after the folder.
    const project = join(folder, name);
    mkdirSync(project, { recursive: true });
    writeFileSync(join(project, 'package.json'), JSON.stringify(manifest));
    const lock = { name, version, lockfileVersion: 3, requires: true, packages: { '': manifest, ...locked } };
    writeFileSync(join(project, 'package-lock.json'), JSON.stringify(lock));
    const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only', '--omit', 'dev'];
    writeFileSync(file, execFileSync('npm', args, { cwd: project, encoding: 'utf8' }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The packages that the workspaces need at run time, by path, including those of workspaces that it depends on. */
function productionPackages(
  packages: Packages,
  workspaces: readonly string[],
): Record<string, LockedPackage> {
  const found: Record<string, LockedPackage> = {};
  const visited = new Set<string>();
  const visit = (path: string) => {
    if (visited.has(path)) return;
    visited.add(path);
    const one = packages[path] ?? {};
    if (one.link) return visit(one.resolved ?? '');
    if (path.startsWith('node_modules/')) found[path] = one;
    for (const name of Object.keys({ ...one.dependencies, ...one.optionalDependencies }))
      visit(pathOf(packages, path, name));
  };
  for (const workspace of workspaces) visit(workspace);
  return found;
}

/** Where node finds `name` for a module in `from`: the nearest node_modules. */
function pathOf(packages: Packages, from: string, name: string): string {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (path in packages) return path;
    if (folder === '') throw new Error(`The lock file has no ${name}, which ${from} needs. Run npm install.`);
  }
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}
