// A candidate in a process of its own, which can be stopped and killed. It publishes by itself as soon as it has held the lease.

import type { SentRecord } from '@tickbus/fault-kit/records';
import type { NoteChannel } from './fault-channels.ts';
import { TTL_MS } from './lease-candidate.ts';
import type { Testbed } from './testbed.ts';
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
  readonly sent: SentRecord;
}

/** Above all numbers of this process, and how many one worker may use. */
const FIRST = 1_000_000_000;
const RANGE = 1_000_000;
let ranges = 0;

export class WorkerCandidate {
  readonly name: string;
  readonly process: WorkerProcess;
  readonly #testbed: Testbed;
  readonly #channel: NoteChannel;
  readonly #forget: () => void;

  constructor(testbed: Testbed, channel: NoteChannel, options: WorkerCandidateOptions) {
    const { name, port = testbed.redis.port } = options;
    const firstNumber = FIRST + ranges++ * RANGE;
    const settings: HoldSettings = { port, channel: channel.name, name, ttlMs: TTL_MS, firstNumber };
    this.name = name;
    this.#testbed = testbed;
    this.#channel = channel;
    this.process = new WorkerProcess('hold', { ...settings });
    this.#forget = testbed.atEnd(() => this.process.kill());
  }

  /** Resolves when it has gained the lease, once more than when this was awaited before. */
  async untilGained(): Promise<void> {
    await this.process.receive('gained');
  }

  /**
   * Ends it, at once or in order, and puts all that it sent into the ledger of the testbed. What it was about to publish and did not report
   * is of unknown outcome.
   *
   * @returns what it sent
   */
  async end(how: 'kill' | 'close'): Promise<readonly SentRecord[]> {
    if (how === 'kill') this.process.kill();
    else this.process.send({ type: 'end' });
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
    this.#testbed.ledger.merge(sent);
    return sent;
  }

  #unknown(n: number): SentRecord {
    return { n, channel: this.#channel.name, key: 'A', outcome: 'unknown', position: undefined };
  }
}
