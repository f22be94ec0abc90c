// A lease candidate in a separate process, which can be stopped and killed. It publishes after it first gains the
// lease.

import type { SentRecord } from '@tickbus/fault-kit/records';
import type { FaultChannel } from './fault-channels.ts';
import { TTL_MS } from './lease-candidate.ts';
import type { Testbed } from './testbed.ts';
import { WorkerProcess } from './worker-process.ts';
import type { HoldSettings } from './workers/hold.ts';

export interface WorkerCandidateOptions {
  /** The `sender` of its messages. */
  readonly name: string;
  /** The port to connect to. Default: the server or the group of the testbed. */
  readonly port?: number;
  /** See `WorkerOptions`. */
  readonly checkout?: string | undefined;
}

interface Sending extends Readonly<Record<string, unknown>> {
  readonly from: number;
  readonly to: number;
}

interface Settled extends Readonly<Record<string, unknown>> {
  readonly sent: SentRecord;
}

/** First message number of the first worker. It is higher than any number that this process uses. */
const FIRST_NUMBER = 1_000_000_000;
/** Count of message numbers that each worker may use. */
const NUMBERS_PER_WORKER = 1_000_000;
let workers = 0;

export class WorkerCandidate {
  readonly name: string;
  readonly process: WorkerProcess;
  readonly #testbed: Testbed;
  readonly #channel: FaultChannel;
  readonly #cancelKill: () => void;

  constructor(testbed: Testbed, channel: FaultChannel, options: WorkerCandidateOptions) {
    const { name, port, checkout } = options;
    const firstNumber = FIRST_NUMBER + workers++ * NUMBERS_PER_WORKER;
    const url = testbed.urlOf(port);
    const settings: HoldSettings = { url, channel: channel.name, name, ttlMs: TTL_MS, firstNumber };
    this.name = name;
    this.#testbed = testbed;
    this.#channel = channel;
    this.process = new WorkerProcess('hold', { ...settings }, { checkout });
    this.#cancelKill = testbed.atEnd(() => this.process.kill());
  }

  /** Resolves when the process gains the lease. Each call waits for another gain. */
  async untilGained(): Promise<void> {
    await this.process.receive('gained');
  }

  /**
   * Kills the process with SIGKILL or closes it in order, and adds its messages to the ledger of the testbed. A message
   * that the process announced, but did not report as settled, has an unknown outcome.
   *
   * @returns the messages of the process
   */
  async end(mode: 'kill' | 'close'): Promise<readonly SentRecord[]> {
    if (mode === 'kill') this.process.kill();
    else this.process.send({ type: 'end' });
    await this.process.closed();
    this.#cancelKill();
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
