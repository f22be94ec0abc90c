// Tests a bot without Redis: an in-memory server, and a connection that the test interrupts.

import assert from 'node:assert/strict';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { MemoryConnection } from 'tickbus/testing';

const connection = new MemoryConnection();
const publisher = new RedisPublisher({ connection });
const feed = new RedisPublisher({ connection: new MemoryConnection({ server: connection.server }) });
const subscriber = new RedisSubscriber({ connection });
const tick = (price: number) => ({ symbol: 'AAPL', price, timestamp: Date.now() });

const prices: number[] = [];
subscriber.subscribe(CHANNELS.PRICE_DATA, ({ data }) => void prices.push(data.price));
const gaps: unknown[] = [];
subscriber.on(
  'status',
  (status) => status.type === 'gap' && gaps.push([status.from, status.to, status.repaired]),
);
await subscriber.startListening();

await publisher.publish(CHANNELS.PRICE_DATA, tick(100));

connection.disconnect();
await assert.rejects(publisher.publish(CHANNELS.PRICE_DATA, tick(101)), { code: 'TICKBUS_NOT_CONNECTED' });
await feed.publish(CHANNELS.PRICE_DATA, tick(102));
await feed.publish(CHANNELS.PRICE_DATA, tick(103));
connection.reconnect();
await subscriber.close();

console.log(`prices ${prices.join(', ')}`);
console.log(`gaps ${JSON.stringify(gaps)}`);

// Prints (102 was lost and is reported; 103 is the last value, so it was fetched):
// prices 100, 103
// gaps [[2,2,false]]
