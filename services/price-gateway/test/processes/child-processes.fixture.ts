// Gateways and bots as child processes, and their output.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { CREDENTIALS, ReceivedValues } from '../gateway.fixture.ts';

const GATEWAY = await bundledProgram(new URL('../../main.ts', import.meta.url));
const BOT = await bundledProgram(new URL('./price-bot.fixture.ts', import.meta.url));
const CLOCK = await bundledProgram(new URL('./movable-clock.fixture.ts', import.meta.url));

export interface GatewayLogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A process that writes JSON lines. */
class JsonLineProcess<Line> {
  readonly child: ChildProcess;
  readonly lines = new ReceivedValues<Line>();
  /** Exit code and signal. */
  readonly exit: Promise<readonly [number | null, NodeJS.Signals | null]>;

  /** @param output the stream of the JSON lines; the other stream is forwarded to stderr */
  constructor(args: readonly string[], env: Readonly<Record<string, string>>, output: 'stdout' | 'stderr') {
    this.child = spawn(process.execPath, ['--import', CLOCK, ...args], {
      env: { PATH: process.env.PATH ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exit = once(this.child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    const { stdout, stderr } = this.child as { stdout: Readable; stderr: Readable };
    const [lines, other] = output === 'stdout' ? [stdout, stderr] : [stderr, stdout];
    createInterface({ input: lines }).on('line', (line) => this.lines.add(parse(line)));
    other.pipe(process.stderr);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Sends SIGKILL. Does nothing if the process has exited. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    // SIGKILL also ends a process that is stopped by SIGSTOP.
    this.child.kill('SIGKILL');
    await this.exit;
  }
}

function parse<Line>(line: string): Line {
  try {
    return JSON.parse(line) as Line;
  } catch {
    throw new Error(`The line is not JSON: ${line}`);
  }
}

export class GatewayProcess extends JsonLineProcess<GatewayLogLine> {
  constructor(env: Readonly<Record<string, string>>) {
    super([GATEWAY], env, 'stderr');
  }

  /** The role of the gateway, from the latest log line that reports a role. */
  get role(): string | undefined {
    const line = this.lines.all.findLast(({ msg }) => /^The gateway is \w+\.$/.test(msg));
    return line?.msg.slice('The gateway is '.length, -1);
  }

  /** Waits until the gateway logs this role; `from` skips the oldest lines. */
  async waitForRole(role: 'standby' | 'active', from = 0): Promise<void> {
    await this.lines.until(({ msg }) => msg === `The gateway is ${role}.`, from);
  }
}

/** The settings of a gateway on the simulated broker: short retry delays, and the default lease of 3 s. */
export function gatewaySettings(redisUrl: string, brokerUrl: string, more: Record<string, string> = {}) {
  return {
    REDIS_URL: redisUrl,
    ALPACA_URL: brokerUrl,
    ALPACA_KEY: CREDENTIALS.key,
    ALPACA_SECRET: CREDENTIALS.secret,
    HTTP_PORT: '0',
    SYMBOLS: 'AAPL',
    RETRY_MS: '100',
    MAX_RETRY_MS: '400',
    CONNECT_LIMIT: '100',
    ...more,
  };
}

export class BotProcess extends JsonLineProcess<BotOutput> {
  /** @param maxAgeMs maximum age of the first symbol, which the bot reads in a loop */
  constructor(redisUrl: string, symbols: string, maxAgeMs: number) {
    super([BOT], { REDIS_URL: redisUrl, SYMBOLS: symbols, MAX_AGE_MS: String(maxAgeMs) }, 'stdout');
  }

  /** Waits for a line of that type; `from` skips the oldest lines. */
  async nextLine<T extends BotOutput['type']>(
    type: T,
    from = 0,
    matches: (line: Extract<BotOutput, { type: T }>) => boolean = () => true,
  ): Promise<Extract<BotOutput, { type: T }>> {
    type Line = Extract<BotOutput, { type: T }>;
    return (await this.lines.until((line) => line.type === type && matches(line as Line), from)) as Line;
  }

  linesOf<T extends BotOutput['type']>(type: T, from = 0): Extract<BotOutput, { type: T }>[] {
    return this.lines.all.slice(from).filter((line) => line.type === type) as Extract<
      BotOutput,
      { type: T }
    >[];
  }
}

/** A line of the bot process; see price-bot.fixture.ts. */
export type BotOutput =
  | { readonly type: 'listening' }
  | { readonly type: 'gap'; readonly cause: string; readonly epoch?: number; readonly from?: number }
  | { readonly type: 'verdict'; readonly key: string; readonly verdict: string; readonly reason: string }
  | { readonly type: 'instrument'; readonly key: string; readonly state: string; readonly detail?: string }
  | { readonly type: 'epoch'; readonly epoch: number; readonly seq: number; readonly at: number }
  | { readonly type: 'command'; readonly id: string }
  | { readonly type: 'accepts' }
  /** `oldestAcceptedMs`: the maximum age since arrival of the prices that were accepted before. */
  | { readonly type: 'refuses'; readonly verdict: string; readonly oldestAcceptedMs: number };
