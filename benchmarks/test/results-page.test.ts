// RESULTS.md is written only from the data of a whole run.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isWholeRun, readOptions } from '../benchmark-options.ts';
import { readResults, type WorkloadResult, writeResults } from '../workload-results.ts';

describe('isWholeRun', () => {
  it('is true for all workloads and participants, with any count of rounds', () => {
    expect(isWholeRun(readOptions([]))).toBe(true);
    expect(isWholeRun(readOptions(['--pairs', '3', '--seed', '7', '--json']))).toBe(true);
  });

  it.each([['--quick'], ['--only', 'latency'], ['--peer', 'nats'], ['--baseline', '../other']])(
    'is false with %s',
    (...args) => {
      expect(isWholeRun(readOptions(args))).toBe(false);
    },
  );
});

describe('readResults', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tickbus-results-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const result = (workload: string) => ({ workload, participants: [] }) as unknown as WorkloadResult;

  it('returns the written results in the given order', () => {
    writeResults(folder, [result('a'), result('b')]);
    expect(readResults(folder, ['b', 'a']).map(({ workload }) => workload)).toEqual(['b', 'a']);
  });

  it('rejects an incomplete run, and names the missing workloads', () => {
    writeResults(folder, [result('a')]);
    expect(() => readResults(folder, ['a', 'b', 'c'])).toThrow(/no data of b, c/);
  });

  it('never mixes two runs', () => {
    writeResults(folder, [result('a'), result('b')]);
    writeResults(folder, [result('a')]);
    expect(() => readResults(folder, ['a', 'b'])).toThrow(/no data of b/);
  });
});
