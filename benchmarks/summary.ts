// The JSON object of `--json`: ratios by workload and peer, CPU by role, and the bar.

import { judge, limitText } from './bar.ts';
import { figureOf, ratioOf } from './statistics.ts';
import { valuesOf, type WorkloadResult } from './workload-results.ts';

export interface BenchmarkSummary {
  /**
   * Median ratio tickbus / peer. The key is WORKLOAD for the first metric, WORKLOAD_METRIC for the others.
   */
  readonly ratios: Record<string, Record<string, number>>;
  /**
   * Microseconds of CPU per message, from end to end at full speed. `total` is the sum of the first three;
   * `subscriber_steady` is the receiver at a steady rate.
   */
  readonly cpu_us: Record<
    'publisher' | 'server' | 'subscriber' | 'total' | 'subscriber_steady',
    Record<string, number>
  >;
  readonly bar: {
    readonly what: string;
    readonly against: string;
    readonly limit: string;
    readonly ratio: number | null;
    readonly passed: boolean | null;
  }[];
  readonly skipped: { readonly workload: string; readonly participant: string; readonly why: string }[];
}

/** The tickbus participants whose ratios are listed, and the suffix of their keys. */
const OURS: Readonly<Record<string, string>> = {
  tickbus: '',
  'tickbus-shared': '_shared',
  'tickbus-singly': '_singly',
  'tickbus-unchecked': '_unchecked',
  'tickbus-beside-stalled': '_beside_stalled',
};

export function summarize(results: readonly WorkloadResult[]): BenchmarkSummary {
  const ratios: BenchmarkSummary['ratios'] = {};
  for (const result of results)
    for (const [ours, suffix] of Object.entries(OURS)) addRatios(ratios, result, ours, suffix);
  return {
    ratios,
    cpu_us: {
      publisher: cpuOf(results, 'publisher_us', 'end_to_end'),
      server: cpuOf(results, 'server_us', 'end_to_end'),
      subscriber: cpuOf(results, 'subscriber_us', 'end_to_end'),
      total: cpuOf(results, 'total_us', 'end_to_end'),
      subscriber_steady: cpuOf(results, 'subscriber_us', 'receiver_cpu'),
    },
    bar: judge(results).map(({ title, against, limit, ratio, isPassed }) => ({
      what: title,
      against,
      limit: limitText(limit),
      ratio: ratio === undefined ? null : rounded(ratio.median),
      passed: isPassed ?? null,
    })),
    skipped: results.flatMap(({ workload, skipped }) => skipped.map((one) => ({ workload, ...one }))),
  };
}

function addRatios(
  ratios: BenchmarkSummary['ratios'],
  result: WorkloadResult,
  ours: string,
  suffix: string,
): void {
  const our = result.participants.find(({ name }) => name === ours);
  if (our === undefined) return;
  const compared = result.metrics.filter(({ better }) => better !== undefined);
  for (const [index, { name }] of compared.entries()) {
    const key = `${result.workload}${suffix}${index === 0 ? '' : `_${name}`}`;
    for (const their of result.participants) {
      const isOurs = their.name in OURS && their.name !== 'tickbus';
      const ratio = isOurs || their === our ? undefined : ratioOf(valuesOf(our, name), valuesOf(their, name));
      if (ratio === undefined) continue;
      ratios[key] = { ...ratios[key], [their.name]: rounded(ratio.median) };
    }
  }
}

function cpuOf(results: readonly WorkloadResult[], metric: string, measured: string): Record<string, number> {
  const cpu: Record<string, number> = {};
  for (const participant of results.find(({ workload }) => workload === measured)?.participants ?? []) {
    const values = valuesOf(participant, metric).filter(Number.isFinite);
    if (values.length > 0) cpu[participant.name] = rounded(figureOf(values).median);
  }
  return cpu;
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
