// Misbehaviour on demand, so that a client's handling of a bad broker can be tested.

import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { BrokerErrorCode } from './alpaca-protocol.ts';

/** What a fault acts on: one client's connection. */
export interface FaultTarget {
  readonly socket: WebSocket;
  /** The TCP connection beneath the WebSocket. */
  readonly tcp: Socket;
  /** Sends the error and closes where the broker would. */
  fail(code: BrokerErrorCode): void;
}

/** Every method acts on all connections at once, authenticated or not. */
export class BrokerFaults {
  readonly #targets: ReadonlySet<FaultTarget>;
  #muted = false;
  #frozen = false;
  #authError: BrokerErrorCode | undefined;

  constructor(targets: ReadonlySet<FaultTarget>) {
    this.#targets = targets;
  }

  /** Whether the broker says nothing of its own accord: no greeting, no answer, no data. */
  get muted(): boolean {
    return this.#muted;
  }

  /** Whether the broker does not even read. */
  get frozen(): boolean {
    return this.#frozen;
  }

  /** The error every authentication is answered with, whatever the credentials. */
  get authError(): BrokerErrorCode | undefined {
    return this.#authError;
  }

  /** Says nothing more, to present and future clients. Pings are still answered: the link lives, the feed is silent. */
  mute(): void {
    this.#muted = true;
  }

  /** Mutes and stops reading: no pongs, no reaction to a close, as behind a dead network link. */
  freeze(): void {
    this.#muted = true;
    this.#frozen = true;
    for (const { socket } of this.#targets) socket.pause();
  }

  /** Answers every authentication from now on with this error. */
  failAuthentication(code: BrokerErrorCode): void {
    this.#authError = code;
  }

  /** Ends `mute`, `freeze` and `failAuthentication`. What was not sent in the meantime is lost. */
  recover(): void {
    this.#muted = false;
    this.#frozen = false;
    this.#authError = undefined;
    for (const { socket } of this.#targets) socket.resume();
  }

  /** Cuts the TCP connections without a word. */
  drop(): void {
    for (const { socket } of this.#targets) socket.terminate();
  }

  /** Closes properly, with a WebSocket close code (default 1001, going away). */
  close(code = 1001, reason = ''): void {
    for (const { socket } of this.#targets) socket.close(code, reason);
  }

  /** Sends an error as the broker would, and closes where the broker would. */
  sendError(code: BrokerErrorCode): void {
    for (const target of this.#targets) target.fail(code);
  }

  /** Sends a frame with any content: text frames for strings, binary ones for bytes. For garbage and for 10 MB. */
  sendFrame(content: string | Uint8Array): void {
    for (const { socket } of this.#targets) socket.send(content);
  }

  /** Sends the head of a text frame and a part of its content, and never the rest: a client waits on it forever. */
  sendHalfFrame(): void {
    this.mute();
    const content = Buffer.from('[{"T":"t","S":"AA');
    const head = Buffer.from([FINAL_TEXT_FRAME, content.length * 2]);
    for (const { tcp } of this.#targets) tcp.write(Buffer.concat([head, content]));
  }
}

/** The first byte of a text frame that is not continued (RFC 6455, section 5.2). */
const FINAL_TEXT_FRAME = 0x81;
