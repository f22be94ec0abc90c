// Starts a measured process, calls its operations over the process channel, and kills the process at the end.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Operations, WorkerRequest, WorkerResponse } from './worker.ts';

type Argument<O extends keyof Operations> = Parameters<Operations[O]>[0];
type OperationResult<O extends keyof Operations> = Awaited<ReturnType<Operations[O]>>;

interface PendingCall {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** Built by `compile`, so that plain node runs without a loader. */
const PROGRAM = fileURLToPath(new URL('./build/benchmarks/worker.js', import.meta.url));

/** The running processes, which are killed when the harness exits. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One process. A failed call rejects with the error of the process. If the process exits, all pending calls reject. */
export class BenchWorker implements AsyncDisposable {
  readonly #role: string;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, PendingCall>();
  #calls = 0;

  constructor(role: string) {
    this.#role = role;
    this.#child = fork(PROGRAM, {
      execArgv: ['--expose-gc', ...(process.env.TICKBUS_BENCH_NODE_OPTIONS?.split(' ') ?? [])],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (response: WorkerResponse) => this.#settle(response));
    this.#child.once('exit', (code, signal) => this.#fail(`exited (${signal ?? code})`));
    this.#child.once('error', (error) => this.#fail(error.message));
    running.add(this.#child);
    this.#child.once('exit', () => running.delete(this.#child));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  call<O extends keyof Operations>(operation: O, argument: Argument<O>): Promise<OperationResult<O>> {
    const id = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (result: unknown) => void, reject });
      this.#child.send(
        { id, operation, argument } satisfies WorkerRequest,
        (error) => error && this.#fail(error.message),
      );
    });
  }

  /** Stops execution with SIGSTOP. Connections stay open, but nothing reads them. */
  stop(): void {
    this.#child.kill('SIGSTOP');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  #settle({ id, result, error }: WorkerResponse): void {
    const call = this.#pending.get(id);
    this.#pending.delete(id);
    if (error === undefined) call?.resolve(result);
    else call?.reject(new Error(`The ${this.#role} failed: ${error}`));
  }

  #fail(what: string): void {
    for (const { reject } of this.#pending.values()) reject(new Error(`The ${this.#role} process ${what}.`));
    this.#pending.clear();
  }
}
