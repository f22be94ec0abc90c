// One direction of a proxied connection: applies the current fault to its bytes.

import type { Socket } from 'node:net';
import type { Random } from '@tickbus/test-kit/random';
import { cutPush } from './push-frame.ts';

/** The effect on the bytes of one direction. */
export type Fault =
  /** Bytes are dropped, and the end of the connection is not forwarded. */
  | { readonly type: 'blackhole' }
  /** The proxy reads no bytes, so the sender's buffers fill up. The bytes pass after healing. */
  | { readonly type: 'stall' }
  | { readonly type: 'throttle'; readonly bytesPerSecond: number }
  /** Bytes pass in pieces of 1 to `maxBytes`, one per turn of the event loop. */
  | { readonly type: 'slice'; readonly maxBytes: number }
  /** Each piece is delayed by `ms` plus a random part of `jitterMs`, in order. */
  | { readonly type: 'delay'; readonly ms: number; readonly jitterMs?: number };

/** Limit of queued bytes. Above it, the proxy stops reading from the source. */
const HIGH_WATER_BYTES = 1024 * 1024;
const THROTTLE_STEP_MS = 20;

/** Bytes that arrived together. */
interface Piece {
  readonly bytes: Buffer;
  /** Milliseconds, monotonic. */
  readonly arrivedAt: number;
}

/** Receives each piece on arrival, and returns its replacement. */
type PieceFilter = (bytes: Buffer) => Buffer;

export class ProxyStream {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #random: Random;
  readonly #filters = new Set<PieceFilter>();
  #fault: Fault | undefined;
  #queue: Piece[] = [];
  #queued = 0;
  #dropped = 0;
  #isEnded = false;
  #isPumping = false;
  #onChange: () => void = () => {};

  constructor(source: Socket, sink: Socket, random: Random) {
    this.#source = source;
    this.#sink = sink;
    this.#random = random;
    source.on('data', (bytes: Buffer) => this.#receive(bytes));
    sink.on('close', () => this.#onChange());
    source.on('end', () => {
      this.#isEnded = true;
      this.#wake();
    });
  }

  /** Count of dropped bytes. If it is above 0, the stream has a hole and cannot continue. */
  get droppedBytes(): number {
    return this.#dropped;
  }

  get isBlackhole(): boolean {
    return this.#fault?.type === 'blackhole';
  }

  /** @param fault undefined: removes the current fault */
  setFault(fault: Fault | undefined): void {
    this.#fault = fault;
    if (fault?.type === 'stall') this.#source.pause();
    else if (this.#queued < HIGH_WATER_BYTES) this.#source.resume();
    this.#onChange();
    this.#wake();
  }

  /** Resolves when a piece with these bytes arrives. */
  untilSeen(bytes: string): Promise<void> {
    return this.#filterUntil((piece) => (piece.includes(bytes) ? piece : undefined));
  }

  /** Drops everything from the next piece on. Resolves when that piece arrives. */
  dropFromNext(): Promise<void> {
    return this.#filterUntil((piece) => {
      this.#dropped += piece.length;
      this.setFault({ type: 'blackhole' });
      return NO_BYTES;
    });
  }

  /** Drops only the first RESP push message that contains these bytes. Resolves when it arrives. */
  dropPush(bytes: string): Promise<void> {
    return this.#filterUntil((piece) => cutPush(piece, bytes));
  }

  #filterUntil(step: (piece: Buffer) => Buffer | undefined): Promise<void> {
    return new Promise((resolve) => {
      const filter = (piece: Buffer) => {
        const rest = step(piece);
        if (rest === undefined) return piece;
        this.#filters.delete(filter);
        resolve();
        return rest;
      };
      this.#filters.add(filter);
    });
  }

  #receive(piece: Buffer): void {
    let bytes = piece;
    for (const filter of this.#filters) bytes = filter(bytes);
    if (bytes.length === 0) return;
    this.#queue.push({ bytes, arrivedAt: performance.now() });
    this.#queued += bytes.length;
    if (this.#queued >= HIGH_WATER_BYTES) this.#source.pause();
    this.#wake();
  }

  #wake(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    this.#pump().finally(() => {
      this.#isPumping = false;
    });
  }

  async #pump(): Promise<void> {
    while (!this.#sink.destroyed) {
      const [first] = this.#queue;
      if (first === undefined) break;
      await this.#step(first, this.#fault);
    }
    if (this.#isEnded && this.#queue.length === 0 && !this.isBlackhole) this.#sink.end();
  }

  #step(first: Piece, fault: Fault | undefined): Promise<unknown> | undefined {
    switch (fault?.type) {
      case undefined:
        return this.#write(first.bytes.length);
      case 'blackhole':
        this.#dropped += this.#queued;
        this.#queue = [];
        this.#queued = 0;
        return undefined;
      case 'stall':
        return this.#untilFaultChanges();
      case 'throttle':
        return this.#writeThrottled(
          Math.max(1, Math.floor((fault.bytesPerSecond * THROTTLE_STEP_MS) / 1_000)),
        );
      case 'slice':
        return this.#slice(this.#random.int(1, fault.maxBytes));
      case 'delay':
        return this.#deliverAt(first.arrivedAt + fault.ms + this.#random.int(0, fault.jitterMs ?? 0));
    }
  }

  async #writeThrottled(share: number): Promise<void> {
    for (let left = share; left > 0 && this.#queue.length > 0; ) {
      const before = this.#queued;
      await this.#write(left);
      left -= before - this.#queued;
    }
    await this.#untilFaultChanges(THROTTLE_STEP_MS);
  }

  async #slice(count: number): Promise<void> {
    await this.#write(count);
    await new Promise((resolve) => setImmediate(resolve));
  }

  async #deliverAt(due: number): Promise<void> {
    const wasChanged = await this.#untilFaultChanges(Math.max(0, due - performance.now()));
    if (!wasChanged) await this.#write(Number.POSITIVE_INFINITY);
  }

  /** Writes up to `count` bytes of the first piece. If the receiver's buffers are full, returns a promise. */
  #write(count: number): Promise<void> | undefined {
    const [first] = this.#queue;
    if (first === undefined) return undefined;
    const bytes = first.bytes.subarray(0, count);
    if (bytes.length === first.bytes.length) this.#queue.shift();
    else this.#queue[0] = { ...first, bytes: first.bytes.subarray(count) };
    this.#queued -= bytes.length;
    if (this.#queued < HIGH_WATER_BYTES && this.#fault?.type !== 'stall') this.#source.resume();
    const hasRoom = this.#sink.write(bytes);
    if (hasRoom || this.#sink.destroyed) return undefined;
    return new Promise((resolve) => {
      const done = () => {
        this.#sink.off('drain', done).off('close', done);
        resolve();
      };
      this.#sink.on('drain', done).on('close', done);
    });
  }

  /** Resolves with true when the fault changes or the connection closes, with false after `ms`. */
  #untilFaultChanges(ms?: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(() => resolve(false), ms);
      this.#onChange = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}

const NO_BYTES = Buffer.alloc(0);
