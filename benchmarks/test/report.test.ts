// Tables, verdicts and the summary of `--json` from result data.

import { describe, expect, it } from 'vitest';
import { BARS, judge, limitText } from '../bar.ts';
import { barTable, markdownTable, resultSection } from '../report/markdown.ts';
import { numberText, table } from '../report/text.ts';
import { summarize } from '../summary.ts';
import { tickSource } from '../ticks.ts';
import type { WorkloadResult } from '../workload-results.ts';
import { WORKLOADS } from '../workloads/list.ts';
import type { RunSample } from '../workloads/workload.ts';

function resultWith(
  samples: Readonly<Record<string, readonly RunSample[]>>,
  changes: Partial<WorkloadResult> = {},
): WorkloadResult {
  return {
    workload: 'end_to_end',
    title: 'From end to end',
    about: 'At full speed.',
    metrics: [
      { name: 'rate', title: 'throughput', unit: 'msg/s', better: 'higher' },
      { name: 'subscriber_us', title: 'receiver CPU', unit: 'µs', better: 'lower' },
      { name: 'lost', title: 'lost', unit: 'msg' },
    ],
    measuredAt: '2026-11-24T00:00:00.000Z',
    machine: { cpu: 'x', cores: 2, memoryGb: 1, system: 'y', node: 'v20', servers: {}, loadBefore: 0 },
    seed: 7,
    pairs: 2,
    secondsARun: 1,
    participants: Object.entries(samples).map(([name, own]) => ({
      name,
      title: name,
      versions: '',
      samples: own,
    })),
    skipped: [],
    ...changes,
  };
}

const WON = resultWith({
  tickbus: [
    { rate: 400_000, subscriber_us: 2, lost: 0 },
    { rate: 200_000, subscriber_us: 4, lost: 0 },
  ],
  'node-redis': [
    { rate: 100_000, subscriber_us: 4, lost: 0 },
    { rate: 50_000, subscriber_us: 8, lost: 0 },
  ],
  nats: [
    { rate: 800_000, subscriber_us: 2, lost: 0 },
    { rate: 400_000, subscriber_us: 2, lost: 0 },
  ],
});

describe('summarize', () => {
  it('computes ratios to each peer, with the first metric under the workload name', () => {
    const { ratios, cpu_us } = summarize([WON]);
    expect(ratios.end_to_end).toEqual({ 'node-redis': 4, nats: 0.5 });
    expect(ratios.end_to_end_subscriber_us).toEqual({ 'node-redis': 0.5, nats: 1.5 });
    expect(cpu_us.subscriber).toEqual({ tickbus: 3, 'node-redis': 6, nats: 2 });
  });

  it('computes no ratio of an informational metric', () => {
    expect(Object.keys(summarize([WON]).ratios)).not.toContain('end_to_end_lost');
  });

  it('lists skipped participants', () => {
    const skipped = [{ participant: 'nats', why: 'no server' }];
    expect(summarize([resultWith({}, { skipped })]).skipped).toEqual([
      { workload: 'end_to_end', ...skipped[0] },
    ]);
  });
});

describe('judge', () => {
  const verdictOn = (against: string) =>
    judge([WON]).find((verdict) => verdict.workload === 'end_to_end' && verdict.against === against);

  it('reports passed, missed and unmeasured rows', () => {
    expect(verdictOn('node-redis')?.isPassed).toBe(true);
    expect(verdictOn('nats')?.isPassed).toBe(false);
    expect(verdictOn('ioredis')).toMatchObject({ ratio: undefined, isPassed: undefined });
  });

  it('compares the CPU of all processes round by round', () => {
    const measured = resultWith({
      tickbus: [{ total_us: 6 }, { total_us: 30 }],
      nats: [{ total_us: 10 }, { total_us: 40 }],
    });
    const verdict = judge([measured]).find(({ limit }) => limitText(limit) === 'at most 0.8');
    expect(verdict?.ratio).toEqual({ median: 0.675, min: 0.6, max: 0.75, runs: 2 });
    expect(verdict?.isPassed).toBe(true);
  });

  it('has different limits with and without validation', () => {
    const samples = (rate: number) => [{ rate }];
    const measured = resultWith(
      { tickbus: samples(95), 'tickbus-unchecked': samples(105), 'node-redis': samples(100) },
      { workload: 'size_4000' },
    );
    const rows = judge([measured]).filter(({ workload }) => workload === 'size_4000');
    expect(rows.map(({ limit, isPassed }) => [limitText(limit), isPassed])).toEqual([
      ['at least 0.9', true],
      ['at least 1.1', false],
    ]);
  });

  it('refers only to existing workloads, metrics and participants', () => {
    for (const { workload, metric, ours, theirs } of BARS) {
      const found = WORKLOADS.find(({ name }) => name === workload);
      expect(found?.metrics.map(({ name }) => name)).toContain(metric);
      expect(found?.participants).toEqual(expect.arrayContaining([ours, theirs]));
    }
  });

  it('misses the bar after one lost message beside a stalled consumer', () => {
    const withLoss = (lost: number) =>
      resultWith({ 'tickbus-beside-stalled': [{ lost: 0 }, { lost }] }, { workload: 'slow_consumer' });
    const isPassed = (lost: number) => judge([withLoss(lost)]).at(-1)?.isPassed;
    expect(isPassed(0)).toBe(true);
    expect(isPassed(1)).toBe(false);
  });
});

describe('tables', () => {
  it('shows passed and missed rows', () => {
    const rows = barTable(judge([WON]));
    expect(rows).toContain('| throughput from end to end | node-redis | at least 4 | 4 (4 to 4) | passed |');
    expect(rows).toContain(
      '| throughput from end to end | NATS core | at least 1.3 | 0.500 (0.500 to 0.500) | **missed** |',
    );
  });

  it('has one row per participant, with ratio and range', () => {
    const section = resultSection(WON, undefined);
    expect(section).toContain('| tickbus | 300,000 (200,000 to 400,000) | 3 (2 to 4) | 0 |  |');
    expect(section).toContain('| nats | 600,000 (400,000 to 800,000) | 2 | 0 | 0.500 |');
    expect(table(WON).split('\n')).toHaveLength(4);
  });

  it('names skipped participants with the reason', () => {
    const section = resultSection(
      resultWith({}, { skipped: [{ participant: 'mqtt', why: 'it is missing' }] }),
      undefined,
    );
    expect(section).toContain('Skipped: MQTT.js, mosquitto, because it is missing.');
  });

  it('writes a Markdown table', () => {
    expect(markdownTable(['a', 'b'], [['1', '2']])).toBe('| a | b |\n| --- | ---: |\n| 1 | 2 |');
  });

  it('rounds to three significant digits', () => {
    expect([0.12345, 12.345, 1234.5, 3, Number.NaN].map(numberText)).toEqual([
      '0.123',
      '12.3',
      '1,235',
      '3',
      '-',
    ]);
  });
});

describe('tickSource', () => {
  it('gives the same ticks for the same seed', () => {
    const take = (seed: number) => Array.from({ length: 5 }, tickSource(seed, 3));
    expect(take(11)).toEqual(take(11));
    expect(take(11)).not.toEqual(take(12));
    expect(take(11).map(({ symbol }) => symbol)).toEqual(['S0000', 'S0001', 'S0002', 'S0000', 'S0001']);
  });
});
