// The layer rules of ARCHITECTURE.md, "Who may import whom", enforced.

const library = '^shared_library/redis/';
const folder = (name) => `${library}${name}/`;
const errors = `${library}errors\\.ts$`;
const runtime = folder('runtime');
const channel = folder('channel');
const wire = folder('wire');
const port = `${library}transport/[^/]+\\.ts$`;
const memory = folder('transport/memory');
const redis = folder('transport/redis');
const subjects = folder('(publish|subscribe|freshness|lease|demand|presence|ask)');
const entryPoints = `${library}(index|publisher|subscriber|lease|presence|connection|admin|constants|testing|bot)\\.ts$`;
const insides = folder(
  '(runtime|channel|wire|transport|publish|subscribe|freshness|lease|demand|presence|ask|bot|testing)',
);
const tests = '/test/';

/** Files in `from` may import only `to` and each other. */
function only(name, from, to, comment) {
  return { name, severity: 'error', comment, from: { path: from }, to: { pathNot: [from, ...to] } };
}

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'No import cycle, type-only imports included.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    only('errors-import-nothing', errors, ['^$']),
    only('runtime-on-errors', runtime, [errors, 'node_modules/pino/', '^node:', '^(timers|perf_hooks|os)$']),
    only(
      'channel-on-runtime',
      channel,
      [errors, runtime, 'node_modules/@standard-schema/', 'node_modules/zod/'],
      'No I/O and no environment in channel/ and wire/.',
    ),
    only('wire-on-channel', wire, [errors, runtime, channel, 'node_modules/@standard-schema/']),
    only('port-on-wire', port, [errors, runtime, channel, wire]),
    only('subjects-see-the-port', subjects, [errors, runtime, channel, wire, port, 'node_modules/uuid/']),
    only('memory-sees-the-port', memory, [errors, runtime, channel, wire, port]),
    {
      name: 'redis-sees-the-port',
      comment: 'A transport may import packages and the layers below it, but no subject.',
      severity: 'error',
      from: { path: redis },
      to: { path: [subjects, memory, entryPoints] },
    },
    {
      name: 'kits-above-the-entry-points',
      comment: 'The kits for bots and for their tests are made of the entry points, like a program.',
      severity: 'error',
      from: { path: library, pathNot: [folder('(bot|testing)'), `${library}(bot|testing)\\.ts$`, tests] },
      to: { path: [folder('(bot|testing)'), `${library}(bot|testing)\\.ts$`] },
    },
    {
      name: 'redis-client-in-its-transport-only',
      severity: 'error',
      from: { pathNot: [redis, tests, '^benchmarks/', '^faults/'] },
      to: { path: 'node_modules/(redis|@redis)/' },
    },
    {
      name: 'programs-use-exported-subpaths',
      comment:
        'Code outside the library imports it only by package name. The fuzz targets call the decoders directly.',
      severity: 'error',
      from: { pathNot: [library, '^faults/fuzz/'] },
      to: { path: insides },
    },
    {
      name: 'services-never-import-each-other',
      severity: 'error',
      comment: 'Tests may: a gateway is tested against the simulated broker.',
      from: { path: '^services/([^/]+)/', pathNot: tests },
      to: { path: '^services/', pathNot: '^services/$1/' },
    },
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      from: { pathNot: tests },
      to: { path: tests },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^dist/', '^coverage/', '^benchmarks/build/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
};
