// A custom channel: an event channel with a short history, typed by a Standard Schema (here zod).

import { defineChannel, RedisPublisher, RedisSubscriber, TickbusError } from 'tickbus';
import { z } from 'zod';

// An error prints what failed and what to do, without a stack trace.
process.on('uncaughtException', ({ message }) => {
  console.error(message);
  process.exit(1);
});

const FILLS = defineChannel('FILLS', {
  kind: 'event',
  history: 1_000,
  messages: { fill: z.object({ order: z.string(), quantity: z.number().positive() }) },
});

await using subscriber = new RedisSubscriber();
await using publisher = new RedisPublisher();

const fills = subscriber.messages(FILLS);
await subscriber.startListening();

for (const quantity of [10, 20, 30]) await publisher.publish(FILLS, { order: 'a-1', quantity });
for await (const { data } of fills) {
  console.log(`filled ${data.quantity} of ${data.order}`);
  if (data.quantity === 30) break;
}

// A reader that comes late begins with the last fills that the server keeps.
await using late = new RedisSubscriber();
const last = late.messages(FILLS, { from: { last: 2 } });
await late.startListening();
for await (const { data } of last) {
  console.log(`late: ${data.quantity}`);
  if (data.quantity === 30) break;
}

try {
  await publisher.publish(FILLS, { order: 'a-1', quantity: -1 });
} catch (error) {
  if (error instanceof TickbusError) console.log(`${error.code} at ${error.field}`);
}

// Prints:
// filled 10 of a-1
// filled 20 of a-1
// filled 30 of a-1
// late: 20
// late: 30
// TICKBUS_INVALID_MESSAGE at data.quantity
