// Presence on a cluster: records, last values and the job of the keeper are on different nodes.

import { LocalCluster } from '@tickbus/local-redis/cluster';
import { EventRecorder, RecordingLogger } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { CHANNELS } from '../../constants.ts';
import { presenceList } from '../../presence.ts';
import { RedisSubscriber } from '../../subscriber.ts';

it('reports joined, left and gone', async () => {
  await using cluster = await LocalCluster.start();
  const logger = new RecordingLogger();
  const program = async (name?: string) => {
    const connection = new RedisConnection({ url: cluster.url, logger });
    const subscriber = new RedisSubscriber({ connection, name, logger });
    subscriber.subscribe(CHANNELS.PRICE_DATA, () => {});
    return { connection, subscriber };
  };
  const observer = await program();
  const reports = new EventRecorder<string>();
  observer.subscriber.subscribe(CHANNELS.PRESENCE, ({ data: { name, state } }) =>
    reports.add(`${name} ${state}`),
  );
  const [witness, lost] = [await program('witness'), await program('lost')];
  for (const { subscriber } of [observer, witness, lost]) await subscriber.startListening();
  await reports.first((report) => report === 'lost joined');
  expect((await presenceList(observer.connection)).map(({ name }) => name)).toEqual(['lost', 'witness']);
  // Its record is not renewed any more, as after a crash.
  await lost.connection.close();
  await reports.first((report) => report === 'lost gone');
  await witness.subscriber.close();
  await reports.first((report) => report === 'witness left');
  for (const { subscriber, connection } of [observer, witness, lost]) {
    await subscriber.close();
    await connection.close();
  }
  expect(logger.lines.filter(({ message }) => message.startsWith('Presence'))).toEqual([]);
});
