// What a workload is: what is measured, of whom, and one run of it. The runner knows nothing else.

export interface Metric {
  /** As in a sample: `rate`, `p99`. */
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  /** Which way is good; undefined: a figure to know, of which no ratio is taken. */
  readonly better?: 'higher' | 'lower';
}

/** The figures of one run, by metric. One that could not be taken is missing. */
export type RunSample = Readonly<Record<string, number>>;

export interface WorkloadContext {
  readonly seed: number;
  /** Recorded sessions, where the folder beside the project is there. */
  readonly recordings: readonly string[];
}

/** A participant ready to run, with its own server and processes. */
export interface OpenWorkload extends AsyncDisposable {
  /** @param seconds how long it publishes, where it publishes by time */
  run(seconds: number): Promise<RunSample>;
}

export interface Workload {
  readonly name: string;
  readonly title: string;
  /** What is done and measured, in a sentence or two. */
  readonly about: string;
  readonly participants: readonly string[];
  /** Whom a quick run measures; undefined: a quick run leaves this workload out. */
  readonly quick?: readonly string[];
  readonly metrics: readonly Metric[];
  open(participant: string, context: WorkloadContext): Promise<OpenWorkload>;
}

export const RATE: Metric = { name: 'rate', title: 'throughput', unit: 'msg/s', better: 'higher' };

/** Common to all workloads that stream ticks. */
export const STREAM_FIGURES: readonly Metric[] = [
  { name: 'publisher_us', title: 'publisher CPU', unit: 'µs/msg', better: 'lower' },
  { name: 'server_us', title: 'server CPU', unit: 'µs/msg', better: 'lower' },
  { name: 'subscriber_us', title: 'receiver CPU', unit: 'µs/delivery', better: 'lower' },
  { name: 'total_us', title: 'CPU of all processes', unit: 'µs/msg', better: 'lower' },
  { name: 'lost', title: 'lost', unit: 'msg' },
  { name: 'merged', title: 'merged', unit: 'msg' },
];
