// Server-sent events: the picture, frame by frame, and a tail of the messages.

import type { Context } from 'hono';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import { TailBuffer, type TailFilter } from '../model/tail-buffer.ts';
import type { PageFrames } from '../page-frames.ts';

/** The most streams at a time; a browser that is left open everywhere must not take the server with it. */
const MAX_STREAMS = 100;

export class Streams {
  readonly #frames: PageFrames;
  readonly #tail: (window: TailBuffer) => () => void;
  #open = 0;

  /** @param tail offers every message to a window, until the function that it returns is called */
  constructor(frames: PageFrames, tail: (window: TailBuffer) => () => void) {
    this.#frames = frames;
    this.#tail = tail;
  }

  /** A snapshot first, then deltas; a snapshot again after frames that the browser was too slow for. */
  dashboard(context: Context): Response {
    return this.#stream(context, async (stream, isOpen) => {
      let last: number | undefined;
      while (isOpen()) {
        const frame = await this.#frames.next();
        if (frame === undefined) return;
        const isNext = frame.number - 1 === last;
        last = frame.number;
        // Settles when the browser's socket has taken it: until then, no further frame is asked for.
        await stream.writeSSE({
          event: isNext ? 'delta' : 'snapshot',
          data: isNext ? frame.delta : frame.snapshot(),
        });
      }
    });
  }

  /** Messages that pass the filter, from now on. */
  tail(context: Context, filter: TailFilter): Response {
    return this.#stream(context, async (stream, isOpen) => {
      const window = new TailBuffer(filter);
      const stop = this.#tail(window);
      try {
        // So that the browser knows at once that it is connected.
        await stream.writeSSE({ event: 'open', data: '' });
        while (isOpen() && (await this.#frames.next()) !== undefined) {
          const batch = window.takeBatch();
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
      return context.text('There are too many open pages. Close some of them.\n', 503);
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
