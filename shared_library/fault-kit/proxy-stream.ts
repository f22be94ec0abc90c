// One direction of one proxied connection: bytes in, the fault of the moment, bytes out.

import type { Socket } from 'node:net';
import type { Random } from '@tickbus/test-kit/random';
import { cutPush } from './push-frame.ts';

/** What a lane does with the bytes that it is given. */
export type Fault =
  /** They vanish, and so does the end of the connection: the other side is never told. */
  | { readonly type: 'blackhole' }
  /** They are not read: the sender's buffers fill up. Healing lets them through, late. */
  | { readonly type: 'stall' }
  | { readonly type: 'throttle'; readonly bytesPerSecond: number }
  /** Pieces of 1 to `maxBytes`, each in a turn of the event loop of its own. */
  | { readonly type: 'slice'; readonly maxBytes: number }
  /** Each piece comes later by `ms` and a random part of `jitterMs`, in order. */
  | { readonly type: 'delay'; readonly ms: number; readonly jitterMs?: number };

/** Past it the sender is not read any more. */
const HIGH_WATER_BYTES = 1024 * 1024;
const THROTTLE_STEP_MS = 20;

interface Piece {
  readonly bytes: Buffer;
  /** By the monotonic clock. */
  readonly arrivedAt: number;
}

/** Called with each piece as it arrives; what it returns goes on in its place. */
type PieceFilter = (bytes: Buffer) => Buffer;

export class ProxyStream {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #random: Random;
  readonly #filters = new Set<PieceFilter>();
  #fault: Fault | undefined;
  #queue: Piece[] = [];
  #queued = 0;
  #swallowed = 0;
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

  /** How many bytes never came out: more than none, and the stream is broken for good. */
  get swallowed(): number {
    return this.#swallowed;
  }

  get isBlackhole(): boolean {
    return this.#fault?.type === 'blackhole';
  }

  /** undefined heals. */
  setFault(fault: Fault | undefined): void {
    this.#fault = fault;
    if (fault?.type === 'stall') this.#source.pause();
    else if (this.#queued < HIGH_WATER_BYTES) this.#source.resume();
    this.#onChange();
    this.#wake();
  }

  /** Looks for these bytes in each piece that arrives; resolves when they have come. */
  untilSeen(bytes: string): Promise<void> {
    return this.#filterUntil((piece) => (piece.includes(bytes) ? piece : undefined));
  }

  /** Everything from the next piece on vanishes; resolves when that piece has come. */
  swallowNext(): Promise<void> {
    return this.#filterUntil((piece) => {
      this.#swallowed += piece.length;
      this.setFault({ type: 'blackhole' });
      return NOTHING;
    });
  }

  /** The first pushed message of RESP that contains these bytes vanishes, and nothing else; resolves when it has come. */
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
        this.#swallowed += this.#queued;
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

  /** Writes from the first piece; a promise only where the receiver's buffers are full. */
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

  /** Resolves with true when the fault was changed or the connection ended, with false after `ms`. */
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

const NOTHING = Buffer.alloc(0);
