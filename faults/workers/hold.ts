// A lease candidate in a separate process. After it first gains the lease, it announces each message and publishes it,
// so that the ledger is complete even if the process is killed.

import { Ledger } from '@tickbus/fault-kit/ledger';
import { RedisLease, RedisPublisher } from 'tickbus';
import { BY_NAME, type FaultChannel } from '../fault-channels.ts';
import { onRequest, sendToParent, workerSettings } from './parent-channel.ts';

export interface HoldSettings {
  readonly url: string;
  readonly channel: string;
  readonly name: string;
  readonly ttlMs: number;
  readonly firstNumber: number;
}

const BURST = 5;
const EVERY_MS = 5;

const { url, channel: channelName, name, ttlMs, firstNumber } = workerSettings<HoldSettings>();
const channel = BY_NAME[channelName];
if (channel === undefined) throw new Error(`No channel ${channelName}.`);
const lease = new RedisLease({ url, channel, ttlMs });
const publisher = new RedisPublisher({ url, lease, sender: name });
const ledger = new Ledger({ firstNumber });

const gained = new Promise<void>((resolve) => {
  lease.on('gained', ({ token }) => {
    void sendToParent('gained', { token });
    resolve();
  });
});
lease.on('lost', ({ reason }) => sendToParent('lost', { reason }));
onRequest('end', async () => {
  await lease.close();
  await publisher.close();
  process.exit();
});
await lease.start();
await sendToParent('started');
await gained;
// The loop continues after a loss of the lease. The library rejects these publishes.
for (;;) {
  await sendToParent('sending', { from: ledger.next, to: ledger.next + BURST - 1 });
  for (let left = BURST; left > 0; left--) void publish(channel);
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
}

async function publish(to: FaultChannel): Promise<void> {
  const sent = await ledger.publish(to, 'A', (n) => publisher.publish(to, { key: 'A', n }));
  await sendToParent('sent', { sent });
}
