// A process with several named bots, each with a connection of its own. Arguments: URL, prefix of the names, number.
// It prints `ready`. At the end of stdin it closes the bots; after the word `forget`, only the connections.

import { text } from 'node:stream/consumers';
import { silentLogger } from '@tickbus/test-kit';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';

const [, , url = '', prefix = '', count = '1'] = process.argv;

const bots = await Promise.all(
  Array.from({ length: Number(count) }, async (_, index) => {
    const name = `${prefix}-${index}`;
    const connection = new RedisConnection({ url, logger: silentLogger });
    const subscriber = new RedisSubscriber({ connection, name, logger: silentLogger });
    const publisher = new RedisPublisher({ connection, name, logger: silentLogger });
    subscriber.subscribe(CHANNELS.PRICE_DATA, () => {});
    await subscriber.startListening();
    return { connection, subscriber, publisher };
  }),
);
process.stdout.write('ready\n');
const isForgetful = (await text(process.stdin)).startsWith('forget');
for (const { connection, subscriber, publisher } of bots) {
  if (!isForgetful) {
    await subscriber.close();
    await publisher.close();
  }
  await connection.close();
}
