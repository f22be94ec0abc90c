// A child process that runs a worker script and exchanges messages with this process.

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { within } from './wait.ts';

/** Settings of a worker script, and messages in both directions: plain data. */
type WorkerMessage = Readonly<Record<string, unknown>>;

export interface WorkerOptions {
  /** Additional environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** The arguments of a program. */
  readonly args?: readonly string[];
  /** Additional options of node. */
  readonly execArgv?: readonly string[];
  /** The folder of another checkout, whose library the script uses. Default: this one. */
  readonly checkout?: string | undefined;
}

/** Kept characters of the output. Only its end is kept, because a flood makes some programs log much. */
const KEPT_OUTPUT = 64 * 1024;

const OTHER_LIBRARY = ['--import', new URL('workers/other-library.ts', import.meta.url).href];

export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #inbox: WorkerMessage[] = [];
  readonly #name: string;
  readonly #exit: Promise<void>;
  readonly #closed: Promise<void>;
  #output = '';
  #outputBytes = 0;
  #onMessage: () => void = () => {};

  /**
   * @param script a file of `workers/` without extension, or the path of a program
   * @param settings the argument of a worker script; undefined: none, as for a program
   */
  constructor(script: string, settings?: WorkerMessage, options: WorkerOptions = {}) {
    const { env = {}, args = [], execArgv = [], checkout } = options;
    const library = checkout === undefined ? {} : { TICKBUS_CHECKOUT: checkout };
    this.#name = script;
    const file = script.endsWith('.ts')
      ? script
      : fileURLToPath(new URL(`workers/${script}.ts`, import.meta.url));
    this.#child = fork(file, settings === undefined ? args : [JSON.stringify(settings)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...env, ...library },
      execArgv: [...process.execArgv, ...(checkout === undefined ? [] : OTHER_LIBRARY), ...execArgv],
    });
    this.#exit = new Promise((resolve) => this.#child.once('exit', () => resolve()));
    this.#closed = new Promise((resolve) => this.#child.once('close', () => resolve()));
    this.#child.on('message', (message) => {
      this.#inbox.push(message as WorkerMessage);
      this.#onMessage();
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk) => {
        this.#outputBytes += chunk.length;
        this.#output = (this.#output + String(chunk)).slice(-KEPT_OUTPUT);
      });
    }
  }

  /** The last 64 Ki characters printed on stdout and stderr. */
  get output(): string {
    return this.#output;
  }

  /** The size of everything printed. */
  get outputBytes(): number {
    return this.#outputBytes;
  }

  send(message: WorkerMessage): void {
    this.#child.send(message);
  }

  /** Takes the next message of this type. @throws Error if the process exits first */
  async receive<T extends WorkerMessage>(type: string, ms?: number): Promise<T> {
    const found = (async () => {
      for (;;) {
        const index = this.#inbox.findIndex((message) => message.type === type);
        if (index >= 0) return this.#inbox.splice(index, 1)[0] as T;
        if (this.#child.exitCode !== null || this.#child.signalCode !== null)
          throw new Error(`The worker ${this.#name} exited early:\n${this.#output}`);
        await Promise.race([
          new Promise<void>((resolve) => {
            this.#onMessage = resolve;
          }),
          this.#exit,
        ]);
      }
    })();
    return within(`"${type}" from the worker ${this.#name}`, found, ms);
  }

  /** Resolves with the exit code; null after a signal. */
  async exited(ms?: number): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null)
      await within(`Exit of the worker ${this.#name}`, this.#exit, ms);
    return this.#child.exitCode;
  }

  /** Takes all remaining messages of this type. */
  takeAll<T extends WorkerMessage>(type: string): T[] {
    const taken = this.#inbox.filter((message) => message.type === type);
    for (const message of taken) this.#inbox.splice(this.#inbox.indexOf(message), 1);
    return taken as T[];
  }

  /** Resolves when the process has exited and all its messages have arrived. */
  closed(ms?: number): Promise<void> {
    return within(`Exit of the worker ${this.#name}`, this.#closed, ms);
  }

  /** Stops execution with SIGSTOP until `resume`. Connections stay open. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): void {
    this.#child.kill(signal);
  }
}
