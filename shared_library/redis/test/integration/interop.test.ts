// Other clients on the same Redis: redis-py (Debian's python3-redis) reads and publishes tickbus messages.

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { LACKS_PYTHON, runPython } from '@tickbus/test-kit/python';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';

let redis: LocalRedis;
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());

describe.skipIf(LACKS_PYTHON)('redis-py', () => {
  it('reads plain JSON with the four standard fields from PRICE_DATA', async () => {
    const child = runPython(`
import json, redis, sys
pubsub = redis.Redis(port=${redis.port}).pubsub()
pubsub.subscribe('PRICE_DATA')
for item in pubsub.listen():
    if item['type'] == 'subscribe':
        print('ready', flush=True)
    else:
        message = json.loads(item['data'])
        print(json.dumps({field: message[field] for field in ('message_type', 'data', 'timestamp', 'sender')}), flush=True)
        sys.exit()
`);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('ready');
    await using publisher = new RedisPublisher({ url: redis.url, sender: 'gateway' });
    await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'AAPL', price: 187.5, timestamp: 1650123456 });
    const message = JSON.parse((await lines.next()).value);
    expect(message).toEqual({
      message_type: 'price',
      data: { symbol: 'AAPL', price: 187.5, timestamp: 1650123456 },
      timestamp: expect.any(Number),
      sender: 'gateway',
    });
  });

  it('publishes a valid envelope that reaches a handler', async () => {
    await using subscriber = new RedisSubscriber({ url: redis.url });
    const received = new Promise((resolve) =>
      subscriber.subscribe(CHANNELS.PRICE_DATA, resolve, { keys: ['PY'] }),
    );
    await subscriber.startListening();
    const child = runPython(`
import json, redis, time
redis.Redis(port=${redis.port}).publish('PRICE_DATA', json.dumps({
    'message_type': 'price', 'timestamp': time.time() * 1000, 'sender': 'python',
    'data': {'symbol': 'PY', 'price': 1.25, 'timestamp': 1650123456}}))
`);
    const [code] = await once(child, 'close');
    expect(code).toBe(0);
    await expect(received).resolves.toMatchObject({ sender: 'python', data: { symbol: 'PY', price: 1.25 } });
  });
});

it('every message on the wire is one JSON document with a position', async () => {
  const plain = createClient({ url: redis.url });
  await plain.connect();
  const seen: string[] = [];
  await plain.subscribe('BOT_STATUS', (text) => seen.push(text));
  await using publisher = new RedisPublisher({ url: redis.url, sender: 'bot' });
  const sent = ['a', 'b', 'c'].map((bot) =>
    publisher.publish(CHANNELS.BOT_STATUS, { bot, state: 'running' }),
  );
  const published = await Promise.all(sent);
  await plain.ping();
  expect(seen.map((text) => JSON.parse(text))).toEqual(
    ['a', 'b', 'c'].map((bot, index) => ({
      ...published[index]?.position,
      at: expect.any(Number),
      message_type: 'bot_status',
      data: { bot, state: 'running' },
      timestamp: expect.any(Number),
      sender: 'bot',
    })),
  );
  plain.destroy();
});
