import { nameIn } from '../../channel/namespace.ts';
import { systemClock } from '../../runtime/system-clock.ts';
import { MemoryLinks } from '../../transport/memory/memory-links.ts';
import { MemoryServer } from '../../transport/memory/memory-server.ts';
import type { TransportFixture } from './transport.fixture.ts';
import { describeTransport } from './transport-contract.ts';

describeTransport('memory', () => setUp(undefined));
describeTransport('memory, in a namespace', () => setUp('paper'));

async function setUp(namespace: string | undefined): Promise<TransportFixture> {
  const server = new MemoryServer(systemClock);
  const connections: MemoryLinks[] = [];
  return {
    replicas: Number.POSITIVE_INFINITY,
    link() {
      const connection = new MemoryLinks(server, namespace);
      connections.push(connection);
      return connection.publishing;
    },
    async publishRaw(channel, frame) {
      server.publishRaw(nameIn(namespace, channel), frame);
    },
    async flush() {
      server.flush();
    },
    async cut() {
      for (const connection of connections) connection.disconnect();
    },
    async restore() {
      for (const connection of connections) connection.reconnect();
    },
    async close() {
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
}
