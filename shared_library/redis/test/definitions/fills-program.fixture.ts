// A program that defines FILLS by its arguments, and prints one line of JSON for each event: as a publisher or as a
// subscriber. Arguments: its name, `publish` or `subscribe`, the kind, the key.

import { silentLogger as logger } from '@tickbus/test-kit';
import { defineChannel, RedisPublisher, RedisSubscriber } from 'tickbus';
import { z } from 'zod';

const [name = '', role, kind, key = 'order'] = process.argv.slice(2);
const messages = { fill: z.object({ order: z.string(), symbol: z.string() }) };
const FILLS =
  kind === 'state'
    ? defineChannel('FILLS', { kind: 'state', key: key as 'order', messages })
    : defineChannel('FILLS', { kind: 'event', key: key as 'order', history: 10, messages });

const print = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`);

if (role === 'publish') {
  const publisher = new RedisPublisher({ sender: name, logger });
  for (;;) {
    const outcome = await publisher.publish(FILLS, { order: 'o1', symbol: 'AAPL' }).then(
      () => ({ type: 'published' }),
      ({ code, field, message }) => ({ type: 'refused', code, field, message }),
    );
    print(outcome);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
} else {
  const subscriber = new RedisSubscriber({ logger });
  subscriber.on('status', (status) => status.type === 'definition_conflict' && print(status));
  subscriber.subscribe(FILLS, ({ data }) => print({ type: 'received', order: data.order }));
  await subscriber.startListening();
  print({ type: 'listening' });
}
