// Programs with names on an in-memory server, and an observer of PRESENCE.

import { EventRecorder, silentLogger } from '@tickbus/test-kit';
import { afterEach } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import type { Presence } from '../../channel/schemas/presence.ts';
import { CHANNELS } from '../../constants.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber, type RedisSubscriberOptions } from '../../subscriber.ts';
import { ManualClock, MemoryConnection, MemoryServer } from '../../testing.ts';

export const NOTES = defineChannel('NOTES', {
  kind: 'event',
  messages: { note: z.object({ text: z.string() }) },
});

/** A server with a clock of its own. All connections, subscribers and publishers use the clock. */
export class World {
  readonly clock = new ManualClock();
  readonly server = new MemoryServer(this.clock);
  readonly reports = new EventRecorder<Presence>();
  readonly #closing: (() => Promise<void>)[] = [];

  connection(): MemoryConnection {
    return new MemoryConnection({ server: this.server });
  }

  /** A program with one subscriber, which listens to NOTES. */
  async program(
    name: string,
    {
      connection = this.connection(),
      ...options
    }: Omit<RedisSubscriberOptions, 'connection'> & { connection?: MemoryConnection } = {},
  ) {
    const subscriber = new RedisSubscriber({
      clock: this.clock,
      logger: silentLogger,
      ...options,
      connection,
      name,
    });
    subscriber.subscribe(NOTES, () => {});
    this.#closing.push(() => subscriber.close());
    await subscriber.startListening();
    return { connection, subscriber };
  }

  publisher(connection: MemoryConnection, name?: string): RedisPublisher {
    const publisher = new RedisPublisher({ connection, clock: this.clock, name, logger: silentLogger });
    this.#closing.push(() => publisher.close());
    return publisher;
  }

  /** Records what a subscriber of PRESENCE receives. It has no name. */
  async observe(): Promise<void> {
    const subscriber = new RedisSubscriber({
      connection: this.connection(),
      clock: this.clock,
      logger: silentLogger,
    });
    subscriber.subscribe(CHANNELS.PRESENCE, ({ data }) => this.reports.add(data as Presence));
    this.#closing.push(() => subscriber.close());
    await subscriber.startListening();
  }

  /** The reports about a name, as states. */
  statesOf(name: string): Presence['state'][] {
    return this.reports.items.filter((report) => report.name === name).map(({ state }) => state);
  }

  /** Called before the server ends. */
  atEnd(close: () => Promise<void>): void {
    this.#closing.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
  }
}

export function worlds(): () => World {
  const open: World[] = [];
  afterEach(async () => {
    for (const world of open.splice(0)) await world.close();
  });
  return () => {
    const world = new World();
    open.push(world);
    return world;
  };
}

/** The longest time that a claim takes. */
const CLAIM_MS = 3_000;

/** Advances the clock until the promise settles. */
export async function settled<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const end = promise.finally(() => {
    isSettled = true;
  });
  end.catch(() => {});
  for (let passed = 0; !isSettled && passed <= CLAIM_MS; passed += 10) await clock.advance(10);
  return end;
}
