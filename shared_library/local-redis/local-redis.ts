// A private Redis server of this machine, on a free port of the loopback, for tests, demos and benchmarks.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/** The servers that will do, the first one found is used. */
const PROGRAMS = ['redis-server', 'valkey-server'] as const;
const START_TIMEOUT_MS = 10_000;
/** Starts a program that is killed when its parent ends (prctl's PR_SET_PDEATHSIG). */
const TIED = ['setpriv', '--pdeathsig', 'KILL', '--'] as const;
/** What a server is started through here: `TIED`, or nothing where that does not work. */
let launcher: readonly string[] | undefined;
/** The servers that run now; one listener ends them all with this process, whatever their number. */
const running = new Set<ChildProcess>();
/** The data directories that have not been removed. */
const directories = new Set<string>();

export interface LocalRedisOptions {
  /** Default: a free one. */
  port?: number;
  /** More arguments, as in `['--requirepass', 'secret']`. */
  args?: readonly string[];
  /**
   * Gives the server a temporary data directory, `dataDir`: what it saves there survives `kill` and `stop`. It saves nothing by itself
   * unless `args` say so (`['--appendonly', 'yes']`) or a client sends SAVE. Default false: no directory, and a restart forgets everything.
   */
  keepsData?: boolean;
}

/** The program of a Redis server on PATH; undefined when there is none. */
export function findRedisServer(): string | undefined {
  return PROGRAMS.find((program) => works(program, '--version'));
}

/**
 * Starts a server without persistence, of 127.0.0.1 only; resolves when it takes connections.
 *
 * @throws Error when no server is on PATH, or it does not come up within 10 s (with what it printed)
 */
export async function startLocalRedis(options: LocalRedisOptions = {}): Promise<LocalRedis> {
  const program = findRedisServer();
  if (program === undefined)
    throw new Error('No redis-server or valkey-server is on PATH. Install one: apt-get install redis-server');
  const dataDir = options.keepsData ? temporaryDirectory() : undefined;
  const server = new LocalRedis(program, options.port ?? (await freePort()), options.args ?? [], dataDir);
  await server.start();
  return server;
}

/** A port that nothing listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('The system gave no port.');
  return address.port;
}

export class LocalRedis implements AsyncDisposable {
  readonly program: string;
  readonly host = '127.0.0.1';
  readonly port: number;
  /** Where it saves what survives a restart; undefined unless it `keepsData`. Removed by disposal and at the end of this process. */
  readonly dataDir: string | undefined;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;

  constructor(program: string, port: number, args: readonly string[], dataDir?: string) {
    this.program = program;
    this.port = port;
    this.dataDir = dataDir;
    this.#args = args;
  }

  get url(): string {
    return `redis://${this.host}:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts it, or starts it again after `stop` or `kill`, on the same port, with what `dataDir` holds or with nothing. */
  async start(): Promise<void> {
    const fixed = [
      '--port',
      String(this.port),
      '--bind',
      this.host,
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      this.dataDir ?? '/',
    ];
    const [command, ...args] = [...tiedToThisProcess(), this.program, ...fixed, ...this.#args] as [
      string,
      ...string[],
    ];
    // In a process group of its own, so that Ctrl-C reaches only the program that started it, which then ends it in order.
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.#process = child;
    endWithThisProcess(child);
    const output: string[] = [];
    child.stdout.on('data', (chunk) => output.push(String(chunk)));
    child.stderr.on('data', (chunk) => output.push(String(chunk)));
    const failed = new Promise<never>((_, reject) => {
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`${this.program} ended at once:\n${output.join('')}`)));
    });
    failed.catch(() => {});
    try {
      await Promise.race([this.#reachable(child), failed]);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** Lets it end by itself. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** Ends it at once, as a crash does. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** SIGSTOP: it keeps its connections and says nothing, until `resume`. */
  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  /** What it says, as it comes over the wire, to a plain client with these commands: `ACL SETUSER bot on >secret`. */
  async answers(...commands: string[]): Promise<string> {
    const plain = connectTcp(this.port, this.host);
    plain.end(commands.map((command) => `${command}\r\n`).join(''));
    return text(plain);
  }

  /** Ends it and removes its data directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    if (this.dataDir !== undefined) removeDirectory(this.dataDir);
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.pid === undefined || hasEnded(child)) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  async #reachable(child: ChildProcess): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (performance.now() < deadline && !hasEnded(child)) {
      const socket = connectTcp(this.port, this.host);
      const isOpen = await once(socket, 'connect').then(
        () => true,
        () => false,
      );
      socket.destroy();
      if (isOpen) return;
      await sleep(20);
    }
    throw new Error(`${this.program} took no connection on port ${this.port} within ${START_TIMEOUT_MS} ms.`);
  }
}

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tickbus-redis-'));
  if (directories.size === 0) process.on('exit', removeAll);
  directories.add(directory);
  return directory;
}

function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  if (directories.delete(directory) && directories.size === 0) process.off('exit', removeAll);
}

function removeAll(): void {
  endAll();
  for (const directory of directories) rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
}

function works(program: string, ...args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** A server that outlives the process that started it would be nobody's. */
function endWithThisProcess(child: ChildProcess): void {
  if (running.size === 0) process.on('exit', endAll);
  running.add(child);
  const forget = () => {
    if (running.delete(child) && running.size === 0) process.off('exit', endAll);
  };
  child.once('exit', forget);
  child.once('error', forget);
}

function endAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** On Linux the kernel ends the server even where this process is killed with -9 and no listener can run: `setpriv`, of util-linux. */
function tiedToThisProcess(): readonly string[] {
  launcher ??= process.platform === 'linux' && works(...TIED, 'true') ? TIED : [];
  return launcher;
}
