#!/usr/bin/env node
// Starts the command line, which is a package of its own, so that a bot does not install it.

import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const PACKAGE = '@tickbus/cli';
const here = fileURLToPath(new URL('.', import.meta.url));

let program;
try {
  // Some package managers, such as pnpm, show it to the project only, not to this package.
  program = createRequire(import.meta.url).resolve(PACKAGE, { paths: [here, process.cwd()] });
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
  console.error(
    `tickbus: The command line is not installed: it is the package ${PACKAGE}. Install it with tickbus: ` +
      'npm install -D @tickbus/cli, or its .tgz file.',
  );
  process.exit(1);
}
await import(pathToFileURL(program).href);
