// The npm package as users get it: built, packed, installed into an empty folder, run by plain node, checked by tsc.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startLocalRedis } from '@tickbus/local-redis';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testCommandPackage } from './command-package.fixture.ts';
import {
  INSTALL_OPTIONS,
  installInto,
  type Packed,
  pack,
  ROOT,
  run,
  SLOW_MS,
  TSX,
} from './package.fixture.ts';

const TSC = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));

let folder: string;
let library: Packed;
let command: Packed;
/** The folder of a project with the library alone. */
let consumer: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tickbus-package-'));
  consumer = join(folder, 'consumer');
  await run({ cwd: folder }, process.execPath, TSX, join(ROOT, 'scripts/build.ts'), join(folder, 'dist'));
  library = await pack(join(folder, 'dist/shared_library/redis'), folder);
  command = await pack(join(folder, 'dist/packages/cli'), folder);
  await installInto(consumer, [library]);
}, SLOW_MS);

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the command line', () =>
  testCommandPackage(() => ({ folder, consumer, packages: [library, command] })));

test('the package has only code and types of every module', () => {
  const { files } = library;
  const code = files.filter((path) => path.endsWith('.js'));
  const types = code.map((path) => path.replace(/\.js$/, '.d.ts'));
  const documents = ['README.md', 'LICENSE'].filter((path) => files.includes(path));
  expect(documents).toContain('LICENSE');
  expect(files).toEqual([...code, ...types, ...documents, 'command.mjs', 'package.json'].sort());
  expect(files.filter((path) => path.includes('test/'))).toEqual([]);
});

test.each([
  ['shared_library/redis', 'tickbus'],
  ['packages/cli', '@tickbus/cli'],
])('%s needs no correction by npm to be published, and shows the README of %s', async (path, name) => {
  const built = join(folder, 'dist', path);
  // `npm pkg fix` makes the corrections that `npm publish` makes in silence, apart from a warning.
  const copy = join(folder, `fixed-${name.replace('/', '-')}`);
  await cp(built, copy, { recursive: true });
  await run({ cwd: copy }, 'npm', 'pkg', 'fix');
  expect(await manifest(copy)).toEqual(await manifest(built));
  expect((await readFile(join(built, 'README.md'), 'utf8')).split('\n')[0]).toBe(`# ${name}`);
});

test('every export of the repository is JavaScript with types', async () => {
  const source = await manifest(join(ROOT, 'shared_library/redis'));
  const installed = await manifest(join(consumer, 'node_modules/tickbus'));
  expect(Object.keys(installed.exports)).toEqual(Object.keys(source.exports));
  const targets = Object.values(installed.exports).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : Object.values(entry),
  );
  expect(library.files).toEqual(expect.arrayContaining(targets.map((target) => target.replace('./', ''))));
});

test('plain node runs the installed package', async () => {
  const file = join(consumer, 'bot.js');
  await writeFile(
    file,
    `import { defineChannel } from 'tickbus';
    import { CHANNELS, CONFIG } from 'tickbus/constants';
    import { RedisPublisher } from 'tickbus/publisher';
    import { RedisSubscriber } from 'tickbus/subscriber';
    import { ManualClock, MemoryConnection } from 'tickbus/testing';
    const connection = new MemoryConnection();
    const subscriber = new RedisSubscriber({ connection });
    const received = new Promise((resolve) => subscriber.subscribe(CHANNELS.PRICE_DATA, resolve));
    await subscriber.startListening();
    await new RedisPublisher({ connection }).publish(CHANNELS.PRICE_DATA, { symbol: 'AAPL', price: 50000, timestamp: 1650123456 });
    const { data } = await received;
    console.log(typeof defineChannel, typeof ManualClock, CONFIG.PORT, data.symbol, data.price);`,
  );
  expect(await run({ cwd: folder }, process.execPath, file)).toBe('function function 6379 AAPL 50000\n');
});

test("a bot of one's own and its test run in an empty folder", async () => {
  const example = join(ROOT, 'examples/own-bot');
  for (const name of await readdir(example)) await copyFile(join(example, name), join(consumer, name));
  const output = await run(
    { cwd: folder },
    process.execPath,
    TSX,
    '--test',
    join(consumer, 'moving-average.test.ts'),
  );
  expect(output).toMatch(/^(?:#|ℹ) pass 1$/m);
  await using redis = await startLocalRedis();
  const bot = spawn(process.execPath, [TSX, join(consumer, 'main.ts')], {
    env: { PATH: process.env.PATH ?? '', REDIS_URL: redis.url },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const exit = once(bot, 'exit');
  await using desk = new RedisPublisher({ url: redis.url });
  const pause = () => desk.ask(CHANNELS.TRADE_COMMANDS, { bot: 'average' }, { type: 'pause' });
  await expect.poll(() => pause().catch(({ code }) => code)).toMatchObject({ outcome: 'done' });
  bot.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
});

// This test and the next one take longest, and each waits for a program.
test.concurrent(
  'a strict TypeScript program finds types other than any',
  async () => {
    const compilerOptions = {
      module: 'NodeNext',
      target: 'ES2022',
      strict: true,
      // Only the libraries of TypeScript itself are not checked.
      skipDefaultLibCheck: true,
      noEmit: true,
      types: ['node'],
      typeRoots: [join(ROOT, 'node_modules/@types')],
    };
    await writeFile(
      join(consumer, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['consumer.ts'] }),
    );
    await writeFile(
      join(consumer, 'consumer.ts'),
      `import { defineChannel, type Price } from 'tickbus';
    import { CHANNELS, CONFIG } from 'tickbus/constants';
    import { RedisPublisher } from 'tickbus/publisher';
    import { RedisSubscriber } from 'tickbus/subscriber';
    import { ManualClock, MemoryConnection } from 'tickbus/testing';
    export const publisher = new RedisPublisher({ host: CONFIG.HOST, port: CONFIG.PORT });
    export const subscriber = new RedisSubscriber({ connection: new MemoryConnection({ clock: new ManualClock() }) });
    subscriber.subscribe(CHANNELS.PRICE_DATA, (message) => {
      const price: Price = message.data;
      // @ts-expect-error a price is a number
      const text: string = message.data.price;
      console.log(price, text, defineChannel);
    });
    // @ts-expect-error a price has a symbol
    await publisher.publish(CHANNELS.PRICE_DATA, { price: 50000, timestamp: 1650123456 });`,
    );
    expect(await run({ cwd: folder }, process.execPath, TSC, '--project', consumer)).toBe('');
  },
  SLOW_MS,
);

test.concurrent(
  'the built command runs with only the dependencies of its package',
  async () => {
    const dist = join(folder, 'dist');
    await run(
      { cwd: folder },
      'npm',
      'ci',
      '--prefix',
      dist,
      '--omit=dev',
      '--workspace',
      'cli',
      ...INSTALL_OPTIONS,
    );
    const tickbus = join(dist, 'node_modules/.bin/tickbus');
    expect(await run({ cwd: folder }, tickbus, '--version')).toBe('0.1.0\n');
    const price = '{"symbol":"AAPL","price":1,"timestamp":0}';
    expect(await run({ cwd: folder }, tickbus, 'pub', 'PRICE_DATA', price, '--dry-run')).toContain(price);
  },
  SLOW_MS,
);

test.each([
  ['tickbus', 'tickbus', ['shared_library/redis']],
  ['cli', '@tickbus/cli', ['cli']],
  [
    'services',
    'tickbus-services',
    ['cli', 'services/bar-builder', 'services/monitor', 'services/simulated-broker'],
  ],
])(
  'sbom/%s.cdx.json describes %s, with the locked versions of its dependencies',
  async (file, name, parts) => {
    const sbom = JSON.parse(await readFile(join(folder, 'dist/sbom', `${file}.cdx.json`), 'utf8')) as Sbom;
    expect(sbom.bomFormat).toBe('CycloneDX');
    expect([sbom.metadata.component.purl]).toEqual([`pkg:npm/${name.replace('@', '%40')}@0.1.0`]);
    const listed = sbom.components.map(({ purl }) => purl);
    const declared = await Promise.all(
      parts.map(async (part) => (await manifest(join(ROOT, part))).dependencies),
    );
    const direct = declared
      .flatMap((dependencies) => Object.entries(dependencies))
      .filter(([one]) => !one.startsWith('@tickbus/') && one !== 'tickbus')
      .map(([one, version]) => `pkg:npm/${one.replace('@', '%40')}@${version}`);
    expect(listed).toEqual(expect.arrayContaining([...direct, 'pkg:npm/%40redis/client@6.3.1']));
    expect(listed.filter((purl) => /vitest|fast-check|biome|tickbus/.test(purl))).toEqual([]);
  },
);

interface Sbom {
  bomFormat: string;
  metadata: { component: { purl: string } };
  components: { purl: string }[];
}

interface Manifest {
  exports: Record<string, string | Record<string, string>>;
  dependencies: Record<string, string>;
}

async function manifest(of: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(of, 'package.json'), 'utf8'));
}
