// The limits of the monitor's HTTP server.

import type { ServerOptions } from 'node:http';

export interface HttpLimits {
  /** Maximum open streams: pages and tails together. Default 100. */
  readonly maxStreams: number;
  /**
   * Milliseconds for which a stream cannot be replaced. While `maxStreams` are open, a new stream replaces the oldest
   * one that has been open for longer. If there is none, the new stream gets 503. Default 10,000.
   */
  readonly keepMs: number;
  /**
   * Milliseconds in which a browser must accept an event; otherwise its stream is cut. A connection without a stream is
   * closed after the same time without a byte in either direction. Default 30,000.
   */
  readonly readMs: number;
  /** Maximum bytes of unread events in all streams. Above this, the slowest streams are cut. Default 64 MiB. */
  readonly maxUnreadBytes: number;
  /** Milliseconds in which a client must send its whole request; otherwise it gets 408. Default 10,000. */
  readonly requestMs: number;
  /**
   * Milliseconds in which a bot must answer a command that was sent through the monitor. After that it does not start
   * the command any more. Less than the page waits for the monitor. Default 5,000.
   */
  readonly answerMs: number;
  /** Maximum open connections. Further connections are closed at once. Default 256. */
  readonly maxConnections: number;
}

export const HTTP_LIMITS: HttpLimits = {
  maxStreams: 100,
  keepMs: 10_000,
  readMs: 30_000,
  maxUnreadBytes: 64 * 1024 * 1024,
  requestMs: 10_000,
  answerMs: 5_000,
  maxConnections: 256,
};

/** The maximum body of a request, in bytes. */
export const MAX_BODY_BYTES = 64 * 1024;
/** The maximum size of the request line and the headers, in bytes. */
const MAX_HEADER_BYTES = 16 * 1024;

export function serverOptions({ requestMs }: HttpLimits): ServerOptions {
  return {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: requestMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: Math.min(1_000, requestMs / 2),
    keepAliveTimeout: 5_000,
  };
}
