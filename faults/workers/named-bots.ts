// Named bots in a separate process, each with a connection of its own.

import { RedisConnection, RedisSubscriber } from 'tickbus';
import { FILLS } from '../fault-channels.ts';
import { onRequest, sendToParent, workerSettings } from './parent-channel.ts';

export interface NamedBotsSettings {
  readonly port: number;
  readonly names: readonly string[];
}

const { port, names } = workerSettings<NamedBotsSettings>();
const bots = await Promise.all(
  names.map(async (name) => {
    const connection = new RedisConnection({ host: '127.0.0.1', port });
    const subscriber = new RedisSubscriber({ connection, name });
    subscriber.subscribe(FILLS, () => {});
    await subscriber.startListening();
    return { connection, subscriber };
  }),
);

onRequest('end', async () => {
  await Promise.all(
    bots.map(async ({ connection, subscriber }) => {
      await subscriber.close();
      await connection.close();
    }),
  );
  process.exit();
});
await sendToParent('ready');
