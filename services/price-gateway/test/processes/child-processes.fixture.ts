// Gateways and bots as processes of their own, and what they say.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { CREDENTIALS, ReceivedValues } from '../gateway.fixture.ts';

const GATEWAY = fileURLToPath(new URL('../../main.ts', import.meta.url));
const BOT = fileURLToPath(new URL('./price-bot.fixture.ts', import.meta.url));
const CLOCK = new URL('./movable-clock.fixture.ts', import.meta.url).href;
const TSX = import.meta.resolve('tsx');

/** One line of a log. */
export interface GatewayLogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A program whose lines are JSON. */
class JsonLineProcess<Line> {
  readonly child: ChildProcess;
  readonly lines = new ReceivedValues<Line>();
  /** Exit code and signal. */
  readonly exit: Promise<readonly [number | null, NodeJS.Signals | null]>;

  /** @param speaksOn where its lines come out */
  constructor(args: readonly string[], env: Readonly<Record<string, string>>, speaksOn: 'stdout' | 'stderr') {
    this.child = spawn(process.execPath, ['--import', TSX, '--import', CLOCK, ...args], {
      env: { PATH: process.env.PATH ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exit = once(this.child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    const { stdout, stderr } = this.child as { stdout: Readable; stderr: Readable };
    const [said, other] = speaksOn === 'stdout' ? [stdout, stderr] : [stderr, stdout];
    createInterface({ input: said }).on('line', (line) => this.lines.add(parse(line)));
    other.pipe(process.stderr);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** SIGKILL; safe where it has ended already. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    // One that is stopped does not die before it goes on.
    this.child.kill('SIGKILL');
    await this.exit;
  }
}

function parse<Line>(line: string): Line {
  try {
    return JSON.parse(line) as Line;
  } catch {
    throw new Error(`A line that is no JSON: ${line}`);
  }
}

export class GatewayProcess extends JsonLineProcess<GatewayLogLine> {
  constructor(env: Readonly<Record<string, string>>) {
    super([GATEWAY], env, 'stderr');
  }

  /** What it last said of itself. */
  get role(): string | undefined {
    const said = this.lines.all.findLast(({ msg }) => /^The gateway is \w+\.$/.test(msg));
    return said?.msg.slice('The gateway is '.length, -1);
  }

  /** Waits until it says so; `from` skips the oldest lines. */
  async waitForRole(role: 'standby' | 'active', from = 0): Promise<void> {
    await this.lines.until(({ msg }) => msg === `The gateway is ${role}.`, from);
  }
}

/** The settings of a gateway on the simulated broker: quick to try again, and the lease of the default, 3 s. */
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
  /** @param maxAgeMs the bound for the first of the symbols, which it reads in a loop */
  constructor(redisUrl: string, symbols: string, maxAgeMs: number) {
    super([BOT], { REDIS_URL: redisUrl, SYMBOLS: symbols, MAX_AGE_MS: String(maxAgeMs) }, 'stdout');
  }

  /** Waits for a line of that type; `from` skips the oldest lines. */
  async nextLine<T extends BotOutput['type']>(
    type: T,
    from = 0,
    isWanted: (line: Extract<BotOutput, { type: T }>) => boolean = () => true,
  ): Promise<Extract<BotOutput, { type: T }>> {
    type Line = Extract<BotOutput, { type: T }>;
    return (await this.lines.until((line) => line.type === type && isWanted(line as Line), from)) as Line;
  }

  /** The lines of that type. */
  linesOf<T extends BotOutput['type']>(type: T, from = 0): Extract<BotOutput, { type: T }>[] {
    return this.lines.all.slice(from).filter((line) => line.type === type) as Extract<
      BotOutput,
      { type: T }
    >[];
  }
}

/** What the bot process says; see bot.ts. */
export type BotOutput =
  | { readonly type: 'listening' }
  | { readonly type: 'gap'; readonly cause: string; readonly epoch?: number; readonly from?: number }
  | { readonly type: 'verdict'; readonly key: string; readonly verdict: string; readonly reason: string }
  | { readonly type: 'instrument'; readonly key: string; readonly state: string; readonly detail?: string }
  | { readonly type: 'epoch'; readonly epoch: number; readonly seq: number; readonly at: number }
  | { readonly type: 'command'; readonly id: string }
  | { readonly type: 'accepts' }
  /** `oldestAcceptedMs`: how long ago the oldest price that was accepted until now had arrived. */
  | { readonly type: 'refuses'; readonly verdict: string; readonly oldestAcceptedMs: number };
