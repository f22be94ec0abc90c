// For tests of bots: a server in memory, links that fail when told to, and a clock that stands still.

import type { Clock } from './runtime/clock.ts';
import { systemClock } from './runtime/system-clock.ts';
import { MemoryLinks as Links } from './transport/memory/memory-links.ts';
import { MemoryServer } from './transport/memory/memory-server.ts';

export { ManualClock } from './runtime/manual-clock.ts';
export { MemoryServer } from './transport/memory/memory-server.ts';

export interface MemoryConnectionOptions {
  /** The server to connect to. Default: one of its own, so that tests do not hear each other. */
  server?: MemoryServer;
  /** The time by which its own server stamps messages and ends leases. Default: the system's. */
  clock?: Clock;
}

/**
 * Give it to the publishers and subscribers under test in place of Redis; every promise of delivery holds on it too.
 *
 * @example
 * const connection = new MemoryConnection();
 * const publisher = new RedisPublisher({ connection });
 * const subscriber = new RedisSubscriber({ connection });
 * connection.disconnect(); // what does the bot do now?
 * connection.reconnect();
 */
export class MemoryConnection extends Links {
  readonly server: MemoryServer;

  constructor({ clock = systemClock, server = new MemoryServer(clock) }: MemoryConnectionOptions = {}) {
    super(server);
    this.server = server;
  }
}
