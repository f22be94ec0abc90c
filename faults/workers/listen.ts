// Listens on some channels in a process of its own; blocks its event loop when told to, and hands over what it saw and was told.

import { Ledger, type Witness } from '@tickbus/fault-kit/ledger';
import { RedisSubscriber, type SubscriberStatus } from 'tickbus';
import { BY_NAME } from '../channels.ts';
import { block, blockUntil } from './block.ts';
import { onAsked, settingsOfWorker, tell } from './worker.ts';

export interface ListenSettings {
  readonly port: number;
  readonly name: string;
  readonly channels: readonly string[];
  /** Default: the library's. */
  readonly queueLimit?: number;
  /** Milliseconds that each message keeps the handler busy. Default 0. */
  readonly handlerMs?: number;
}

const { port, name, channels, queueLimit, handlerMs = 0 } = settingsOfWorker<ListenSettings>();
const subscriber = new RedisSubscriber({ host: '127.0.0.1', port });
const ledger = new Ledger();
const statuses: SubscriberStatus[] = [];
subscriber.on('status', (status) => statuses.push(status));
const witnesses: Witness[] = [];
for (const channelName of channels) {
  const channel = BY_NAME[channelName];
  if (channel === undefined) throw new Error(`There is no channel ${channelName}.`);
  const witness = ledger.witness(`${name} (another process)`, channel);
  witnesses.push(witness);
  subscriber.subscribe(
    channel,
    (message) => {
      witness.saw(message);
      block(handlerMs);
    },
    channel.kind === 'state' ? {} : { queueLimit },
  );
  subscriber.on('gap', witness.heardOf);
}

onAsked('block', async ({ ms, untilFile }) => {
  await tell('blocking');
  blockUntil(String(untilFile), Number(ms));
});
/** Where each channel's reader stands, for the one who waits until it has caught up. */
onAsked('where', () =>
  tell('there', {
    channels: channels.map((one) => {
      const report = BY_NAME[one] && subscriber.status(BY_NAME[one]);
      return { channel: one, mode: report?.mode, position: report?.position, queueDepth: report?.queueDepth };
    }),
  }),
);
onAsked('report', () => tell('report', { testimonies: ledger.testimonies, statuses }));
onAsked('end', async () => {
  await subscriber.close({ timeoutMs: 100 });
  process.exit();
});

await subscriber.startListening();
for (const witness of witnesses) witness.expectsAll();
await tell('ready');
