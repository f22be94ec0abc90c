// Injects faults, to test how a client handles a misbehaving broker.

import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { BrokerErrorCode } from './alpaca-protocol.ts';

/** One client's connection, as the faults see it. */
export interface FaultTarget {
  readonly socket: WebSocket;
  /** The TCP socket of the WebSocket. */
  readonly tcp: Socket;
  /** Sends the error, and closes the connection if the error requires it. */
  fail(code: BrokerErrorCode): void;
}

/** Every method affects all connections, authenticated or not. */
export class BrokerFaults {
  readonly #targets: ReadonlySet<FaultTarget>;
  #muted = false;
  #frozen = false;
  #authError: BrokerErrorCode | undefined;

  constructor(targets: ReadonlySet<FaultTarget>) {
    this.#targets = targets;
  }

  /** Whether the broker sends nothing: no greeting, no answer, no data. */
  get muted(): boolean {
    return this.#muted;
  }

  /** Whether the broker neither sends nor reads. */
  get frozen(): boolean {
    return this.#frozen;
  }

  /** The error that answers every authentication. */
  get authError(): BrokerErrorCode | undefined {
    return this.#authError;
  }

  /** Sends nothing more to current and future clients. Pings are answered: the link is alive, the feed is silent. */
  mute(): void {
    this.#muted = true;
  }

  /** Mutes and stops reading: no pongs and no answer to a close, as with a dead network link. */
  freeze(): void {
    this.#muted = true;
    this.#frozen = true;
    for (const { socket } of this.#targets) socket.pause();
  }

  /** Answers every further authentication with this error. */
  failAuthentication(code: BrokerErrorCode): void {
    this.#authError = code;
  }

  /** Ends `mute`, `freeze` and `failAuthentication`. Messages that were suppressed in the meantime are lost. */
  recover(): void {
    this.#muted = false;
    this.#frozen = false;
    this.#authError = undefined;
    for (const { socket } of this.#targets) socket.resume();
  }

  /** Drops the TCP connections without a close frame. */
  drop(): void {
    for (const { socket } of this.#targets) socket.terminate();
  }

  /** Closes with a WebSocket close code; default 1001 (going away). */
  close(code = 1001, reason = ''): void {
    for (const { socket } of this.#targets) socket.close(code, reason);
  }

  /** Sends an error, and closes the connections if the error requires it. */
  sendError(code: BrokerErrorCode): void {
    for (const target of this.#targets) target.fail(code);
  }

  /** Sends a frame with any content: a text frame for a string, a binary frame for bytes. */
  sendFrame(content: string | Uint8Array): void {
    for (const { socket } of this.#targets) socket.send(content);
  }

  /** Sends the header of a text frame and half of its content, and never the rest. */
  sendHalfFrame(): void {
    this.mute();
    const content = Buffer.from('[{"T":"t","S":"AA');
    const head = Buffer.from([FINAL_TEXT_FRAME, content.length * 2]);
    for (const { tcp } of this.#targets) tcp.write(Buffer.concat([head, content]));
  }
}

/** The first byte of an unfragmented text frame (RFC 6455, section 5.2). */
const FINAL_TEXT_FRAME = 0x81;
