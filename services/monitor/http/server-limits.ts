// The limits of the monitor's HTTP server.

import type { ServerOptions } from 'node:http';

export interface HttpLimits {
  /** Open streams: pages and tails together. Default 100. */
  readonly maxStreams: number;
  /**
   * Milliseconds that a stream keeps its slot while all are taken. After that, a further stream replaces the oldest;
   * before, it gets 503. Default 10,000.
   */
  readonly keepMs: number;
  /**
   * Milliseconds in which a browser must accept an event, else its stream is cut; and after which a connection without
   * a stream is closed if no byte has passed. Default 30,000.
   */
  readonly readMs: number;
  /** Unread events of all streams together, in bytes. Beyond it the slowest stream is cut. Default 64 MiB. */
  readonly maxUnreadBytes: number;
  /** Milliseconds in which a client must send its whole request, else it gets 408. Default 10,000. */
  readonly requestMs: number;
  /** Open connections. A further one is closed at once. Default 256. */
  readonly maxConnections: number;
}

export const HTTP_LIMITS: HttpLimits = {
  maxStreams: 100,
  keepMs: 10_000,
  readMs: 30_000,
  maxUnreadBytes: 64 * 1024 * 1024,
  requestMs: 10_000,
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
