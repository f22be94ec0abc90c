// Standard streams: data goes to stdout, everything else to stderr, colour only to a terminal.

import { styleText } from 'node:util';

/** Streams, environment and abort signal of the process. */
export interface ProcessIo {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts on a termination signal; its reason is the error to throw. */
  readonly signal: AbortSignal;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Limit of the output buffer for a slow reader. Beyond it lines are dropped and counted. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;

export class Terminal {
  readonly #io: ProcessIo;
  readonly isQuiet: boolean;
  readonly isVerbose: boolean;
  #dropped = 0;

  constructor(io: ProcessIo, { quiet = false, verbose = false }: { quiet?: boolean; verbose?: boolean }) {
    this.#io = io;
    this.isQuiet = quiet;
    this.isVerbose = verbose;
  }

  get stdin(): NodeJS.ReadStream {
    return this.#io.stdin;
  }

  /** Whether a person reads stdout. */
  get isInteractive(): boolean {
    return this.#io.stdout.isTTY === true;
  }

  /** Whether a prompt works: stdin and stderr are both a terminal. */
  get canPrompt(): boolean {
    return this.#io.stdin.isTTY === true && this.#io.stderr.isTTY === true;
  }

  /** The stream for prompts: stderr, separate from the data. */
  get promptStream(): NodeJS.WriteStream {
    return this.#io.stderr;
  }

  /** Width of stdout in characters; infinite for a pipe. */
  get columns(): number {
    return this.isInteractive ? this.#io.stdout.columns || 80 : Number.POSITIVE_INFINITY;
  }

  get rows(): number {
    return this.#io.stdout.rows || 24;
  }

  /** A line of data. */
  line(text: string): void {
    this.data(`${text}\n`);
  }

  /** Writes data unchanged. A slow reader loses lines and gets a warning. */
  data(chunk: string | Uint8Array): void {
    const { stdout } = this.#io;
    if (stdout.writableLength > MAX_BUFFERED_BYTES) {
      if (this.#dropped++ === 0) stdout.once('drain', () => this.#reportDropped());
    } else stdout.write(chunk);
  }

  /** A note; suppressed by --quiet. */
  note(text: string): void {
    if (!this.isQuiet) this.#io.stderr.write(`${text}\n`);
  }

  /** A warning; suppressed by --quiet. */
  warn(text: string): void {
    this.note(`${this.onStderr('yellow', 'warning:')} ${text}`);
  }

  /** Prints why a command failed. */
  error(text: string): void {
    this.#io.stderr.write(`${this.onStderr('red', 'tickbus:')} ${text}\n`);
  }

  /** Text that is overwritten later, such as a progress bar. */
  ephemeral(text: string): void {
    this.#io.stderr.write(text);
  }

  /** Width of stderr in characters. */
  get progressColumns(): number {
    return this.#io.stderr.columns || 80;
  }

  get showsProgress(): boolean {
    return this.#io.stderr.isTTY === true && !this.isQuiet;
  }

  paint(style: Style, text: string): string {
    return this.#painted(this.#io.stdout, style, text);
  }

  onStderr(style: Style, text: string): string {
    return this.#painted(this.#io.stderr, style, text);
  }

  /** Whether stdout shows colours: it is a terminal, and NO_COLOR (https://no-color.org) is not set. */
  get hasColor(): boolean {
    return hasColours(this.#io.stdout, this.#io.env);
  }

  #painted(stream: NodeJS.WriteStream, style: Style, text: string): string {
    return hasColours(stream, this.#io.env) ? styleText(style, text, { validateStream: false }) : text;
  }

  #reportDropped(): void {
    this.warn(`Dropped ${this.#dropped} lines: the reader of the output is too slow.`);
    this.#dropped = 0;
  }
}

function hasColours(stream: NodeJS.WriteStream, { NO_COLOR, TERM }: ProcessIo['env']): boolean {
  return stream.isTTY === true && !NO_COLOR && TERM !== 'dumb';
}
