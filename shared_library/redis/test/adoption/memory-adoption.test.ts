// Adopted values on the in-memory server, and what a reconnection adds to them.

import { EventRecorder, silentLogger as logger } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { MemoryConnection, MemoryServer } from '../../testing.ts';
import { describeAdoptionBy } from './adoption-suite.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describeAdoptionBy('memory', async () => {
  const server = new MemoryServer();
  return {
    connection: () => new MemoryConnection({ server }),
    publishPlain: async (channel, text) => void server.publishRaw(channel, bytes(text)),
    close: async () => {},
  };
});

it('after a reconnection, a subscriber gets what it missed, and nothing that it has had', async () => {
  const server = new MemoryServer();
  const connection = () => new MemoryConnection({ server });
  const [own, others] = [connection(), connection()];
  await using adopter = new RedisSubscriber({ connection: others, adopt: true, logger });
  adopter.subscribe(CHANNELS.BOT_STATUS, () => {});
  await adopter.startListening();
  let timestamp = 0;
  const report = (bot: string, state: string) => {
    const message = { message_type: 'bot_status', data: { bot, state }, timestamp: ++timestamp, sender: bot };
    server.publishRaw('BOT_STATUS', bytes(JSON.stringify(message)));
  };
  /** What a late subscriber begins with. */
  const stored = async () => {
    const late = new RedisSubscriber({ connection: connection(), logger });
    const states: string[] = [];
    late.subscribe(CHANNELS.BOT_STATUS, ({ data }) => void states.push(`${data.bot} ${data.state}`));
    await late.startListening();
    await late.close();
    return states.sort();
  };
  report('a', 'starting');
  report('b', 'starting');
  await expect.poll(stored).toEqual(['a starting', 'b starting']);
  await using subscriber = new RedisSubscriber({ connection: own, logger });
  const statuses = new EventRecorder<string>();
  subscriber.subscribe(CHANNELS.BOT_STATUS, ({ data, adopted }) =>
    statuses.add(`${data.bot} ${data.state}${adopted ? ' adopted' : ''}`),
  );
  await subscriber.startListening();
  report('b', 'running');
  await expect.poll(stored).toEqual(['a starting', 'b running']);
  const live = () => expect.poll(() => subscriber.status(CHANNELS.BOT_STATUS)?.mode).toBe('live');
  for (let times = 0; times < 2; times++) {
    own.disconnect();
    own.reconnect();
    await live();
  }
  const before = ['a starting adopted', 'b starting adopted', 'b running'];
  expect(statuses.items).toEqual(before);
  own.disconnect();
  report('a', 'stopped');
  await expect.poll(stored).toEqual(['a stopped', 'b running']);
  own.reconnect();
  await statuses.first((status) => status === 'a stopped adopted');
  report('b', 'stopped');
  await statuses.first((status) => status === 'b stopped');
  expect(statuses.items).toEqual([...before, 'a stopped adopted', 'b stopped']);
  expect(subscriber.status(CHANNELS.BOT_STATUS)).toMatchObject({ gaps: 0, repaired: 0 });
});
