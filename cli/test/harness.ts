// Runs the command under test: as a process (piped, or in a pseudo-terminal), or within this process.

import { type ChildProcess, spawn } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { type LocalRedis, type LocalRedisOptions, startLocalRedis } from '@tickbus/local-redis';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { afterAll, beforeAll } from 'vitest';
import { run } from '../program.ts';

const running = new Set<ChildProcess>();
/** The file to run with node. launcher.test.ts tests the launcher of the repository. */
export const COMMAND = await bundledProgram(new URL('../main.ts', import.meta.url));

/** The server of a test file. */
export interface TestServer {
  readonly redis: LocalRedis;
  /** Environment with the address of the server. */
  env(): { readonly REDIS_URL: string };
  /** Publishes with `tickbus pub`. */
  publish(channel: string, data: object): Promise<CommandOutput>;
}

/** Provides a private server to all tests of a file. Call it at the top of the file. */
export function withServer(options: LocalRedisOptions = {}): TestServer {
  let redis: LocalRedis | undefined;
  beforeAll(async () => {
    redis = await startLocalRedis(options);
  });
  afterAll(async () => {
    killCommands();
    await redis?.kill();
  });
  const server: TestServer = {
    get redis() {
      if (redis === undefined)
        throw new Error('The test server has not started yet. Use it only after beforeAll() has run.');
      return redis;
    },
    env: () => ({ REDIS_URL: server.redis.url }),
    publish: (channel, data) => call(['pub', channel, JSON.stringify(data), '-q'], { env: server.env() }),
  };
  return server;
}

/** Kills the processes that failed tests left running. */
export function killCommands(): void {
  for (const child of running) child.kill('SIGKILL');
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The whole content of stdin. If undefined, stdin is empty; in a terminal, it then stays open. */
  readonly input?: string;
  readonly cwd?: string;
}

export interface CommandOutput {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command as a process. Resolves after its exit. */
export function tickbus(args: readonly string[], options: CliOptions = {}): Promise<CommandOutput> {
  return startTickbus(args, options).ended;
}

export function startTickbus(args: readonly string[], options: CliOptions = {}): RunningCommand {
  return new RunningCommand(process.execPath, [COMMAND, ...args], options);
}

/**
 * Runs the command in a pseudo-terminal of script(1) from util-linux, 100 columns wide by default. `stdout` is the
 * screen and includes stderr.
 */
export function startInTerminal(
  args: readonly string[],
  { main = COMMAND, columns = 100, ...options }: CliOptions & { main?: string; columns?: number } = {},
): RunningCommand {
  const command = [process.execPath, main, ...args].map(quoted).join(' ');
  return new RunningCommand(
    'script',
    ['-qefc', `stty cols ${columns} rows 40; exec ${command}`, '/dev/null'],
    options,
    true,
  );
}

export class RunningCommand {
  readonly ended: Promise<CommandOutput>;
  readonly #child: ChildProcess;
  readonly #watchers = new Set<() => void>();
  stdout = '';
  stderr = '';

  constructor(
    command: string,
    args: readonly string[],
    { env = {}, input, cwd }: CliOptions,
    keepOpen = false,
  ) {
    const child = spawn(command, args, {
      env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent', TERM: 'xterm', ...env },
      stdio: [keepOpen || input !== undefined ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
    });
    this.#child = child;
    running.add(child);
    if (input !== undefined) child.stdin?.end(input);
    child.stdin?.on('error', () => {});
    child.stdout?.on('data', (chunk) => this.#onOutput(() => (this.stdout += String(chunk))));
    child.stderr?.on('data', (chunk) => this.#onOutput(() => (this.stderr += String(chunk))));
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => {
        running.delete(child);
        resolve({ code, stdout: this.stdout, stderr: this.stderr });
        this.#onOutput(() => {});
      });
    });
  }

  /** Resolves when stdout matches. Rejects if the process exits first. */
  out(pattern: RegExp): Promise<void> {
    return this.#until(() => pattern.test(this.stdout), pattern);
  }

  err(pattern: RegExp): Promise<void> {
    return this.#until(() => pattern.test(this.stderr), pattern);
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Closes the reading end of stdout. */
  closeOutput(): void {
    this.#child.stdout?.destroy();
  }

  #until(matches: () => boolean, pattern: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (matches()) resolve();
        else if (this.#child.exitCode !== null && !running.has(this.#child))
          reject(new Error(`The process exited without ${pattern}:\n${this.stdout}\n${this.stderr}`));
        else return;
        this.#watchers.delete(check);
      };
      this.#watchers.add(check);
      check();
    });
  }

  #onOutput(append: () => void): void {
    append();
    for (const check of [...this.#watchers]) check();
  }
}

export interface CallOptions extends CliOptions {
  /** Whether stdin, stdout and stderr pretend to be a terminal. */
  readonly terminal?: boolean;
  /** Width of the terminal. Default 100. */
  readonly columns?: number;
  readonly signal?: AbortSignal;
  /** Called after each chunk on stdout. */
  readonly onOutput?: () => void;
  /** Called after each chunk on stderr. */
  readonly onStderr?: () => void;
}

/** Runs the command within this process. */
export async function call(args: readonly string[], options: CallOptions = {}): Promise<CommandOutput> {
  const {
    env = {},
    input = '',
    terminal = false,
    columns = 100,
    signal = new AbortController().signal,
  } = options;
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  if (terminal) for (const stream of [stdin, stdout, stderr]) Object.assign(stream, { isTTY: true, columns });
  stdin.end(input);
  const texts = [textOf(stdout, options.onOutput), textOf(stderr, options.onStderr)];
  const code = await run(args, {
    stdin: stdin as unknown as NodeJS.ReadStream,
    stdout: stdout as unknown as NodeJS.WriteStream,
    stderr: stderr as unknown as NodeJS.WriteStream,
    env,
    signal,
  });
  stdout.end();
  stderr.end();
  const [out = '', err = ''] = await Promise.all(texts);
  return { code, stdout: out, stderr: err };
}

async function textOf(stream: PassThrough, onChunk: () => void = () => {}): Promise<string> {
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    onChunk();
  }
  return text;
}

export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

const COLOURS = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');

export function withoutColours(text: string): string {
  return text.replace(COLOURS, '');
}

/** Whether the text has control characters other than line feeds. */
export function hasControl(text: string): boolean {
  return /[\p{Cc}\p{Bidi_Control}]/u.test(text.replaceAll('\n', ''));
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
