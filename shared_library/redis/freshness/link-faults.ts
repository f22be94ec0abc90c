// Why the links of a subscriber cannot be relied on: the link of all channels, and on a cluster those of single ones.

const NOT_LISTENING = 'The subscriber is not listening. Call startListening().';
const CONNECTING = 'The subscriber is connecting to Redis.';

export class LinkFaults {
  #shared: string | undefined = NOT_LISTENING;
  readonly #byChannel = new Map<string, string>();

  /** `startListening` was called. */
  connecting(): void {
    this.#shared = CONNECTING;
  }

  /** The first connection failed. */
  notConnected(): void {
    if (this.#shared === CONNECTING) this.#shared = NOT_LISTENING;
  }

  /** @param channel the channel whose link it is; undefined: the link of all channels */
  up(channel: string | undefined): void {
    if (channel === undefined) this.#shared = undefined;
    else this.#byChannel.delete(channel);
  }

  down(reason: string, channel?: string): void {
    if (channel === undefined) this.#shared = reason;
    else this.#byChannel.set(channel, reason);
  }

  /** The fault of the link of all channels. */
  get shared(): string | undefined {
    return this.#shared;
  }

  /** The first fault of the links that a channel depends on. @param others further channels that it depends on */
  of(channel: string, others: readonly string[]): string | undefined {
    if (this.#shared !== undefined || this.#byChannel.size === 0) return this.#shared;
    const down = [channel, ...others].find((one) => this.#byChannel.has(one));
    return down === undefined ? undefined : this.#byChannel.get(down);
  }
}
