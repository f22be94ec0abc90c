// Server-sent event streams: dashboard frames, and the tail (live messages that match a filter).

import type { Context } from 'hono';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import { TailBuffer, type TailFilter } from '../model/tail-buffer.ts';
import type { PageFrames } from '../page-frames.ts';

/** Bounds the memory that forgotten browser windows can use. */
const MAX_STREAMS = 100;

export class Streams {
  readonly #frames: PageFrames;
  readonly #tail: (buffer: TailBuffer) => () => void;
  #open = 0;

  /** @param tail adds every message to a buffer until the returned function is called */
  constructor(frames: PageFrames, tail: (buffer: TailBuffer) => () => void) {
    this.#frames = frames;
    this.#tail = tail;
  }

  /** Sends a snapshot, then deltas. Sends a snapshot again if the browser was too slow and missed frames. */
  dashboard(context: Context): Response {
    return this.#stream(context, async (stream, isOpen) => {
      let last: number | undefined;
      while (isOpen()) {
        const frame = await this.#frames.next();
        if (frame === undefined) return;
        const isNext = frame.number - 1 === last;
        last = frame.number;
        // Backpressure: resolves when the socket has accepted the frame. No further frame is requested until then.
        await stream.writeSSE({
          event: isNext ? 'delta' : 'snapshot',
          data: isNext ? frame.delta : frame.snapshot(),
        });
      }
    });
  }

  /** Sends messages that match the filter, from now on. */
  tail(context: Context, filter: TailFilter): Response {
    return this.#stream(context, async (stream, isOpen) => {
      const buffer = new TailBuffer(filter);
      const stop = this.#tail(buffer);
      try {
        // Confirms the connection before the first message matches.
        await stream.writeSSE({ event: 'open', data: '' });
        while (isOpen() && (await this.#frames.next()) !== undefined) {
          const batch = buffer.takeBatch();
          if (batch !== undefined) await stream.writeSSE({ event: 'batch', data: JSON.stringify(batch) });
        }
      } finally {
        stop();
      }
    });
  }

  #stream(
    context: Context,
    send: (stream: SSEStreamingApi, isOpen: () => boolean) => Promise<void>,
  ): Response {
    if (this.#open >= MAX_STREAMS)
      return context.text('Too many open pages: this one cannot connect. Close some of them.\n', 503);
    this.#open++;
    return streamSSE(context, async (stream) => {
      try {
        await send(stream, () => !stream.aborted);
      } finally {
        this.#open--;
      }
    });
  }
}
