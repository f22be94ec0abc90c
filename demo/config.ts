// Settings of the demo: command-line flags, and REDIS_URL.

import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { readConfig as readRedisConfig } from 'tickbus/constants';

export interface DemoConfig {
  /** Duration in seconds; undefined: until Ctrl-C. */
  readonly seconds: number | undefined;
  /** File of a recorded session to replay; undefined: simulated prices. */
  readonly capture: string | undefined;
  /** Replay speed; 1 is real time. */
  readonly speed: number;
  /** Simulated trades and quotes per second. */
  readonly rate: number;
  /** Random seed of the simulated prices. */
  readonly seed: number;
  /** Kill the active gateway, show the takeover, then end (or continue until `seconds`). */
  readonly failover: boolean;
  /** Use a private cluster, kill the node of the prices, then end (or continue until `seconds`). */
  readonly cluster: boolean;
  /** Print one JSON object on stdout at the end. */
  readonly json: boolean;
  /** REDIS_URL, or undefined if not set. */
  readonly redisUrl: string | undefined;
}

/** Exits the process with an error message and code 1 on an invalid flag. */
export function readConfig(argv: readonly string[], env: NodeJS.ProcessEnv): DemoConfig {
  const options = new Command('npm run demo --')
    .description(
      'One broker connection, one gateway, three bots, in one process. Uses REDIS_URL, or a private Redis, or memory.',
    )
    .option('--seconds <n>', 'stop after this many seconds (default: at Ctrl-C)', above(0, MAX_SECONDS))
    .option('--capture <file>', 'replay a recorded session (.jsonl or .jsonl.gz)', readableFile)
    .option('--speed <n>', 'replay speed; 1 is real time', above(0), 1)
    .option('--rate <n>', 'simulated trades and quotes per second', above(0), 200)
    .option('--seed <n>', 'random seed of the simulated prices', wholeNumber, 1)
    .option('--failover', 'kill the active gateway, show the takeover by a standby, then stop', false)
    .addOption(
      new Option(
        '--cluster',
        'use a private Redis Cluster (not REDIS_URL), kill the node of the prices, show that they go on, then stop',
      )
        .default(false)
        .conflicts('failover'),
    )
    .option('--json', 'print one JSON object on stdout at the end', false)
    .parse([...argv], { from: 'user' })
    .opts<Omit<DemoConfig, 'redisUrl'>>();
  return {
    ...options,
    seconds: options.seconds,
    capture: options.capture,
    redisUrl: checkedUrl(env),
  };
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` that names REDIS_URL */
function checkedUrl({ REDIS_URL }: NodeJS.ProcessEnv): string | undefined {
  if (!REDIS_URL) return undefined;
  void readRedisConfig({ REDIS_URL }).HOST;
  return REDIS_URL;
}

/** The longest duration that a timer supports, rounded down. */
const MAX_SECONDS = 2_000_000;

function above(limit: number, most = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && value > limit && value <= most) return value;
    throw new InvalidArgumentError(
      `Use a number above ${limit}${most === Number.POSITIVE_INFINITY ? '' : `, ${most} at most`}.`,
    );
  };
}

function wholeNumber(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Use a whole number, 0 or above.');
}

function readableFile(path: string): string {
  if (existsSync(path)) return path;
  throw new InvalidArgumentError('No such file.');
}
