import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Where .ci/run wants the counts. */
const results = process.env.TICKBUS_TEST_RESULTS;

export default defineConfig({
  test: {
    reporters: results ? ['default', ['json', { outputFile: results }]] : ['default'],
    // The default leaves one core idle: on two cores that is half.
    maxWorkers: availableParallelism(),
    include: ['**/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**'],
    typecheck: { enabled: true, include: ['**/test/**/*.test-d.ts'], tsconfig: 'tsconfig.json' },
    // Real servers and processes start in some tests; none of them asserts on time.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    coverage: {
      provider: 'v8',
      include: ['shared_library/redis/**/*.ts'],
      exclude: ['**/test/**'],
      thresholds: { lines: 90 },
    },
  },
});
