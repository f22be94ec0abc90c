// Bundles the command as JavaScript, so that its processes start faster than through tsx. launcher.test.ts tests the
// launcher of the repository.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export interface Bundle extends AsyncDisposable {
  /** The file to run with node. */
  readonly main: string;
}

export async function bundleCommand(): Promise<Bundle> {
  const folder = await mkdtemp(join(tmpdir(), 'tickbus-cli-'));
  await build({
    entryPoints: [fileURLToPath(new URL('../main.ts', import.meta.url))],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
    // The monitor builds its page from its own folder.
    external: ['@tickbus/monitor'],
    // Some dependencies are CommonJS.
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  });
  return {
    main: join(folder, 'main.mjs'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
