// The clocks of the servers: one for all channels, or on a cluster one for each channel.

import { ServerClock, type ServerNow } from './server-clock.ts';

/** The name in place of a channel while all channels share one clock. */
const SHARED = '';

export class ServerClocks {
  readonly #byChannel: boolean;
  readonly #clocks = new Map<string, ServerClock>();

  /** @param byChannel whether channels can be on servers with different clocks */
  constructor(byChannel: boolean) {
    this.#byChannel = byChannel;
  }

  /** See `ServerClock.add`. Returns the correction for earlier timestamps; undefined if the clock was not set. */
  add(channel: string, sentAt: number, receivedAt: number, serverAt: number): ClockShift | undefined {
    const name = this.#byChannel ? channel : SHARED;
    const clock = this.#clocks.get(name) ?? new ServerClock();
    this.#clocks.set(name, clock);
    const shiftMs = clock.add(sentAt, receivedAt, serverAt);
    if (shiftMs === undefined) return undefined;
    return { shiftMs, isAbout: (other) => !this.#byChannel || other === channel };
  }

  /** The present time of the clock of a channel; undefined before the first answer of its server. */
  at(channel: string, monotonic: number): ServerNow | undefined {
    return this.#clocks.get(this.#byChannel ? channel : SHARED)?.at(monotonic);
  }
}

/** A server's clock was set. */
export interface ClockShift {
  /** Add this to earlier timestamps of the server, in milliseconds. */
  readonly shiftMs: number;
  /** Whether the messages of this channel have timestamps of that clock. */
  readonly isAbout: (channel: string) => boolean;
}
