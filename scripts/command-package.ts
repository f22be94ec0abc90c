// The command line as one package: workspaces are bundled, the packages of the registry that it imports stay
// dependencies. The library is a peer, so that the command and the channels of a user's project share one copy.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

interface Locked {
  readonly version?: string;
  /** The folder of a workspace, if `link` is set. */
  readonly resolved?: string;
  readonly link?: boolean;
}

/**
 * Writes main.js with its chunks, and package.json. The code is not minified, so that stacks of errors are readable.
 *
 * @param root the folder with package-lock.json
 * @throws Error if a package that the command imports is not in the lock file, or esbuild fails
 */
export async function writeCommandPackage(root: string, folder: string): Promise<void> {
  const imports = await bundle(join(root, 'cli/main.ts'), folder);
  const { packages } = readJson<{ packages: Record<string, Locked> }>(join(root, 'package-lock.json'));
  const { tickbus, ...dependencies } = Object.fromEntries(
    imports.map((name) => [name, versionOf(name, packages)] as const),
  );
  const { private: _, devDependencies: __, ...manifest } = readJson(join(root, 'cli/package.json'));
  const built = { ...manifest, dependencies, peerDependencies: { tickbus } };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(built, undefined, 2)}\n`);
}

/** Returns the names of the packages that the bundle imports, such as `commander` and `tickbus`. */
async function bundle(program: string, folder: string): Promise<readonly string[]> {
  const { metafile } = await build({
    entryPoints: [program],
    outdir: folder,
    bundle: true,
    // A verb loads what it needs: `--help` loads neither the library nor the monitor.
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    metafile: true,
    logLevel: 'warning',
    plugins: [workspacesOnly],
  });
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
  const external = imports.filter((one) => one.external && !one.path.startsWith('node:'));
  return [...new Set(external.map(({ path }) => packageOf(path)))].sort();
}

const workspacesOnly: Plugin = {
  name: 'workspaces-only',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'entry-point' || path.startsWith('@tickbus/') ? undefined : { path, external: true },
    );
  },
};

/** `hono` of `hono/streaming`, `@hono/node-server` of `@hono/node-server/utils`. */
function packageOf(path: string): string {
  return path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/');
}

function versionOf(name: string, packages: Readonly<Record<string, Locked>>): string {
  const locked = packages[`node_modules/${name}`];
  const version = (locked?.link ? packages[locked.resolved ?? ''] : locked)?.version;
  if (version === undefined)
    throw new Error(
      `The command imports ${name}, which is not in package-lock.json: its package cannot be built.`,
    );
  return version;
}

function readJson<T = Record<string, unknown>>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}
