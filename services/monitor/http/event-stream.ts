// One response with server-sent events. It holds at most one event that the browser has not read.

import type { ServerResponse } from 'node:http';

const HEADERS = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' } as const;
/** An idle connection is probed after this time, so that a vanished browser is detected. */
const KEEPALIVE_MS = 10_000;

/** Encodes an event. @param data without line breaks, such as JSON */
export function encodeEvent(event: string, data: string): Buffer {
  return Buffer.from(`event: ${event}\ndata: ${data}\n\n`);
}

export class EventStream {
  readonly #response: ServerResponse;
  readonly #readMs: number;
  #unread: Buffer | undefined;
  #sentAt = 0;
  #continue: () => void = () => {};

  /** Sends the headers. @param readMs milliseconds in which the browser must accept an event */
  constructor(response: ServerResponse, headers: Headers, readMs: number) {
    this.#response = response;
    this.#readMs = readMs;
    response.on('drain', () => this.#continue());
    response.on('close', () => this.#continue());
    response.socket?.setKeepAlive(true, KEEPALIVE_MS);
    // A stream may be idle for hours; `readMs` limits each event.
    response.socket?.setTimeout(0);
    response.writeHead(200, { ...Object.fromEntries(headers), ...HEADERS });
    response.flushHeaders();
  }

  get isOpen(): boolean {
    return !this.#response.destroyed;
  }

  /** The event that the browser is still reading. */
  get unread(): Buffer | undefined {
    return this.#unread;
  }

  /** When the last event was sent, by the monotonic clock. */
  get sentAt(): number {
    return this.#sentAt;
  }

  /**
   * Resolves when the browser has accepted the event, or when the stream is closed. Cuts the stream if the browser does
   * not accept the event within `readMs`; data that the browser sends does not extend this time.
   */
  async send(event: Buffer): Promise<void> {
    if (!this.isOpen || this.#response.write(event)) return;
    this.#unread = event;
    this.#sentAt = performance.now();
    const timer = setTimeout(() => this.cut(), this.#readMs);
    await new Promise<void>((resolve) => {
      this.#continue = resolve;
    });
    clearTimeout(timer);
    this.#unread = undefined;
  }

  end(): void {
    this.#response.end();
  }

  /** Closes the connection without sending the rest. */
  cut(): void {
    this.#response.destroy();
  }
}
