// A workload: its metrics, participants and one run. The runner depends only on this interface.

export interface Metric {
  /** Key in a sample: `rate`, `p99`. */
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  /** undefined: information only, without a ratio. */
  readonly better?: 'higher' | 'lower';
}

/** The figures of one run by metric. A figure that could not be measured is absent. */
export type RunSample = Readonly<Record<string, number>>;

export interface WorkloadContext {
  readonly seed: number;
  /** Files of recorded sessions; empty if they are missing. */
  readonly recordings: readonly string[];
}

/** A participant that is ready to run, with its own server and processes. */
export interface OpenWorkload extends AsyncDisposable {
  /** @param seconds publishing time, for workloads with a time limit */
  run(seconds: number): Promise<RunSample>;
}

export interface Workload {
  readonly name: string;
  readonly title: string;
  /** The load and the measurement, in one or two sentences. */
  readonly about: string;
  readonly participants: readonly string[];
  /** Participants of a quick run; undefined: a quick run skips the workload. */
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
