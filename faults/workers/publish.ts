// Publishes so many messages on one channel when told to go, and hands over what it was told of each.

import { Ledger } from '@tickbus/fault-kit/ledger';
import { RedisPublisher } from 'tickbus';
import { BY_NAME } from '../fault-channels.ts';
import { onRequest, sendToParent, workerSettings } from './parent-channel.ts';

export interface PublishSettings {
  readonly port: number;
  readonly channel: string;
  readonly count: number;
  readonly firstNumber: number;
}

/** How many are on their way at once. */
const AT_ONCE = 50;

const { port, channel: name, count, firstNumber } = workerSettings<PublishSettings>();
const channel = BY_NAME[name];
if (channel === undefined) throw new Error(`There is no channel ${name}.`);
const publisher = new RedisPublisher({ host: '127.0.0.1', port });
const ledger = new Ledger({ firstNumber });

onRequest('go', async () => {
  for (let left = count; left > 0; left -= AT_ONCE) {
    const send = (n: number) => publisher.publish(channel, { key: 'A', n });
    await Promise.all(
      Array.from({ length: Math.min(left, AT_ONCE) }, () => ledger.publish(channel, 'A', send)),
    );
  }
  await publisher.close();
  await sendToParent('done', { sent: ledger.sent });
  process.exit();
});
await publisher.connect();
await sendToParent('ready');
