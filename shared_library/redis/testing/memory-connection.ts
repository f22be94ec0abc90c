// MemoryConnection: links to an in-memory server.

import { checkedNamespace } from '../channel/namespace.ts';
import type { Clock } from '../runtime/clock.ts';
import { checkOptionNames, type OptionNames } from '../runtime/option-checks.ts';
import { systemClock } from '../runtime/system-clock.ts';
import { MemoryLinks } from '../transport/memory/memory-links.ts';
import { MemoryServer } from '../transport/memory/memory-server.ts';

export interface MemoryConnectionOptions {
  /** The server to connect to. Default: a new one, so that tests are isolated. */
  server?: MemoryServer;
  /** The clock of the default server: it timestamps messages and expires leases. Default: the system clock. */
  clock?: Clock;
  /** The namespace of its channels, as in `RedisConnectionOptions`. Default: none; the environment is not read. */
  namespace?: string;
}

/**
 * Replaces Redis for the publishers and subscribers under test, with the same delivery guarantees.
 *
 * @example
 * const connection = new MemoryConnection();
 * const publisher = new RedisPublisher({ connection });
 * const subscriber = new RedisSubscriber({ connection });
 * connection.disconnect(); // assert what the bot does while disconnected
 * connection.reconnect();
 */
export class MemoryConnection extends MemoryLinks {
  readonly server: MemoryServer;

  /** @throws TickbusError `TICKBUS_INVALID_OPTION` for an unknown option or an invalid namespace */
  constructor(options: MemoryConnectionOptions = {}) {
    checkOptionNames('MemoryConnection', options, NAMES);
    const { clock = systemClock, server = new MemoryServer(clock), namespace } = options;
    super(server, namespace === undefined ? undefined : checkedNamespace(namespace, 'namespace'));
    this.server = server;
  }
}

const NAMES: OptionNames<MemoryConnectionOptions> = { server: true, clock: true, namespace: true };
