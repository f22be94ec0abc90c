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
const report = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`);

let n = 0;
let timer: NodeJS.Timeout | undefined;
let held = 0;

lease.on('gained', ({ token }) => {
  held = token;
  report({ type: 'gained', token });
  timer = setInterval(async () => {
    try {
      await publisher.publish(CHANNELS.PRICE_DATA, {
        symbol: process.pid.toString(),
        price: ++n,
        timestamp: token,
      });
    } catch (error) {
      report({ type: 'refused', token, code: (error as { code?: string }).code });
    }
  }, 20);
});
lease.on('lost', ({ token, reason }) => {
  clearInterval(timer);
  report({ type: 'lost', token, reason });
});
/** Commands on stdin. `late` bypasses the publisher and publishes under the last token, like a delayed request. */
const commands: Record<string, () => Promise<unknown>> = {
  async release() {
    clearInterval(timer);
    report({ type: 'released', confirmed: await lease.release() });
  },
  start: () => lease.start(),
  async late() {
    const json = '{"message_type":"price","data":{},"timestamp":1,"sender":"late"}';
    await connection.publishing.connect();
    const late = connection.publishing.publish(CHANNELS.PRICE_DATA, [{ json }], held);
    report({
      type: 'late',
      code: await late.then(
        () => 'accepted',
        ({ code }) => code,
      ),
    });
  },
};
for await (const line of commandLines()) await commands[line]?.();

async function* commandLines() {
  await lease.start();
  report({ type: 'started' });
  yield* createInterface(process.stdin);
}
