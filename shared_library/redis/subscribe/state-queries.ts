// Queries the server for the state of one channel: its kept messages for a recovery, and at intervals its head (the
// position of its newest message).

import type { Channel } from '../channel/channel.ts';
import type { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { ChannelHead, ChannelState, FenceToken, Transport } from '../transport/port.ts';
import type { Position } from '../wire/position.ts';

export interface StateQueriesOptions {
  readonly channel: Channel;
  readonly transport: Pick<Transport, 'read' | 'head'>;
  readonly clock: Clock;
  /** The position of the subscriber. */
  readonly position: () => Position;
  /** The keys whose last values the subscriber needs; undefined: all. Default: all. */
  readonly keys?: (() => ReadonlySet<string> | undefined) | undefined;
  /** The head matches: all messages up to it have been received. */
  readonly onHeadMatch: (head: Position) => void;
  /** Messages were lost, or the channel was reset. */
  readonly onHeadMismatch: () => void;
  /** The head is below the position at the request: all messages above the head are forged. */
  readonly onHeadBelow: (head: Position) => void;
  /** The server answered a query that was sent at `sentAt` (monotonic). */
  readonly onAnswer?: ((sentAt: number, answer: ServerAnswer) => void) | undefined;
  /** The number of partitions that the server has recorded, in an answer that matched. */
  readonly onPartitions?: ((partitions: number | undefined) => void) | undefined;
}

/** What a query of the head or a read of the channel returns. Only a read has `entries`. */
export type ServerAnswer = ChannelHead & Partial<Pick<ChannelState, 'entries' | 'firstKey'>>;

/** Milliseconds between two checks of the head, which detect the loss of the last message. */
const HEAD_CHECK_MS = 1_000;
/** Milliseconds between a failed read and the next one. */
const RETRY_MS = 1_000;

/** The answer to a query is discarded if `read` or `cancel` was called after it was sent. */
export class StateQueries {
  readonly #options: StateQueriesOptions;
  #generation = 0;
  #reading: Promise<void> = Promise.resolve();
  #confirmedAt: number | undefined;
  #lease: FenceToken | undefined;
  #cancelTimer: Unsubscribe = () => {};
  /** Ends the read in flight. */
  #abort = new AbortController();

  constructor(options: StateQueriesOptions) {
    this.#options = options;
  }

  /** The monotonic time at which the last query that found no loss was sent; undefined before the first. */
  get confirmedAt(): number | undefined {
    return this.#confirmedAt;
  }

  /** The token of the channel's lease at the last answer; undefined if nobody held it. */
  get lease(): FenceToken | undefined {
    return this.#lease;
  }

  /** Resolves when the last read has been answered. */
  get settled(): Promise<void> {
    return this.#reading;
  }

  /**
   * Reads the state of the channel, with the messages kept after `since`, or all kept messages if it is undefined. On a
   * `state` channel, only last values of `keys` are needed.
   *
   * @param since `head`: only the messages published during the call
   */
  read(
    since: Position | 'head' | undefined,
    onState: (state: ChannelState) => void,
    onFailed: (error: TickbusError) => void,
  ): void {
    const { channel, transport, clock, onAnswer } = this.#options;
    this.cancel();
    const { signal } = this.#abort;
    const keys = this.#options.keys?.();
    const generation = this.#generation;
    let sentAt = clock.monotonic();
    const readAfter = (position: Position | undefined) => {
      sentAt = clock.monotonic();
      return transport.read(channel, position, { keys, signal });
    };
    const answer =
      since === 'head'
        ? transport
            .head(channel)
            .then(({ position }) => (generation === this.#generation ? readAfter(position) : undefined))
        : readAfter(since);
    this.#reading = answer.then(
      (state) => {
        if (state === undefined) return;
        onAnswer?.(sentAt, state);
        if (generation !== this.#generation) return;
        this.#confirmedAt = sentAt;
        this.#lease = state.lease;
        onState(state);
      },
      (error: TickbusError) => {
        if (generation === this.#generation) onFailed(error);
      },
    );
  }

  /** Runs `action`, which reads again, after the retry interval. */
  retry(action: () => void): void {
    this.#schedule(RETRY_MS, action);
  }

  /** Checks the head at intervals until it does not match or `cancel` is called. */
  watchHead(): void {
    this.#schedule(HEAD_CHECK_MS, () => this.checkHead());
  }

  /**
   * Checks the head now. All messages before the answer have arrived, so a head above the position proves a loss. A
   * head below the position at the request proves a forged number. Another epoch means that the channel was reset or
   * forgotten.
   */
  checkHead(): void {
    const { channel, transport, clock, position, onAnswer } = this.#options;
    this.#cancelTimer();
    const generation = this.#generation;
    const atRequest = position();
    const sentAt = clock.monotonic();
    transport.head(channel).then(
      (answer) => {
        const { position: head, lease, partitions } = answer;
        onAnswer?.(sentAt, answer);
        if (generation !== this.#generation) return;
        this.#lease = lease;
        if (!this.#compare(head, atRequest)) return;
        this.#confirmedAt = sentAt;
        this.#options.onPartitions?.(partitions);
      },
      (error: TickbusError) => {
        if (generation !== this.#generation) return;
        // Another program has overwritten the Redis key `error.field`. The recovery's read fails too and reports it.
        if (error.field !== undefined) return this.#options.onHeadMismatch();
        // The link reports its own failures, and a recovery follows the next connection.
        this.watchHead();
      },
    );
  }

  /** Returns true if the head matches. */
  #compare(head: Position, atRequest: Position): boolean {
    const { position, onHeadMatch, onHeadMismatch, onHeadBelow } = this.#options;
    const { epoch, seq } = position();
    // A position in another epoch than at the request is newer than the answer.
    const isNewer = epoch !== atRequest.epoch;
    if (!isNewer && (head.epoch !== epoch || head.seq > seq)) onHeadMismatch();
    else if (!isNewer && head.seq < atRequest.seq) onHeadBelow(head);
    else {
      this.watchHead();
      if (!isNewer) onHeadMatch(head);
      return true;
    }
    return false;
  }

  /** Discards the answers to the queries in flight and stops the checks of the head. */
  cancel(): void {
    this.#generation++;
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#cancelTimer();
  }

  #schedule(ms: number, action: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(ms, action);
  }
}
