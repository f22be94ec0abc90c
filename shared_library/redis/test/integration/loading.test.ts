// A publish while the server loads its data: nothing is done, and a retry succeeds.

import { startLocalRedis } from '@tickbus/local-redis';
import { errorOf, silentLogger as logger } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import { RedisPublisher } from '../../publisher.ts';
import { FILLS } from '../channels.fixture.ts';
import { closeAfterEach, connectPlainClient, untilAccepted } from './integration.fixture.ts';

const closing = closeAfterEach();
const KEYS = 300;
const LOAD_DELAY_US = '5000';

it('is refused as retryable', async () => {
  await using server = await startLocalRedis({
    keepsData: true,
    args: ['--enable-debug-command', 'yes', '--loading-process-events-interval-bytes', '1024'],
  });
  const client = await connectPlainClient(server.url, closing);
  const publisher = new RedisPublisher({ url: server.url, logger });
  closing.push(() => publisher.close());
  await publisher.publish(FILLS, { n: 1 });
  for (let key = 0; key < KEYS; key++) await client.set(`key-${key}`, 'x'.repeat(100));
  await client.configSet('key-load-delay', LOAD_DELAY_US);
  const reloaded = client.sendCommand(['DEBUG', 'RELOAD']);
  let refusal: unknown;
  while (refusal === undefined)
    refusal = await errorOf(publisher.publish(FILLS, { n: 2 })).catch(() => undefined);
  expect(refusal).toMatchObject({
    code: 'TICKBUS_NOT_CONNECTED',
    retryable: true,
    message: expect.stringMatching(/nothing was done: LOADING.*Retry when it is done/),
  });
  await client.configSet('key-load-delay', '0').catch(() => {});
  await reloaded;
  await untilAccepted(() => publisher.publish(FILLS, { n: 3 }));
});
