// The options of `npm run bench`.

import { parseArgs } from 'node:util';

export interface BenchmarkOptions {
  readonly isQuick: boolean;
  /** Workload names or prefixes; empty: all. */
  readonly only: readonly string[];
  /** Participant names; empty: all participants of each workload. */
  readonly peers: readonly string[];
  /** Measured rounds. */
  readonly pairs: number;
  /** Publishing time of one run. */
  readonly seconds: number;
  readonly seed: number;
  /** Folder of another checkout of tickbus, which is measured too. */
  readonly baseline: string | undefined;
  /** Only write the page, from the data of the last whole run. */
  readonly page: boolean;
  readonly json: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

export const HELP = `npm run bench -- [options]

  --quick          measure most rows of the bar against node-redis and NATS, in under a minute
  --only NAME      measure one workload, or all with this prefix (end_to_end, fan_out_50, latency); repeatable
  --peer NAME      measure only this participant (tickbus, node-redis, nats, ...); repeatable
  --pairs N        measured rounds (7; with --quick 4)
  --seconds N      publishing time of a run in seconds (1; with --quick 0.15)
  --seed N         seed of the ticks; random by default, and printed
  --baseline DIR   also measure the library of another checkout, as "tickbus-baseline"
  --page           write RESULTS.md from the data of the last whole run, without measuring
  --json           print one JSON object as the last line: ratios, cpu_us, bar, skipped
  --list           print the workloads
  --help           print this help

Only a whole run (without --quick, --only, --peer and --baseline) writes RESULTS.md.`;

/** Whether every workload is measured with all participants. Only a whole run writes RESULTS.md. */
export function isWholeRun({ isQuick, only, peers, baseline }: BenchmarkOptions): boolean {
  return !isQuick && only.length === 0 && peers.length === 0 && baseline === undefined;
}

/** @throws Error for an unknown option or an invalid number */
export function readOptions(args: readonly string[]): BenchmarkOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      peer: { type: 'string', multiple: true, default: [] },
      pairs: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      baseline: { type: 'string' },
      page: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const { quick: isQuick, only, peer: peers, baseline, page, json, list, help } = values;
  return {
    isQuick,
    only,
    peers,
    pairs: numberOf('--pairs', values.pairs, isQuick ? 4 : 7),
    seconds: numberOf('--seconds', values.seconds, isQuick ? 0.15 : 1),
    seed: numberOf('--seed', values.seed, Math.floor(Math.random() * 2 ** 31)),
    baseline,
    page,
    json,
    list,
    help,
  };
}

function numberOf(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new Error(`${name} is "${text}". Use a number above 0.`);
}
