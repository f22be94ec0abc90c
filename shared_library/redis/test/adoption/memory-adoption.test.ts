// Adopted values on the in-memory server, and what a reconnection adds to them.

import { EventRecorder, silentLogger as logger } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { RedisPublisher } from '../../publisher.ts';
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

it.each([
  ['without', false],
  ['with', true],
])(
  'after a reconnection, a subscriber gets what it missed, and nothing twice, %s numbers',
  async (_, numbers) => {
    const server = new MemoryServer();
    const connection = () => new MemoryConnection({ server });
    if (numbers) {
      await using publisher = new RedisPublisher({ connection: connection() });
      await publisher.publish(CHANNELS.BOT_STATUS, { bot: 'b', state: 'stopped' });
    }
    const [own, others] = [connection(), connection()];
    await using adopter = new RedisSubscriber({ connection: others, adopt: true, logger });
    adopter.subscribe(CHANNELS.BOT_STATUS, () => {});
    await adopter.startListening();
    let timestamp = 0;
    const report = (bot: string, state: string) => {
      const message = {
        message_type: 'bot_status',
        data: { bot, state },
        timestamp: ++timestamp,
        sender: bot,
      };
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
    // The last values come in any order.
    expect([...statuses.items.slice(0, 2).sort(), ...statuses.items.slice(2)]).toEqual(before);
    own.disconnect();
    report('a', 'stopped');
    await expect.poll(stored).toEqual(['a stopped', 'b running']);
    own.reconnect();
    await statuses.first((status) => status === 'a stopped adopted');
    report('b', 'stopped');
    await statuses.first((status) => status === 'b stopped');
    expect(statuses.items.slice(before.length)).toEqual(['a stopped adopted', 'b stopped']);
    expect(subscriber.status(CHANNELS.BOT_STATUS)).toMatchObject({ gaps: 0, repaired: 0 });
  },
);

it('an adopter that is slow replaces no value that was published after the message', async () => {
  const server = new MemoryServer();
  const slow = new MemoryConnection({ server });
  const adopt = slow.publishing.adopt.bind(slow.publishing);
  const held: (() => void)[] = [];
  const adoptions = new EventRecorder<string>();
  slow.publishing.adopt = async (...call) => {
    await new Promise<void>((resolve) => held.push(resolve));
    const outcomes = await adopt(...call);
    outcomes.forEach(adoptions.add);
    return outcomes;
  };
  await using adopter = new RedisSubscriber({ connection: slow, adopt: true, logger });
  const heard = new EventRecorder<string>();
  adopter.subscribe(CHANNELS.BOT_STATUS, ({ data }) => heard.add(data.state));
  await adopter.startListening();
  await using publisher = new RedisPublisher({ connection: new MemoryConnection({ server }) });
  const publish = (state: 'starting' | 'running') =>
    publisher.publish(CHANNELS.BOT_STATUS, { bot: 'a', state });
  const report = (state: string) => {
    const message = { message_type: 'bot_status', data: { bot: 'a', state }, timestamp: 1, sender: 'python' };
    server.publishRaw('BOT_STATUS', bytes(JSON.stringify(message)));
  };
  const release = async () => {
    await expect.poll(() => held.length).toBe(1);
    for (const resume of held.splice(0)) resume();
  };
  await publish('starting');
  report('paused');
  await publish('running');
  await heard.first((state) => state === 'running');
  await release();
  expect(await adoptions.reaches(1)).toEqual(['older']);
  report('stopped');
  await release();
  expect(await adoptions.reaches(2)).toEqual(['older', 'stored']);
});
