// Server-sent event streams: dashboard frames, and the tail (live messages that match a filter).

import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context } from 'hono';
import { TailBuffer, type TailFilter } from '../model/tail-buffer.ts';
import type { PageFrames } from '../page-frames.ts';
import { EventStream, encodeEvent } from './event-stream.ts';
import type { HttpLimits } from './server-limits.ts';

type StreamContext = Context<{ Bindings: HttpBindings }>;

/** `maxUnreadBytes` never cuts a browser that accepts each event within this time. */
const SLOW_MS = 1_000;

export class Streams {
  readonly #frames: PageFrames;
  readonly #tail: (buffer: TailBuffer) => () => void;
  readonly #limits: HttpLimits;
  /** Each open stream with the time when it was opened (monotonic), the oldest first. */
  readonly #open = new Map<EventStream, number>();

  /** @param tail adds every message to a buffer until the returned function is called */
  constructor(frames: PageFrames, tail: (buffer: TailBuffer) => () => void, limits: HttpLimits) {
    this.#frames = frames;
    this.#tail = tail;
    this.#limits = limits;
  }

  /** Sends a snapshot, then deltas. Sends a snapshot again if the browser was too slow and missed frames. */
  dashboard(context: StreamContext): Response {
    return this.#stream(context, async (stream) => {
      let last: number | undefined;
      while (stream.isOpen) {
        const frame = await this.#frames.next();
        if (frame === undefined) return;
        const isNext = frame.number - 1 === last;
        last = frame.number;
        // No further frame is requested until the browser has accepted this one.
        await this.#send(stream, isNext ? frame.delta() : frame.snapshot());
      }
    });
  }

  /** Sends messages that match the filter, from now on. */
  tail(context: StreamContext, filter: TailFilter): Response {
    return this.#stream(context, async (stream) => {
      const buffer = new TailBuffer(filter);
      const stop = this.#tail(buffer);
      try {
        // Confirms the connection before the first message matches.
        await stream.send(encodeEvent('open', ''));
        while (stream.isOpen && (await this.#frames.next()) !== undefined) {
          const batch = buffer.takeBatch();
          if (batch === undefined) continue;
          buffer.isSuspended = true;
          await this.#send(stream, encodeEvent('batch', JSON.stringify(batch)));
          buffer.isSuspended = false;
        }
      } finally {
        stop();
      }
    });
  }

  /**
   * A stream occupies a slot until its connection is closed. If all slots are taken, the new stream replaces the oldest
   * one, unless that has been open for less than `keepMs`. Otherwise clients that do not read could hold all slots:
   * network buffers hide such clients for minutes. A page whose stream is replaced connects again.
   */
  #stream(context: StreamContext, send: (stream: EventStream) => Promise<void>): Response {
    // Hono answers HEAD with the handler of GET.
    if (context.req.method !== 'GET')
      return context.text('This address is a stream: use GET.\n', 405, { Allow: 'GET' });
    const { outgoing } = context.env;
    // HTTP pipelining: a response that waits for an earlier one is not notified when the connection is closed.
    if (outgoing.socket === null)
      return context.text('A stream cannot wait behind another response: use a new connection.\n', 400);
    if (this.#open.size >= this.#limits.maxStreams && !this.#cutOldest())
      return context.text('Too many open pages: this one cannot connect. Close some of them.\n', 503);
    if (outgoing.destroyed) return RESPONSE_ALREADY_SENT;
    const stream = new EventStream(outgoing, context.body(null).headers, this.#limits.readMs);
    this.#open.set(stream, performance.now());
    outgoing.once('close', () => this.#open.delete(stream));
    void send(stream).finally(() => stream.end());
    return RESPONSE_ALREADY_SENT;
  }

  /** Sends an event, and limits the memory of unread events. Streams share the event of a frame, so it counts once. */
  #send(stream: EventStream, event: Buffer): Promise<void> {
    const sent = stream.send(event);
    this.#cutSlowest();
    return sent;
  }

  #cutOldest(): boolean {
    const [[oldest, openedAt] = []] = this.#open;
    if (oldest === undefined || performance.now() - (openedAt ?? 0) < this.#limits.keepMs) return false;
    this.#open.delete(oldest);
    oldest.cut();
    return true;
  }

  #cutSlowest(): void {
    const slowSince = performance.now() - SLOW_MS;
    const slow = [...this.#open.keys()].filter(
      ({ unread, sentAt }) => unread !== undefined && sentAt < slowSince,
    );
    slow.sort((a, b) => a.sentAt - b.sentAt);
    while (distinctBytes(slow) > this.#limits.maxUnreadBytes) slow.shift()?.cut();
  }
}

function distinctBytes(streams: readonly EventStream[]): number {
  let bytes = 0;
  for (const event of new Set(streams.map(({ unread }) => unread))) bytes += event?.length ?? 0;
  return bytes;
}
