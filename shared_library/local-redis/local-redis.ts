// A private Redis server on a free loopback port, for tests, demos and benchmarks.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/** Suitable servers, in order of preference. */
const PROGRAMS = ['redis-server', 'valkey-server'] as const;
const START_TIMEOUT_MS = 10_000;
const FIRST_PORT = 12_000;
const LAST_PORT = 32_000;
/** The ports of a process have the same remainder. It chooses each of them in turn, so none is given to two callers. */
const PORT_STEP = 32;
const PORT_COUNT = (LAST_PORT - FIRST_PORT) / PORT_STEP;
let chosen = randomInt(PORT_COUNT);
const PORT_ATTEMPTS = 50;
/** Starts a program that the kernel kills when its parent exits (PR_SET_PDEATHSIG of prctl). */
const PARENT_DEATH_SIGNAL = ['setpriv', '--pdeathsig', 'KILL', '--'] as const;
/** The command that starts the server program: `PARENT_DEATH_SIGNAL`, or empty if that does not work here. */
let launcher: readonly string[] | undefined;
/** The server programs found, by PATH. */
const found = new Map<string, string>();
/** The running servers. One exit listener kills all of them. */
const running = new Set<ChildProcess>();
/** The data directories that have not been removed. */
const directories = new Set<string>();

export interface LocalRedisOptions {
  /** Default: a free port. */
  port?: number;
  /** Additional arguments, such as `['--requirepass', 'secret']`. */
  args?: readonly string[];
  /**
   * Whether the server has a temporary data directory, `dataDir`, that survives `kill` and `stop`. The server saves
   * only if `args` configure it (`['--appendonly', 'yes']`) or a client sends SAVE. Default false: a restart loses all
   * data.
   */
  keepsData?: boolean;
  /**
   * Starts a sentinel instead, with these lines of configuration, such as `sentinel monitor mymaster 127.0.0.1 6379 2`.
   * It keeps what it learns in its data directory.
   */
  sentinel?: readonly string[];
}

/** The name of a Redis server program on PATH; undefined if there is none. */
export function findRedisServer(): string | undefined {
  const { PATH = '' } = process.env;
  const program = found.get(PATH) ?? PROGRAMS.find((one) => works(one, '--version'));
  if (program !== undefined) found.set(PATH, program);
  return program;
}

/**
 * Starts a server on 127.0.0.1, by default without persistence. Resolves when it accepts connections.
 *
 * @throws Error if no server is on PATH, or if it does not start within 10 s (with its output)
 */
export async function startLocalRedis(options: LocalRedisOptions = {}): Promise<LocalRedis> {
  const program = findRedisServer();
  if (program === undefined)
    throw new Error(
      'Cannot start a Redis server: neither redis-server nor valkey-server is on PATH. ' +
        'Install one: apt-get install redis-server',
    );
  const { args = [], sentinel, keepsData = sentinel !== undefined } = options;
  const dataDir = keepsData ? temporaryDirectory() : undefined;
  const server = new LocalRedis(program, options.port ?? (await freePort()), args, dataDir, sentinel);
  await server.start();
  return server;
}

/**
 * A port that is free at the time of the call. It is below the range from which the operating system assigns ports, so
 * that no connection takes it before the caller does. Processes with neighbouring ids choose from different ports, so
 * that none takes it either.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt += 1) {
    chosen = (chosen + 1) % PORT_COUNT;
    const port = FIRST_PORT + PORT_STEP * chosen + (process.pid % PORT_STEP);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error(
    `Cannot find a free port: none of ${PORT_ATTEMPTS} between ${FIRST_PORT} and ${LAST_PORT} was free.`,
  );
}

export class LocalRedis implements AsyncDisposable {
  readonly program: string;
  readonly host = '127.0.0.1';
  readonly port: number;
  /** The data directory; undefined without `keepsData`. Removed on disposal and when this process exits. */
  readonly dataDir: string | undefined;
  readonly #args: readonly string[];
  /** Its configuration file, if it is a sentinel. The sentinel rewrites the file. */
  readonly #sentinelFile: string | undefined;
  #process: ChildProcess | undefined;

  constructor(
    program: string,
    port: number,
    args: readonly string[],
    dataDir?: string,
    sentinel?: readonly string[],
  ) {
    this.program = program;
    this.port = port;
    this.dataDir = dataDir;
    this.#args = args;
    if (sentinel === undefined || dataDir === undefined) return;
    this.#sentinelFile = join(dataDir, 'sentinel.conf');
    writeFileSync(this.#sentinelFile, sentinel.map((line) => `${line}\n`).join(''));
  }

  get url(): string {
    return `redis://${this.host}:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get isRunning(): boolean {
    return this.#process !== undefined && !hasExited(this.#process);
  }

  /** Starts or restarts the server on the same port, with the data of `dataDir` if there is one. */
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
      // A replica gets its copy at once. By default the master waits 5 s for more replicas.
      '--repl-diskless-sync-delay',
      '0',
      ...(this.dataDir === undefined ? this.#withoutData() : ['--dir', this.dataDir]),
    ];
    const mode = this.#sentinelFile === undefined ? [] : [this.#sentinelFile, '--sentinel'];
    const all = [...parentDeathLauncher(), this.program, ...mode, ...fixed, ...this.#args];
    const [command, ...args] = all as [string, ...string[]];
    // A separate process group: Ctrl-C reaches only the parent, which then stops the server in order.
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.#process = child;
    killOnExit(child);
    const output: string[] = [];
    child.stdout.on('data', (chunk) => output.push(String(chunk)));
    child.stderr.on('data', (chunk) => output.push(String(chunk)));
    const failed = new Promise<never>((_, reject) => {
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`${this.program} exited at startup:\n${output.join('')}`)));
    });
    failed.catch(() => {});
    try {
      await Promise.race([this.#acceptsConnections(child), failed]);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** Without `swapdb`, a replica writes a file, which the next server in that folder would load as its own data. */
  #withoutData(): string[] {
    return ['--dir', '/', '--dbfilename', `tickbus-${this.port}.rdb`, '--repl-diskless-load', 'swapdb'];
  }

  /** Stops the server with SIGTERM. */
  stop(): Promise<void> {
    return this.#terminate('SIGTERM');
  }

  /** Kills the server with SIGKILL, as a crash does. */
  kill(): Promise<void> {
    return this.#terminate('SIGKILL');
  }

  /** Stops execution with SIGSTOP until `resume`. Connections stay open. */
  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Sends inline commands, such as `ACL SETUSER bot on >secret`, and returns the raw replies. */
  async answers(...commands: string[]): Promise<string> {
    const plain = connectTcp(this.port, this.host);
    plain.end(commands.map((command) => `${command}\r\n`).join(''));
    return text(plain);
  }

  /** Kills the server and removes its data directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    if (this.dataDir !== undefined) removeDirectory(this.dataDir);
  }

  async #terminate(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.pid === undefined || hasExited(child)) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  async #acceptsConnections(child: ChildProcess): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (performance.now() < deadline && !hasExited(child)) {
      const socket = connectTcp(this.port, this.host);
      const isOpen = await once(socket, 'connect').then(
        () => true,
        () => false,
      );
      socket.destroy();
      if (isOpen) return;
      await sleep(20);
    }
    throw new Error(
      `${this.program} accepted no connection on port ${this.port} within ${START_TIMEOUT_MS} ms.`,
    );
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
  killAll();
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

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** A server must not outlive the process that started it. */
function killOnExit(child: ChildProcess): void {
  if (running.size === 0) process.on('exit', killAll);
  running.add(child);
  const remove = () => {
    if (running.delete(child) && running.size === 0) process.off('exit', killAll);
  };
  child.once('exit', remove);
  child.once('error', remove);
}

function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** On Linux, setpriv of util-linux lets the kernel kill the server even if this process dies of SIGKILL. */
function parentDeathLauncher(): readonly string[] {
  launcher ??=
    process.platform === 'linux' && works(...PARENT_DEATH_SIGNAL, 'true') ? PARENT_DEATH_SIGNAL : [];
  return launcher;
}
