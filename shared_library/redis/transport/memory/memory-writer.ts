// The exclusive writer of a channel on an in-memory server.

import type { ChannelSpec } from '../../channel/channel.ts';
import type { Unsubscribe } from '../../runtime/emitter.ts';
import { Emitter } from '../../runtime/emitter.ts';
import type { FenceToken, Outgoing, Receipt, Transport, Writer } from '../port.ts';

type MemoryLink = Pick<Transport, 'publish' | 'onStatus'> & { readonly isConnected: boolean };

/** Accepts four batches in flight, like the Redis writer. An in-memory link loses none of them. */
export class MemoryWriter implements Writer {
  readonly #transport: MemoryLink;
  readonly #channel: ChannelSpec;
  readonly #token: FenceToken;
  readonly #events = new Emitter<{ room: undefined }>(() => {});
  #inFlight = 0;
  #isEnded = false;

  constructor(transport: MemoryLink, channel: ChannelSpec, token: FenceToken) {
    this.#transport = transport;
    this.#channel = channel;
    this.#token = token;
    transport.onStatus(() => this.#notifyRoom());
  }

  get room(): number {
    return this.#isEnded || !this.#transport.isConnected ? 0 : 4 - this.#inFlight;
  }

  onRoom(listener: () => void): Unsubscribe {
    return this.#events.on('room', listener);
  }

  async publish(batch: readonly Outgoing[]): Promise<Receipt | undefined> {
    if (this.room === 0) return undefined;
    this.#inFlight++;
    try {
      return await this.#transport.publish(this.#channel, batch, this.#token);
    } finally {
      this.#inFlight--;
      this.#notifyRoom();
    }
  }

  end(): void {
    this.#isEnded = true;
    this.#notifyRoom();
  }

  #notifyRoom(): void {
    this.#events.emit('room', undefined);
  }
}
