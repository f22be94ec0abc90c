// Plain clients on a cluster, and batches for tickbus subscribers: sharded channels in place of plain ones.

import { LocalCluster } from '@tickbus/local-redis/cluster';
import { EventRecorder, silentLogger as logger } from '@tickbus/test-kit';
import { leasedPublisher } from '@tickbus/test-kit/leases';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RedisSubscriber } from '../../../subscriber.ts';
import { channelKeys } from '../../../transport/redis/keys.ts';
import { FILLS, frameOf, noteEnvelope } from '../../channels.fixture.ts';
import { closeAfterEach, connectPlainClient, newPlainClient } from '../integration.fixture.ts';

const closing = closeAfterEach();
let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());

/** A client that does not use tickbus, connected to the node of FILLS. */
async function plainClient() {
  const { port } = await cluster.ownerOf(FILLS.name);
  return connectPlainClient(`redis://127.0.0.1:${port}`, closing);
}

async function listeningSubscriber() {
  const subscriber = new RedisSubscriber({ url: cluster.url, logger });
  closing.push(() => subscriber.close());
  const received = new EventRecorder<number>();
  subscriber.subscribe(FILLS, ({ data }) => received.add(data.n));
  await subscriber.startListening();
  return received;
}

it('a message of a plain client (SPUBLISH) reaches handlers', async () => {
  const received = await listeningSubscriber();
  await (await plainClient()).sPublish(FILLS.name, Buffer.from(frameOf(noteEnvelope(7))));
  expect(await received.reaches(1)).toEqual([7]);
});

it('a batch is one frame for tickbus subscribers, and single messages once a plain client listens', async () => {
  const received = await listeningSubscriber();
  const frames = new EventRecorder<string>();
  const singles = new EventRecorder<string>();
  await using leased = await leasedPublisher(FILLS, cluster.url);
  const publishTwenty = (from: number) =>
    Promise.all(
      Array.from({ length: 20 }, (_, index) => leased.publisher.publish(FILLS, { n: from + index })),
    );
  await publishTwenty(0);
  await received.reaches(20);

  const { port } = await cluster.ownerOf(FILLS.name);
  const eavesdropper = newPlainClient(`redis://127.0.0.1:${port}`);
  await eavesdropper.connect();
  closing.push(() => eavesdropper.destroy());
  await eavesdropper.sSubscribe([FILLS.name, channelKeys(FILLS).frames], (message, channel) =>
    (channel === FILLS.name ? singles : frames).add(message),
  );
  await publishTwenty(20);
  await received.reaches(40);
  expect(frames.items).toHaveLength(1);
  expect(JSON.parse(frames.items[0] ?? '')).toHaveLength(20);
  expect(singles.items).toEqual([]);

  const plain = await plainClient();
  const heard = new EventRecorder<string>();
  await plain.sSubscribe(FILLS.name, heard.add);
  await publishTwenty(40);
  await heard.reaches(20);
  await received.reaches(60);
  expect(frames.items).toHaveLength(1);
  expect(received.items).toEqual(Array.from({ length: 60 }, (_, index) => index));
});
