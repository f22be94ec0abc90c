// Bundles a program as JavaScript, so that its processes start faster than through tsx.

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

/** Inside the repository, so that a bundle finds the packages that it imports. */
const CACHE = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));

/** The monitor builds its page from its own folder, which is not that of the bundle. */
const monitorPage: Plugin = {
  name: 'monitor-page',
  setup({ onLoad }) {
    onLoad({ filter: /page-build\.ts$/ }, ({ path }) => {
      const url = JSON.stringify(pathToFileURL(path).href);
      return { contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', url), loader: 'ts' };
    });
  },
};

/** By source file. The test files that run in one process share the bundles. */
const bundles = new Map<string, Promise<string>>();

/**
 * @param program the TypeScript file of the program
 * @returns the JavaScript file to run with node; it is removed when this process exits
 */
export function bundledProgram(program: URL): Promise<string> {
  const source = fileURLToPath(program);
  const bundle = bundles.get(source) ?? bundleOf(source);
  bundles.set(source, bundle);
  return bundle;
}

async function bundleOf(source: string): Promise<string> {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'tickbus-test-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  await build({
    entryPoints: [source],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
    // ccxt is large.
    external: ['ccxt'],
    plugins: [monitorPage],
    // Some dependencies are CommonJS.
    banner: {
      js: 'import { createRequire as bundleRequire } from "node:module"; const require = bundleRequire(import.meta.url);',
    },
  });
  return join(folder, basename(source).replace(/\.ts$/, '.mjs'));
}
