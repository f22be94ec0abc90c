// What the contract of the Transport port needs: an adapter under test, channels, messages, and frames to wait for.

import type { ChannelSpec } from '../../channel/channel.ts';
import type { Outgoing, Transport } from '../../transport/port.ts';
import {
  BATCH_START,
  checkedEnvelope,
  decodeBatch,
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
} from '../../wire/envelope.ts';

/** One adapter under test: links to one server, and what only the outside can do to that server. */
export interface TransportFixture {
  /** A new link; the fixture closes it. */
  link(): Transport;
  /** Publishes bytes as a stranger does, past the port. */
  publishRaw(channel: string, frame: Uint8Array): Promise<void>;
  /** The server forgets everything, as a restart without persistence does; links stay up. */
  flush(): Promise<void>;
  /** Cuts every link and resolves; what can come back does so by itself, or by `restore`. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** What each test has: a fixture of its own, and two links to its server. */
export class TransportBench {
  fixture!: TransportFixture;
  publishing!: Transport;
  subscribing!: Transport;

  async open(setUp: () => Promise<TransportFixture>): Promise<void> {
    this.fixture = await setUp();
    this.publishing = this.fixture.link();
    this.subscribing = this.fixture.link();
    await Promise.all([this.publishing.connect(), this.subscribing.connect()]);
  }

  close(): Promise<void> {
    return this.fixture.close();
  }
}

/** Channels of each kind, with names of their own for each test. */
let count = 0;
export const spec = (kind: ChannelSpec['kind'], history = 0): ChannelSpec => ({
  name: `CONTRACT_${kind}_${++count}`,
  kind,
  history,
});

export function outgoing(data: Record<string, unknown>, key = 'key'): Outgoing {
  return { json: encodeEnvelope({ message_type: 'test', data, timestamp: 1, sender: 'contract' }), key };
}

export function batch(size: number): Outgoing[] {
  return Array.from({ length: size }, (_, index) => outgoing({ index }, `key-${index}`));
}

/** Everything a subscription hears, and a way to wait until it is so many. */
export class Heard<Item = Envelope> {
  readonly all: Item[] = [];
  #waiting: { count: number; resolve: () => void }[] = [];

  add(...items: readonly Item[]): void {
    this.all.push(...items);
    for (const { count, resolve } of this.#waiting) if (this.all.length >= count) resolve();
  }

  reach(count: number): Promise<void> {
    if (this.all.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }
}

/** The messages of a frame of either framing. */
export function messagesIn(frame: Uint8Array): readonly Envelope[] {
  return frame[0] === BATCH_START ? decodeBatch(frame).map(checkedEnvelope) : [decodeEnvelope(frame)];
}

export async function listen(transport: Transport, channel: ChannelSpec) {
  const frames = new Heard();
  const unsubscribe = await transport.subscribe(channel, (frame) => frames.add(...messagesIn(frame)));
  return { frames, unsubscribe };
}

export function connectedAgain(transport: Transport): Promise<void> {
  return new Promise((resolve) => {
    transport.onStatus((status) => status.type === 'connected' && resolve());
  });
}
