import { systemClock } from '../../runtime/system-clock.ts';
import { MemoryConnection } from '../../transport/memory/memory-links.ts';
import { MemoryServer } from '../../transport/memory/memory-server.ts';
import { describeTransport } from './transport-contract.ts';

describeTransport('memory', async () => {
  const server = new MemoryServer(systemClock);
  const connections: MemoryConnection[] = [];
  return {
    link() {
      const connection = new MemoryConnection(server);
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
