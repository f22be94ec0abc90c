// What the demo is asked to do: its flags, checked, and the one variable it reads.

import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';

export interface DemoConfig {
  /** Ends by itself after so many seconds; undefined: at Ctrl-C. */
  readonly seconds: number | undefined;
  /** A recorded session to replay; undefined: made-up prices. */
  readonly capture: string | undefined;
  /** The pace of the replay, 1 being the true one. */
  readonly speed: number;
  /** Made-up trades and quotes a second. */
  readonly rate: number;
  /** Of the made-up prices. */
  readonly seed: number;
  /** Show how a gateway is killed and another one takes over; then end, unless `seconds` says when. */
  readonly failover: boolean;
  /** End with one JSON object on stdout. */
  readonly json: boolean;
  /** REDIS_URL, when it is set. */
  readonly redisUrl: string | undefined;
}

/** Ends the process with a sentence and exit code 1 when a flag cannot be used. */
export function readConfig(argv: readonly string[], env: NodeJS.ProcessEnv): DemoConfig {
  const options = new Command('npm run demo --')
    .description(
      'One broker connection, one gateway, three bots, in one process. Uses REDIS_URL, or a private Redis, or memory.',
    )
    .option('--seconds <n>', 'end after so many seconds (default: at Ctrl-C)', above(0, LONGEST_SECONDS))
    .option('--capture <file>', 'replay a recorded session (.jsonl or .jsonl.gz)', readableFile)
    .option('--speed <n>', 'pace of the replay, 1 being the true one', above(0), 1)
    .option('--rate <n>', 'made-up trades and quotes a second', above(0), 200)
    .option('--seed <n>', 'of the made-up prices', wholeNumber, 1)
    .option('--failover', 'kill the gateway, and see a standby take over; then end', false)
    .option('--json', 'end with one JSON object on stdout', false)
    .parse([...argv], { from: 'user' })
    .opts<Omit<DemoConfig, 'redisUrl'>>();
  return {
    ...options,
    seconds: options.seconds,
    capture: options.capture,
    redisUrl: env.REDIS_URL || undefined,
  };
}

/** A timer cannot be longer. */
const LONGEST_SECONDS = 2_000_000;

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
  throw new InvalidArgumentError('There is no such file.');
}
