// For the transport contract: the transport under test, channels, messages and a frame recorder.

import { setTimeout as sleep } from 'node:timers/promises';
import { EventRecorder } from '@tickbus/test-kit';
import type { ChannelSpec } from '../../channel/channel.ts';
import { TickbusError } from '../../errors.ts';
import type { LeaseAttempt, LeaseOperations, Outgoing, Transport } from '../../transport/port.ts';
import { BATCH_START, checkedEnvelope, type Envelope, encodeEnvelope } from '../../wire/envelope.ts';

/** One transport under test: links to one server, and faults injected from outside. */
export interface TransportFixture {
  /** Number of replicas that confirm what is published. Default 0. */
  readonly replicas?: number;
  /** A new link. `close` closes all links. */
  link(): Transport;
  /** Publishes raw bytes as a plain client does, bypassing the Transport port. */
  publishRaw(channel: string, frame: Uint8Array): Promise<void>;
  /** The server loses its memory, as after a restart without persistence; links stay connected. */
  flush(): Promise<void>;
  /** Drops every link; `restore` makes the server reachable again. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** The setup of each test: a fixture and two connected links. */
export class ContractHarness {
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

let count = 0;
/** A channel with a new, unique name. */
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

/** Decodes a frame that holds a batch or a single message. */
export function messagesIn(frame: Uint8Array): readonly Envelope[] {
  const parsed: unknown = JSON.parse(new TextDecoder().decode(frame));
  const documents = frame[0] === BATCH_START ? (parsed as readonly unknown[]) : [parsed];
  return documents.map(checkedEnvelope);
}

export async function listen(transport: Transport, channel: ChannelSpec) {
  const frames = new EventRecorder<Envelope>();
  const unsubscribe = await transport.subscribe(channel, (frame) => messagesIn(frame).forEach(frames.add));
  return { frames, unsubscribe };
}

export function untilConnected(transport: Transport): Promise<void> {
  return new Promise((resolve) => {
    transport.onStatus((status) => status.type === 'connected' && resolve());
  });
}

export type Held = Extract<LeaseAttempt, { state: 'held' }>;

/** Acquires the lease for one minute, waiting out the hold-off of a server that does not know the channel. */
export async function acquireHeld(lease: LeaseOperations): Promise<Held> {
  for (;;) {
    const attempt = await attemptFor(lease, 20);
    if (attempt === undefined) continue;
    if (attempt.state !== 'held') await sleep(attempt.leftMs + 1);
    // On a busy machine the short lease can expire before the renewal: acquire again.
    else if (await lease.renew(attempt.token, 60_000)) return attempt;
  }
}

/** Undefined if the replicas did not confirm the lease in its short time, which happens on a busy machine. */
async function attemptFor(lease: LeaseOperations, ttlMs: number): Promise<LeaseAttempt | undefined> {
  try {
    return await lease.acquire(ttlMs);
  } catch (error) {
    if (error instanceof TickbusError && / confirmed it within /.test(error.message)) return undefined;
    throw error;
  }
}
