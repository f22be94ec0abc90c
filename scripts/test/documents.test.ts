// Documents name files that exist, and the files that docs/how-to.md creates compile.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const DOCUMENTS = String(execFileSync('git', ['ls-files', '*.md'], { cwd: ROOT }))
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(ROOT, path)));

describe('links lead to files and headings that exist', () => {
  it.each(DOCUMENTS)('%s', (path) => {
    const links = [...read(path).matchAll(/\]\((?!\w+:)([^)#]*)(?:#([^)]*))?\)/g)];
    const broken = links.filter(([, target = '', heading]) => {
      const file = target === '' ? path : join(dirname(path), target);
      if (!existsSync(join(ROOT, file))) return true;
      return heading !== undefined && !headingsOf(file).has(heading);
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });
});

it('the files that docs/how-to.md creates compile', { timeout: 120_000 }, () => {
  const files = createdFiles(read('docs/how-to.md'));
  expect(files.size).toBeGreaterThanOrEqual(5);
  expect(compileErrors(files)).toEqual([]);
});

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** The anchors of the headings of a page, as GitHub generates them. */
function headingsOf(path: string): ReadonlySet<string> {
  const text = read(path).replace(/^ *```.*?^ *```$/gms, '');
  const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
  return new Set(anchors);
}

/** The created files by path. A code block with imports is a whole file; the last path before it names the file. */
function createdFiles(page: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const [, intro = '', code = ''] of page.matchAll(/^\d\. (.*?)\n\n +```ts\n(.*?)\n +```$/gms)) {
    const path = [...intro.matchAll(/`([\w/.-]+\/[\w.-]+\.ts)`/g)].at(-1)?.[1];
    if (path !== undefined && /^ *import /m.test(code)) files.set(join(ROOT, path), code);
  }
  return files;
}

function compileErrors(files: ReadonlyMap<string, string>): readonly string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const host = ts.createCompilerHost({ ...options, incremental: false });
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.readFile = (path) => files.get(path) ?? readFile(path);
  host.getSourceFile = (path, target, ...rest) => {
    const text = files.get(path);
    return text === undefined
      ? getSourceFile(path, target, ...rest)
      : ts.createSourceFile(path, text, target);
  };
  const program = ts.createProgram([...files.keys()], { ...options, incremental: false, noEmit: true }, host);
  return [...files.keys()].flatMap((path) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(path))
      .map(
        ({ messageText }) =>
          `${path.slice(ROOT.length)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
      ),
  );
}
