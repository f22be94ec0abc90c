// Standard input and output with their rules: data to stdout, all else to stderr, colour only on a terminal.

import { styleText } from 'node:util';

/** What a process is given. */
export interface ProcessIo {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts when the process is asked to end; the reason is what to throw. */
  readonly signal: AbortSignal;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Output that a slow reader leaves waiting here may grow to so much; then lines are left out, and told of. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

export class Terminal {
  readonly #io: ProcessIo;
  readonly isQuiet: boolean;
  readonly isVerbose: boolean;
  #skipped = 0;

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

  /** Whether a person can be asked: both ends of a conversation are a terminal. */
  get canAsk(): boolean {
    return this.#io.stdin.isTTY === true && this.#io.stderr.isTTY === true;
  }

  /** Where questions are asked: not among the data. */
  get questions(): NodeJS.WriteStream {
    return this.#io.stderr;
  }

  /** Characters of a line of data; a pipe has no end of the line. */
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

  /** Data as it is. A reader that is too slow misses some of it, and is told. */
  data(chunk: string | Uint8Array): void {
    const { stdout } = this.#io;
    if (stdout.writableLength > MAX_WAITING_BYTES) {
      if (this.#skipped++ === 0) stdout.once('drain', () => this.#tellSkipped());
    } else stdout.write(chunk);
  }

  /** A remark; not with --quiet. */
  note(text: string): void {
    if (!this.isQuiet) this.#io.stderr.write(`${text}\n`);
  }

  /** Something that may be wrong; not with --quiet. */
  warn(text: string): void {
    this.note(`${this.onStderr('yellow', 'warning:')} ${text}`);
  }

  /** Why it failed. */
  error(text: string): void {
    this.#io.stderr.write(`${this.onStderr('red', 'tickbus:')} ${text}\n`);
  }

  /** What passes by on a terminal, such as a progress bar. */
  ephemeral(text: string): void {
    this.#io.stderr.write(text);
  }

  /** Characters of a line of what passes by. */
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

  /** Whether stdout takes colours: a terminal, and NO_COLOR (https://no-color.org) is not set. */
  get hasColor(): boolean {
    return isColourful(this.#io.stdout, this.#io.env);
  }

  #painted(stream: NodeJS.WriteStream, style: Style, text: string): string {
    return isColourful(stream, this.#io.env) ? styleText(style, text, { validateStream: false }) : text;
  }

  #tellSkipped(): void {
    this.warn(`${this.#skipped} lines were left out: whatever reads the output is too slow.`);
    this.#skipped = 0;
  }
}

function isColourful(stream: NodeJS.WriteStream, { NO_COLOR, TERM }: ProcessIo['env']): boolean {
  return stream.isTTY === true && !NO_COLOR && TERM !== 'dumb';
}
