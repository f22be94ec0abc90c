// Publishes on one channel after a start message, and reports the outcome of each message.

import { Ledger } from '@tickbus/fault-kit/ledger';
import { RedisPublisher } from 'tickbus';
import { BY_NAME } from '../fault-channels.ts';
import { onRequest, sendToParent, workerSettings } from './parent-channel.ts';

export interface PublishSettings {
  readonly url: string;
  readonly channel: string;
  readonly count: number;
  readonly firstNumber: number;
}

/** Publishes in flight at the same time. */
const IN_FLIGHT = 50;

const { url, channel: name, count, firstNumber } = workerSettings<PublishSettings>();
const channel = BY_NAME[name];
if (channel === undefined) throw new Error(`No channel ${name}.`);
const publisher = new RedisPublisher({ url });
const ledger = new Ledger({ firstNumber });

onRequest('start', async () => {
  for (let left = count; left > 0; left -= IN_FLIGHT) {
    const send = (n: number) => publisher.publish(channel, { key: 'A', n });
    await Promise.all(
      Array.from({ length: Math.min(left, IN_FLIGHT) }, () => ledger.publish(channel, 'A', send)),
    );
  }
  await publisher.close();
  await sendToParent('done', { sent: ledger.sent });
  process.exit();
});
await publisher.connect();
await sendToParent('ready');
