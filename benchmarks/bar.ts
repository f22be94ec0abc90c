// The bar that tickbus has to pass, as ratios in one run, and whether it does.

import { type Result, valuesOf } from './results.ts';
import { type Figure, figureOf, ratioOf } from './statistics.ts';

interface Bar {
  readonly title: string;
  readonly workload: string;
  readonly metric: string;
  readonly ours: string;
  /** Each of them has to be passed. */
  readonly theirs: readonly string[];
  readonly limit: { readonly atLeast: number } | { readonly atMost: number };
}

/** A bar and how it came out against one participant. */
export interface Verdict {
  readonly title: string;
  readonly workload: string;
  readonly against: string;
  readonly limit: Bar['limit'];
  /** undefined: not measured. */
  readonly ratio: Figure | undefined;
  readonly isPassed: boolean | undefined;
}

const REDIS_PEERS = [
  'node-redis',
  'ioredis',
  'ioredis-pipelining',
  'valkey-glide',
  'nestjs',
  'moleculer',
  'graphql',
  'socket-io',
];

const BARS: readonly Bar[] = [
  {
    title: 'throughput from end to end',
    workload: 'end_to_end',
    metric: 'rate',
    ours: 'tickbus',
    theirs: REDIS_PEERS,
    limit: { atLeast: 3.5 },
  },
  {
    title: 'throughput from end to end',
    workload: 'end_to_end',
    metric: 'rate',
    ours: 'tickbus',
    theirs: ['nats'],
    limit: { atLeast: 1 },
  },
  {
    title: 'throughput from end to end',
    workload: 'end_to_end',
    metric: 'rate',
    ours: 'tickbus-batch',
    theirs: ['nats'],
    limit: { atLeast: 1.3 },
  },
  {
    title: 'receiver CPU a message',
    workload: 'receiver_cpu',
    metric: 'subscriber_us',
    ours: 'tickbus',
    theirs: ['node-redis-parse'],
    limit: { atMost: 1.1 },
  },
  {
    title: 'receiver CPU a message',
    workload: 'receiver_cpu',
    metric: 'subscriber_us',
    ours: 'tickbus-batch',
    theirs: ['node-redis-parse'],
    limit: { atMost: 0.6 },
  },
  ...(['p50', 'p99'] as const).map(
    (metric): Bar => ({
      title: `latency ${metric} at 5,000 msg/s, 10 subscribers`,
      workload: 'latency_5k',
      metric,
      ours: 'tickbus',
      theirs: ['node-redis'],
      limit: { atMost: 1.1 },
    }),
  ),
  {
    title: 'deliveries a second, 50 subscribers',
    workload: 'fan_out_50',
    metric: 'deliveries',
    ours: 'tickbus',
    theirs: ['node-redis'],
    limit: { atLeast: 2 },
  },
  {
    title: 'deliveries a second, 50 subscribers',
    workload: 'fan_out_50',
    metric: 'deliveries',
    ours: 'tickbus-batch',
    theirs: ['node-redis'],
    limit: { atLeast: 8 },
  },
  ...[1_000, 4_000, 10_000].flatMap((bytes) =>
    (['tickbus', 'tickbus-unvalidated'] as const).map(
      (ours): Bar => ({
        title: `throughput from end to end, messages of ${bytes.toLocaleString('en')} bytes`,
        workload: `size_${bytes}`,
        metric: 'rate',
        ours,
        theirs: ['node-redis'],
        limit: { atLeast: ours === 'tickbus' ? 0.9 : 1.1 },
      }),
    ),
  ),
  {
    title: 'complete picture of 10,000 instruments',
    workload: 'late_joiner_10000',
    metric: 'ms',
    ours: 'tickbus',
    theirs: ['hgetall'],
    limit: { atMost: 2 },
  },
  {
    title: 'fast consumer beside stalled ones, throughput of running alone',
    workload: 'slow_consumer',
    metric: 'rate',
    ours: 'tickbus-beside-stalled',
    theirs: ['tickbus'],
    limit: { atLeast: 0.95 },
  },
];

/** What a bar's title says of a participant that has an option set. */
const OPTION_TEXTS: Readonly<Record<string, string>> = {
  'tickbus-batch': ", framing: 'batch'",
  'tickbus-unvalidated': ', validate: false',
};

export function judge(results: readonly Result[]): Verdict[] {
  return [
    ...BARS.flatMap((bar) => bar.theirs.map((their) => verdictOn(bar, their, results))),
    lossBeside(results),
  ];
}

export function limitText(limit: Bar['limit']): string {
  return 'atLeast' in limit ? `at least ${limit.atLeast}` : `at most ${limit.atMost}`;
}

function verdictOn(
  { title, workload, metric, ours, limit }: Bar,
  their: string,
  results: readonly Result[],
): Verdict {
  const ratio = ratioBetween(results, workload, metric, ours, their);
  const label = `${title}${OPTION_TEXTS[ours] ?? ''}`;
  return {
    title: label,
    workload,
    against: their,
    limit,
    ratio,
    isPassed: ratio && passes(ratio.median, limit),
  };
}

/** What the fast consumer missed: no ratio, a count, and 0 is the bar. */
function lossBeside(results: readonly Result[]): Verdict {
  const found = results
    .find(({ workload }) => workload === 'slow_consumer')
    ?.participants.find(({ name }) => name === 'tickbus-beside-stalled');
  const lost = found && figureOf(valuesOf(found, 'lost'));
  const title = 'messages lost by the fast consumer beside stalled ones';
  const limit = { atMost: 0 };
  return {
    title,
    workload: 'slow_consumer',
    against: 'none',
    limit,
    ratio: lost,
    isPassed: lost && lost.max === 0,
  };
}

export function ratioBetween(
  results: readonly Result[],
  workload: string,
  metric: string,
  ours: string,
  theirs: string,
): Figure | undefined {
  const result = results.find((candidate) => candidate.workload === workload);
  const [our, their] = [ours, theirs].map((name) => result?.participants.find((one) => one.name === name));
  return our && their && ratioOf(valuesOf(our, metric), valuesOf(their, metric));
}

function passes(ratio: number, limit: Bar['limit']): boolean {
  return 'atLeast' in limit ? ratio >= limit.atLeast : ratio <= limit.atMost;
}
