// A candidate in a process of its own, which can be stopped and killed. It publishes by itself as soon as it has held the lease.

import type { Sent } from '@tickbus/fault-kit/records';
import { TTL_MS } from './candidate.ts';
import type { NoteChannel } from './channels.ts';
import type { Stage } from './stage.ts';
import { WorkerProcess } from './worker-process.ts';
import type { HoldSettings } from './workers/hold.ts';

export interface WorkerCandidateOptions {
  /** The `sender` of its messages. */
  readonly name: string;
  /** Where it connects to. Default: the server itself. */
  readonly port?: number;
}

interface Sending extends Readonly<Record<string, unknown>> {
  readonly from: number;
  readonly to: number;
}

interface Settled extends Readonly<Record<string, unknown>> {
  readonly sent: Sent;
}

/** Above all numbers of this process, and how many one worker may use. */
const FIRST = 1_000_000_000;
const RANGE = 1_000_000;
let ranges = 0;

export class WorkerCandidate {
  readonly name: string;
  readonly process: WorkerProcess;
  readonly #stage: Stage;
  readonly #channel: NoteChannel;
  readonly #forget: () => void;

  constructor(stage: Stage, channel: NoteChannel, options: WorkerCandidateOptions) {
    const { name, port = stage.redis.port } = options;
    const firstNumber = FIRST + ranges++ * RANGE;
    const settings: HoldSettings = { port, channel: channel.name, name, ttlMs: TTL_MS, firstNumber };
    this.name = name;
    this.#stage = stage;
    this.#channel = channel;
    this.process = new WorkerProcess('hold', { ...settings });
    this.#forget = stage.atEnd(() => this.process.kill());
  }

  /** Resolves when it has gained the lease, once more than when this was awaited before. */
  async gains(): Promise<void> {
    await this.process.hears('gained');
  }

  /**
   * Ends it, at once or in order, and puts all that it sent into the ledger of the stage. What it was about to publish and did not report
   * is of unknown outcome.
   *
   * @returns what it sent
   */
  async end(how: 'kill' | 'close'): Promise<readonly Sent[]> {
    if (how === 'kill') this.process.kill();
    else this.process.say({ type: 'end' });
    await this.process.closed();
    this.#forget();
    const settled = new Map(this.process.takeAll<Settled>('sent').map(({ sent }) => [sent.n, sent]));
    const sent = this.process
      .takeAll<Sending>('sending')
      .flatMap(({ from, to }) =>
        Array.from(
          { length: to - from + 1 },
          (_, index) => settled.get(from + index) ?? this.#unknown(from + index),
        ),
      );
    this.#stage.ledger.merge(sent);
    return sent;
  }

  #unknown(n: number): Sent {
    return { n, channel: this.#channel.name, key: 'A', outcome: 'unknown', position: undefined };
  }
}
