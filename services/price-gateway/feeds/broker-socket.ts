// Opens and closes WebSockets to brokers, with a limit on everything that a broker can send.

import { type ClientOptions, WebSocket } from 'ws';

/** Limits of every connection to a broker. A violation ends the connection; the feed then reconnects. */
export const BROKER_LIMITS = {
  /** Maximum bytes of a message. The largest recorded message is 41 kB; snapshots of order books can exceed 1 MiB. */
  maxMessageBytes: 1024 * 1024,
  /** Maximum fragments of a message. */
  maxFragments: 1_024,
  /** Maximum buffered pieces of an incomplete message. */
  maxBufferedChunks: 16 * 1024,
  /** Maximum duration of the TCP, TLS and WebSocket handshakes together, milliseconds. */
  handshakeTimeoutMs: 15_000,
  /** Bytes to read in one turn of the event loop, so that a flood does not delay the renewal of the lease. */
  bytesPerTurn: 64 * 1024,
} as const;

/** The options of `ws` that enforce `BROKER_LIMITS`. Deflate is off: a small frame could inflate to gigabytes. */
export function brokerSocketOptions(): ClientOptions {
  const { maxMessageBytes: maxPayload, maxFragments, maxBufferedChunks } = BROKER_LIMITS;
  // Not returned as a literal: TypeScript would reject the last two options, which the types of ws lack.
  const options = {
    perMessageDeflate: false,
    followRedirects: false,
    maxPayload,
    maxFragments,
    maxBufferedChunks,
  };
  return options;
}

/**
 * Opens a WebSocket. An error, such as a message over a limit, terminates it at once.
 *
 * @param headers HTTP headers of the handshake
 */
export function openBrokerSocket(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  handshakeTimeoutMs: number = BROKER_LIMITS.handshakeTimeoutMs,
): WebSocket {
  const socket = new WebSocket(url, { ...brokerSocketOptions(), headers });
  // The `handshakeTimeout` of ws restarts with every byte, so a broker that sends one byte a second never exceeds it.
  const timer = setTimeout(() => {
    socket.emit('error', new Error(`Opening handshake has timed out after ${handshakeTimeoutMs} ms`));
    socket.terminate();
  }, handshakeTimeoutMs);
  socket.on('open', () => clearTimeout(timer));
  socket.on('close', () => clearTimeout(timer));
  socket.on('error', () => socket.terminate());
  // Starts at `open`: an earlier `data` listener would consume the first bytes before ws reads them.
  socket.on('upgrade', ({ socket: tcp }) => socket.on('open', () => readInTurns(socket, tcp)));
  return socket;
}

/**
 * Closes a socket in any state; resolves when it is closed.
 *
 * @param withinMs the socket is terminated if the broker has not answered the close by then; 0 terminates it at once
 */
export function closeBrokerSocket(socket: WebSocket, withinMs: number): Promise<void> {
  if (socket.readyState === WebSocket.CLOSED) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.terminate(), withinMs);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
    if (withinMs === 0) socket.terminate();
    else socket.close();
  });
}

/**
 * Pauses reading until the next turn of the event loop when a turn has read `bytesPerTurn`. Without this, one turn
 * reads up to 2 MiB, which can be 500,000 messages. Counts TCP chunks, which adds no cost per message.
 */
function readInTurns(socket: WebSocket, tcp: NodeJS.ReadableStream): void {
  let bytes = 0;
  const nextTurn = () => {
    bytes = 0;
    if (socket.isPaused) socket.resume();
  };
  tcp.on('data', (chunk: Buffer) => {
    if (bytes === 0) setImmediate(nextTurn);
    bytes += chunk.length;
    if (bytes >= BROKER_LIMITS.bytesPerTurn) socket.pause();
  });
}
