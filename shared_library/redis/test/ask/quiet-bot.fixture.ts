// A named program that answers `resume` and no other command. Arguments: URL, name. It prints `ready`, then the type of
// each command. SIGTERM ends it in an orderly way.

import { once } from 'node:events';
import { silentLogger } from '@tickbus/test-kit';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';

const [, , url = '', name = ''] = process.argv;

const connection = new RedisConnection({ url, logger: silentLogger });
const subscriber = new RedisSubscriber({ connection, name, logger: silentLogger });
const publisher = new RedisPublisher({ connection, name, logger: silentLogger });
const ended = once(process, 'SIGTERM');
subscriber.subscribe(
  CHANNELS.TRADE_COMMANDS,
  async ({ id = '', message_type, sender }) => {
    process.stdout.write(`${message_type}\n`);
    if (message_type !== 'resume') return;
    const result = { command_id: id, bot: name, action: message_type, outcome: 'done', by: sender } as const;
    await publisher.publish(CHANNELS.COMMAND_RESULTS, result);
  },
  { keys: [name] },
);
await subscriber.startListening();
process.stdout.write('ready\n');
const alive = setInterval(() => {}, 60_000);
await ended;
clearInterval(alive);
await subscriber.close();
await publisher.close();
await connection.close();
