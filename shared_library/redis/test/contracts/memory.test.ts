import { systemClock } from '../../runtime/system-clock.ts';
import { MemoryLinks } from '../../transport/memory/memory-links.ts';
import { MemoryServer } from '../../transport/memory/memory-server.ts';
import { describeTransport } from './transport-contract.ts';

describeTransport('memory', async () => {
  const server = new MemoryServer(systemClock);
  const connections: MemoryLinks[] = [];
  return {
    link() {
      const connection = new MemoryLinks(server);
      connections.push(connection);
      return connection.publishing;
    },
    async publishRaw(channel, frame) {
      server.publishRaw(channel, frame);
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
});
