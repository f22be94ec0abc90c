// Documents name files that exist, and their code in TypeScript compiles under the strict settings of this repository.

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

describe('the code of a page compiles', { timeout: 120_000 }, () => {
  const PAGES = DOCUMENTS.filter(
    (path) => (path === 'README.md' || /^docs\/[\w-]+\.md$/.test(path)) && !/how-to|testing-bots/.test(path),
  );
  const blocks = PAGES.flatMap((path) =>
    [...read(path).matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ''], index) => {
      const folder = path === 'docs/adding-a-feed.md' ? 'services/price-gateway/feeds' : 'examples';
      return [
        join(ROOT, `${folder}/${path.replaceAll(/\W/g, '-')}-${index}.ts`),
        wholeProgram(code),
      ] as const;
    }),
  );

  it('in every block', () => {
    expect(blocks.length).toBeGreaterThan(20);
    expect(compileErrors(new Map(blocks))).toEqual([]);
  });
});

/** What the blocks use without saying where it comes from. */
const ASSUMED: Readonly<Record<string, string>> = {
  z: "import { z } from 'zod';",
  ...importsOf(
    'tickbus',
    'CHANNELS RedisConnection RedisLease RedisPublisher RedisSubscriber TickbusError defineChannel',
  ),
  ...importsOf('tickbus/bot', 'Bot defineBot'),
  ...importsOf('tickbus/testing', 'MemoryConnection'),
  publisher: "declare const publisher: import('tickbus').RedisPublisher;",
  subscriber: "declare const subscriber: import('tickbus').RedisSubscriber;",
  connection: "declare const connection: import('tickbus').RedisConnection;",
  lease: "declare const lease: import('tickbus').RedisLease;",
  bot: "declare const bot: import('tickbus').RedisSubscriber;",
  url: 'declare const url: string;',
  order:
    "declare const order: import('tickbus').PlaceOrder & import('zod').ZodType<{ n: number }, { n: number }>;",
  ...functionsNamed('handler onPrice work stop publish stopTrading book distrust'),
  ...schemasNamed('fill bar reply position'),
  chart: 'declare const chart: Map<unknown, unknown>;',
};

function importsOf(from: string, names: string): Record<string, string> {
  return Object.fromEntries(names.split(' ').map((name) => [name, `import { ${name} } from '${from}';`]));
}

function functionsNamed(names: string): Record<string, string> {
  const declared = (name: string) => `declare function ${name}(argument?: unknown): void;`;
  return Object.fromEntries(names.split(' ').map((name) => [name, declared(name)]));
}

function schemasNamed(names: string): Record<string, string> {
  const fields = 'name symbol command_id outcome'
    .split(' ')
    .map((field) => `${field}: import('zod').ZodString`);
  const schema = `import('zod').ZodObject<{ ${fields.join('; ')} }>`;
  return Object.fromEntries(names.split(' ').map((name) => [name, `declare const ${name}: ${schema};`]));
}

/** Adds what the block assumes, except what it declares or imports itself. */
function wholeProgram(code: string): string {
  const assumed = Object.entries(ASSUMED).filter(([name]) => {
    const isUsed = new RegExp(`(?<![.'\\w])${name}\\b(?!')`).test(code);
    const isDeclared = new RegExp(
      `^import \\{[^}]*\\b${name}\\b|(?:const|let|using|function) ${name}\\b`,
      'm',
    ).test(code);
    return isUsed && !isDeclared;
  });
  return `${assumed.map(([, text]) => text).join('\n')}\n${code}\nexport {};\n`;
}

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
