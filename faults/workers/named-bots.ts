// Named bots in a separate process, each with a connection of its own. They answer `resume`, and no other command.

import { CHANNELS, RedisConnection, RedisPublisher, RedisSubscriber } from 'tickbus';
import { onRequest, sendToParent, workerSettings } from './parent-channel.ts';

export interface NamedBotsSettings {
  readonly url: string;
  readonly names: readonly string[];
}

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const { url, names } = workerSettings<NamedBotsSettings>();
const bots = await Promise.all(
  names.map(async (name) => {
    const connection = new RedisConnection({ url, logger });
    const subscriber = new RedisSubscriber({ connection, name, logger });
    const publisher = new RedisPublisher({ connection, name, logger });
    const { TRADE_COMMANDS, COMMAND_RESULTS } = CHANNELS;
    subscriber.subscribe(
      TRADE_COMMANDS,
      async ({ id = '', message_type: action, sender: by }) => {
        if (action !== 'resume') return;
        await publisher.publish(COMMAND_RESULTS, { command_id: id, bot: name, action, outcome: 'done', by });
      },
      { keys: [name] },
    );
    await subscriber.startListening();
    return { connection, subscriber, publisher };
  }),
);

onRequest('end', async () => {
  await Promise.all(
    bots.map(async ({ connection, subscriber, publisher }) => {
      await subscriber.close();
      await publisher.close();
      await connection.close();
    }),
  );
  process.exit();
});
await sendToParent('ready');
