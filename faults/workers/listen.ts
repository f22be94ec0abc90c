// Listens in a separate process. On request it blocks its event loop, and reports its positions and histories.

import { type HistoryRecorder, Ledger } from '@tickbus/fault-kit/ledger';
import { RedisSubscriber, type SubscriberStatus } from 'tickbus';
import { BY_NAME } from '../fault-channels.ts';
import { block, blockUntil } from './block.ts';
import { onRequest, sendToParent, workerSettings } from './parent-channel.ts';

export interface ListenSettings {
  readonly url: string;
  readonly name: string;
  readonly channels: readonly string[];
  /** Default: that of the library. */
  readonly queueLimit?: number;
  /** Milliseconds that the handler blocks for each message. Default 0. */
  readonly handlerMs?: number;
}

const { url, name, channels, queueLimit, handlerMs = 0 } = workerSettings<ListenSettings>();
const subscriber = new RedisSubscriber({ url });
const ledger = new Ledger();
const statuses: SubscriberStatus[] = [];
subscriber.on('status', (status) => statuses.push(status));
const recorders: HistoryRecorder[] = [];
for (const channelName of channels) {
  const channel = BY_NAME[channelName];
  if (channel === undefined) throw new Error(`No channel ${channelName}.`);
  const recorder = ledger.recordHandler(`${name} (other process)`, channel);
  recorders.push(recorder);
  subscriber.subscribe(
    channel,
    (message) => {
      recorder.onMessage(message);
      block(handlerMs);
    },
    channel.kind === 'state' ? {} : { queueLimit },
  );
  subscriber.on('gap', recorder.onGap);
  subscriber.on('expired', (expired) => {
    if (expired.channel === channelName && expired.message.message_type === 'note')
      recorder.onExpired(expired.message);
  });
}

onRequest('block', async ({ ms, untilFile }) => {
  await sendToParent('blocking');
  blockUntil(String(untilFile), Number(ms));
});
/** The position of each channel, so that the scenario can wait until the process has caught up. */
onRequest('positions', () =>
  sendToParent('positions', {
    channels: channels.map((one) => {
      const report = BY_NAME[one] && subscriber.status(BY_NAME[one]);
      return { channel: one, mode: report?.mode, position: report?.position, queueDepth: report?.queueDepth };
    }),
  }),
);
onRequest('report', () => sendToParent('report', { histories: ledger.histories, statuses }));
onRequest('end', async () => {
  await subscriber.close({ timeoutMs: 100 });
  process.exit();
});

await subscriber.startListening();
for (const recorder of recorders) recorder.expectFromHere();
await sendToParent('ready');
