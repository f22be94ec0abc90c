// A process that holds the lease, publishes a price every 20 ms, and reports each event as a JSON line.

import { createInterface } from 'node:readline';
import { silentLogger } from '@tickbus/test-kit';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS } from 'tickbus/constants';
import { RedisLease } from 'tickbus/lease';
import { RedisPublisher } from 'tickbus/publisher';

const connection = new RedisConnection({ logger: silentLogger });
const lease = new RedisLease({
  connection,
  logger: silentLogger,
  channel: CHANNELS.PRICE_DATA,
  ttlMs: Number(process.argv[2]),
});
const publisher = new RedisPublisher({ connection, lease });
const tell = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`);

let n = 0;
let timer: NodeJS.Timeout | undefined;
let held = 0;

lease.on('gained', ({ token }) => {
  held = token;
  tell({ type: 'gained', token });
  timer = setInterval(async () => {
    try {
      await publisher.publish(CHANNELS.PRICE_DATA, {
        symbol: process.pid.toString(),
        price: ++n,
        timestamp: token,
      });
    } catch (error) {
      tell({ type: 'refused', token, code: (error as { code?: string }).code });
    }
  }, 20);
});
lease.on('lost', ({ token, reason }) => {
  clearInterval(timer);
  tell({ type: 'lost', token, reason });
});
/** Commands on stdin. `late` publishes under the old token, bypassing the publisher, as a request in flight would. */
const orders: Record<string, () => Promise<unknown>> = {
  async release() {
    clearInterval(timer);
    tell({ type: 'released', confirmed: await lease.release() });
  },
  start: () => lease.start(),
  async late() {
    const json = '{"message_type":"price","data":{},"timestamp":1,"sender":"late"}';
    await connection.publishing.connect();
    const late = connection.publishing.publish(CHANNELS.PRICE_DATA, [{ json }], held);
    tell({
      type: 'late',
      code: await late.then(
        () => 'accepted',
        ({ code }) => code,
      ),
    });
  },
};
for await (const line of begin()) await orders[line]?.();

async function* begin() {
  await lease.start();
  tell({ type: 'started' });
  yield* createInterface(process.stdin);
}
