// The bar: the required ratios of tickbus to other participants within one run, and the verdict on each ratio.

import { type Figure, figureOf, ratioOf } from './statistics.ts';
import { valuesOf, type WorkloadResult } from './workload-results.ts';

interface Bar {
  readonly title: string;
  readonly workload: string;
  readonly metric: string;
  /** The compared participants. The ratio is ours / theirs. */
  readonly ours: string;
  readonly theirs: string;
  readonly limit: { readonly atLeast: number } | { readonly atMost: number };
}

/** A row of the bar with its measured ratio. */
export interface BarVerdict {
  readonly title: string;
  readonly workload: string;
  readonly against: string;
  readonly limit: Bar['limit'];
  /** undefined if not measured. */
  readonly ratio: Figure | undefined;
  readonly isPassed: boolean | undefined;
}

/** Required end-to-end throughput of tickbus, as a multiple of each peer's. */
const THROUGHPUT: Readonly<Record<string, number>> = {
  'node-redis': 4,
  ioredis: 3,
  'ioredis-pipelining': 2.2,
  'valkey-glide': 4,
  nestjs: 3.5,
  moleculer: 3.5,
  graphql: 2.8,
  'socket-io': 3.5,
  nats: 1.3,
};

export const BARS: readonly Bar[] = [
  ...Object.entries(THROUGHPUT).map(
    ([theirs, atLeast]): Bar => ({
      title: 'throughput from end to end',
      workload: 'end_to_end',
      metric: 'rate',
      ours: 'tickbus',
      theirs,
      limit: { atLeast },
    }),
  ),
  {
    title: 'CPU a message: publisher, server and receiver',
    workload: 'end_to_end',
    metric: 'total_us',
    ours: 'tickbus',
    theirs: 'nats',
    limit: { atMost: 0.8 },
  },
  ...[1_000, 5_000].flatMap((rate) => [latencyBar(rate, 'p50', 1.05), latencyBar(rate, 'p99', 1)]),
  {
    title: 'deliveries a second, 50 subscribers',
    workload: 'fan_out_50',
    metric: 'deliveries',
    ours: 'tickbus',
    theirs: 'node-redis',
    limit: { atLeast: 1.8 },
  },
  {
    title: 'deliveries a second, 50 subscribers, a plain client listening',
    workload: 'fan_out_50',
    metric: 'deliveries',
    ours: 'tickbus-singly',
    theirs: 'node-redis',
    limit: { atLeast: 1.1 },
  },
  ...[1_000, 4_000, 10_000].flatMap((bytes) => [
    sizeBar(bytes, '', 'tickbus', 0.9),
    sizeBar(bytes, ', validate: false', 'tickbus-unchecked', 1.1),
  ]),
  {
    title: 'complete snapshot of 10,000 instruments',
    workload: 'late_joiner_10000',
    metric: 'ms',
    ours: 'tickbus',
    theirs: 'hgetall',
    limit: { atMost: 1.7 },
  },
  {
    title: 'fast consumer beside stalled ones, throughput against running alone',
    workload: 'slow_consumer',
    metric: 'rate',
    ours: 'tickbus-beside-stalled',
    theirs: 'tickbus',
    limit: { atLeast: 0.95 },
  },
];

export function judge(results: readonly WorkloadResult[]): BarVerdict[] {
  return [...BARS.map((bar) => verdictOn(bar, results)), lossVerdict(results)];
}

export function limitText(limit: Bar['limit']): string {
  return 'atLeast' in limit ? `at least ${limit.atLeast}` : `at most ${limit.atMost}`;
}

function latencyBar(rate: number, metric: 'p50' | 'p99', atMost: number): Bar {
  return {
    title: `latency ${metric} at ${rate.toLocaleString('en')} msg/s, 10 subscribers`,
    workload: `latency_${rate / 1_000}k`,
    metric,
    ours: 'tickbus',
    theirs: 'node-redis',
    limit: { atMost },
  };
}

function sizeBar(bytes: number, suffix: string, ours: string, atLeast: number): Bar {
  return {
    title: `throughput from end to end, ${bytes.toLocaleString('en')} bytes${suffix}`,
    workload: `size_${bytes}`,
    metric: 'rate',
    ours,
    theirs: 'node-redis',
    limit: { atLeast },
  };
}

function verdictOn(
  { title, workload, metric, ours, theirs, limit }: Bar,
  results: readonly WorkloadResult[],
): BarVerdict {
  const ratio = ratioBetween(results, workload, metric, ours, theirs);
  return { title, workload, against: theirs, limit, ratio, isPassed: ratio && passes(ratio.median, limit) };
}

/** Messages that the fast consumer lost: a count, not a ratio. A single lost message in any round misses the bar. */
function lossVerdict(results: readonly WorkloadResult[]): BarVerdict {
  const workload = 'slow_consumer';
  const fast = participantIn(results, workload, 'tickbus-beside-stalled');
  const lost = fast && figureOf(valuesOf(fast, 'lost'));
  return {
    title: 'messages lost by the fast consumer beside stalled ones',
    workload,
    against: 'none',
    limit: { atMost: 0 },
    ratio: lost,
    isPassed: lost && lost.max === 0,
  };
}

function ratioBetween(
  results: readonly WorkloadResult[],
  workload: string,
  metric: string,
  ours: string,
  theirs: string,
): Figure | undefined {
  const [our, their] = [ours, theirs].map((name) => participantIn(results, workload, name));
  return our && their && ratioOf(valuesOf(our, metric), valuesOf(their, metric));
}

function participantIn(results: readonly WorkloadResult[], workload: string, name: string) {
  return results
    .find((result) => result.workload === workload)
    ?.participants.find((participant) => participant.name === name);
}

function passes(ratio: number, limit: Bar['limit']): boolean {
  return 'atLeast' in limit ? ratio >= limit.atLeast : ratio <= limit.atMost;
}
