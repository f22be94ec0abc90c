// The layer rules of ARCHITECTURE.md, "Who may import whom", enforced.

const library = '^shared_library/redis/';
const core = `${library}core/`;
const schemas = `${library}schemas/`;
const engine = `${library}engine/`;
const adapters = `${library}adapters/`;
const redisAdapter = `${adapters}redis/`;
const facades = `${library}(publisher|subscriber|lease|connection|admin|testing|index)\\.ts$`;
const tests = '/test/';

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
    {
      name: 'errors-import-nothing',
      severity: 'error',
      from: { path: `${library}errors\\.ts$` },
      to: { pathNot: '^$' },
    },
    {
      name: 'core-is-pure',
      comment: 'core imports errors and core only; no I/O, no environment.',
      severity: 'error',
      from: { path: core },
      to: { pathNot: [core, `${library}errors\\.ts$`, '@standard-schema/spec'] },
    },
    {
      name: 'schemas-on-core',
      severity: 'error',
      from: { path: schemas },
      to: { pathNot: [schemas, core, `${library}errors\\.ts$`, 'node_modules/zod/'] },
    },
    {
      name: 'constants-on-schemas',
      severity: 'error',
      from: { path: `${library}constants\\.ts$` },
      to: { pathNot: [schemas, core, `${library}errors\\.ts$`] },
    },
    {
      name: 'engine-sees-ports-only',
      severity: 'error',
      from: { path: engine },
      to: { pathNot: [engine, core, `${library}errors\\.ts$`, 'node_modules/uuid/'] },
    },
    {
      name: 'adapters-never-see-engine',
      severity: 'error',
      from: { path: adapters, pathNot: tests },
      to: { path: [engine, schemas, `${library}constants\\.ts$`, facades] },
    },
    {
      name: 'redis-client-in-its-adapter-only',
      severity: 'error',
      from: { pathNot: [redisAdapter, tests, '^benchmarks/', '^faults/'] },
      to: { path: 'node_modules/(redis|@redis)/' },
    },
    {
      name: 'services-use-exported-subpaths',
      comment: 'Outside the library, its insides are reached through the package name only.',
      severity: 'error',
      from: { pathNot: library },
      to: { path: [core, schemas, engine, adapters] },
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
