// A program with a unique name. Arguments: URL, name. It prints `ready`, and the code of each `name_taken`.

import { silentLogger } from '@tickbus/test-kit';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';

const [, , url = '', name = ''] = process.argv;

const subscriber = new RedisSubscriber({ url, name, uniqueName: true, logger: silentLogger });
subscriber.subscribe(CHANNELS.BOT_STATUS, () => {});
subscriber.on('status', (status) => {
  if (status.type === 'name_taken') process.stdout.write(`${status.error.code}\n`);
});
await subscriber.startListening();
process.stdout.write('ready\n');
