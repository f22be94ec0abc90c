// Closes its subscriber in the middle of a burst, and reports the counts. After that, nothing keeps the process alive.

import { setImmediate as turn } from 'node:timers/promises';
import { RedisSubscriber } from 'tickbus';
import { ALERTS } from '../fault-channels.ts';
import { sendToParent, workerSettings } from './parent-channel.ts';

export interface CloseSettings {
  readonly port: number;
  /** Count of handled messages before the close. */
  readonly after: number;
}

const { port, after } = workerSettings<CloseSettings>();
const subscriber = new RedisSubscriber({ host: '127.0.0.1', port });
let handled = 0;
let isClosed = false;
let handledAfterClose = 0;
let lost = 0;
subscriber.on('gap', (gap) => {
  if (gap.cause === 'overflow') lost += gap.lost ?? 0;
});
const reachedCount = new Promise<void>((resolve) => {
  subscriber.subscribe(ALERTS, async () => {
    await turn();
    handled++;
    if (isClosed) handledAfterClose++;
    if (handled === after) resolve();
  });
});
await subscriber.startListening();
await sendToParent('ready');
await reachedCount;
const startedAt = performance.now();
await subscriber.close();
isClosed = true;
const tookMs = Math.round(performance.now() - startedAt);
const received = subscriber.status(ALERTS)?.received ?? 0;
await turn();
await sendToParent('closed', { handled, received, lost, tookMs, handledAfterClose });
process.disconnect();
