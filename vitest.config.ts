import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** The file for the counts of .ci/run. */
const results = process.env.TICKBUS_TEST_RESULTS;

export default defineConfig({
  test: {
    reporters: results ? ['default', ['json', { outputFile: results }]] : ['default'],
    // Loading the modules again for every file would double the time. A test restores what it changes in its process.
    isolate: false,
    // The default leaves one core idle, which is half of two cores.
    maxWorkers: availableParallelism(),
    include: ['**/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**'],
    typecheck: { enabled: true, include: ['**/test/**/*.test-d.ts'], tsconfig: 'tsconfig.json' },
    // Some tests start real servers and processes. No test asserts on time.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // By default expect.poll gives up after one second, which a busy machine exceeds.
    expect: { poll: { timeout: 25_000, interval: 10 } },
    coverage: {
      provider: 'v8',
      include: ['shared_library/redis/**/*.ts'],
      exclude: ['**/test/**'],
      thresholds: { lines: 90 },
    },
  },
});
