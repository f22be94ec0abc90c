import { MemoryConnection } from '../../adapters/memory.ts';
import { MemoryServer } from '../../adapters/memory-server.ts';
import { systemClock } from '../../adapters/system-clock.ts';
import { describeTransport } from './transport.ts';

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
