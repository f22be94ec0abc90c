// The measured processes of one participant: started, asked over their process channel, and always ended.

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

/** Built by `compile`, so that plain node runs what is published, without a loader in between. */
const PROGRAM = fileURLToPath(new URL('./build/benchmarks/worker.js', import.meta.url));

/** None outlives the harness. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One process. A call that fails rejects with what the process said; all rejects when the process ends. */
export class BenchWorker implements AsyncDisposable {
  readonly #role: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PendingCall>();
  #calls = 0;

  constructor(role: string) {
    this.#role = role;
    this.#child = fork(PROGRAM, {
      execArgv: ['--expose-gc', ...(process.env.TICKBUS_BENCH_NODE_OPTIONS?.split(' ') ?? [])],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (response: WorkerResponse) => this.#settle(response));
    this.#child.once('exit', (code, signal) => this.#fail(`ended (${signal ?? code})`));
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
      this.#waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
      this.#child.send(
        { id, operation, argument } satisfies WorkerRequest,
        (error) => error && this.#fail(error.message),
      );
    });
  }

  /** SIGSTOP: it keeps its connections and reads nothing any more. */
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
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(`The ${this.#role} failed: ${error}`));
  }

  #fail(what: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(`The ${this.#role} process ${what}.`));
    this.#waiting.clear();
  }
}
