import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The file for the counts of .ci/run. */
const results = process.env.TICKBUS_TEST_RESULTS;

/** Only `npm run test:slow` runs them: they take more than a minute and a half of CPU time. */
export const SLOW = [
  'scripts/test/package.test.ts',
  'scripts/test/documents.test.ts',
  'demo/test/demo.test.ts',
];

/** The longest files, which start first: otherwise a worker that ends with one of them runs on alone. */
const LONGEST = [
  'services/monitor/test/page',
  'integration/sentinel-failover',
  'integration/sentinel-lease',
  'cluster/cluster-faults',
  'processes/fail-over',
  'price-gateway/test/production-acl',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => LONGEST.some((path) => moduleId.includes(path));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    reporters: results ? ['default', ['json', { outputFile: results }]] : ['default'],
    // Loading the modules again for every file would double the time. A test restores what it changes in its process.
    isolate: false,
    // More than the cores, because most tests wait for servers and processes.
    maxWorkers: availableParallelism() + 4,
    sequence: { sequencer: LongestFirst },
    include: ['**/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**', ...SLOW],
    // Some tests start real servers and processes. No test asserts on time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // By default expect.poll gives up after one second, which a busy machine exceeds.
    expect: { poll: { timeout: 100_000, interval: 10 } },
    coverage: {
      provider: 'v8',
      include: ['shared_library/redis/**/*.ts'],
      exclude: ['**/test/**'],
      thresholds: { lines: 90 },
    },
  },
});
