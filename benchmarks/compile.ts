// Compiles the library and the workers to `build/`, so that plain node runs them like the published package. A loader
// that compiles at run time would change the measured code.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const BENCHMARKS = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(BENCHMARKS);
const BUILD = join(BENCHMARKS, 'build');
const SKIPPED_FOLDERS: ReadonlySet<string> = new Set(['node_modules', 'build', 'test', 'results', 'report']);

/** @param baseline another checkout, whose library becomes the package `tickbus-baseline` */
export function compile(baseline: string | undefined): void {
  rmSync(BUILD, { recursive: true, force: true });
  compileFolder(BENCHMARKS, join(BUILD, 'benchmarks'));
  compilePackage(ROOT, 'redis', 'tickbus');
  compilePackage(ROOT, 'capture', '@tickbus/capture');
  if (baseline !== undefined) compilePackage(resolve(baseline), 'redis', 'tickbus-baseline');
}

/** Places the package next to the workers. Its dependencies resolve from the parent folders. */
function compilePackage(checkout: string, folder: string, name: string): void {
  const source = join(checkout, 'shared_library', folder);
  if (!existsSync(source))
    throw new Error(
      `${checkout} is not a checkout of tickbus: shared_library/${folder} is missing. Check --baseline.`,
    );
  const target = join(BUILD, 'packages', name);
  compileFolder(source, target);
  const manifest = readFileSync(join(source, 'package.json'), 'utf8');
  const named = { ...JSON.parse(manifest.replaceAll('.ts"', '.js"')), name };
  writeFileSync(join(target, 'package.json'), JSON.stringify(named, undefined, 2));
  const link = join(BUILD, 'node_modules', name);
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(relative(dirname(link), target), link, 'dir');
}

function compileFolder(source: string, target: string): void {
  for (const entry of readdirSync(source, { withFileTypes: true })) {
    const from = join(source, entry.name);
    if (entry.isDirectory()) {
      if (!SKIPPED_FOLDERS.has(entry.name)) compileFolder(from, join(target, entry.name));
    } else if (entry.name.endsWith('.ts')) {
      mkdirSync(target, { recursive: true });
      writeFileSync(
        join(target, entry.name.replace(/\.ts$/, '.js')),
        toJavaScript(readFileSync(from, 'utf8')),
      );
    }
  }
}

function toJavaScript(source: string): string {
  return ts.transpileModule(source, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  }).outputText;
}
