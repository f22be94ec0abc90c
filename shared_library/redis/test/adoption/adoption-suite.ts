// Messages of plain clients as last values, on every transport: late readers get them, and nobody gets one twice.

import { EventRecorder, silentLogger as logger } from '@tickbus/test-kit';
import { Random } from '@tickbus/test-kit/random';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Channel, defineChannel } from '../../channel/channel.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber, type RedisSubscriberOptions } from '../../subscriber.ts';
import type { Connection } from '../../transport/port.ts';
import type { Message } from '../../wire/message.ts';

/** One server, and a plain client of it. */
export interface AdoptionServer {
  connection(): Connection;
  /** Publishes a text unchanged. */
  publishPlain(channel: string, text: string): Promise<void>;
  close(): Promise<void>;
}

const quote = z.object({ symbol: z.string(), n: z.number() });
const newRandom = () => new Random(Date.now() % 1e9);
let count = 0;
const newChannel = (options: { adopt?: boolean } = { adopt: true }) =>
  defineChannel(`QUOTES_${++count}`, { kind: 'state', key: 'symbol', messages: { quote }, ...options });

/** Strictly increasing, like the clock of one client. */
let timestamp = 1_650_000_000_000;
const plainText = (data: object, more: object = {}) =>
  JSON.stringify({ message_type: 'quote', data, timestamp: ++timestamp, sender: 'python', ...more });

const textOf = ({ data, snapshot, adopted }: Message) => {
  const { symbol, n } = data as z.infer<typeof quote>;
  return `${symbol} ${n}${snapshot ? ' stored' : ''}${adopted ? ' adopted' : ''}`;
};

/** @param isOrdered whether messages of a channel and of its partitions arrive in the order in which they were sent */
export function describeAdoptionBy(
  name: string,
  start: () => Promise<AdoptionServer>,
  isOrdered = true,
): void {
  describe(`adopted values: ${name}`, () => {
    let server: AdoptionServer;
    const closing: (() => Promise<unknown>)[] = [];
    beforeAll(async () => {
      server = await start();
    });
    afterEach(async () => {
      for (const close of closing.splice(0).reverse()) await close();
    });
    afterAll(() => server.close());

    const connect = () => {
      const connection = server.connection();
      closing.push(() => connection.close());
      return connection;
    };
    async function subscriberOf(channel: Channel, options: Partial<RedisSubscriberOptions> = {}) {
      const subscriber = new RedisSubscriber({ ...options, connection: connect(), logger } as never);
      const messages = new EventRecorder<Message>();
      // A tap sees each message, also those that the queue of a handler would merge.
      subscriber.tap(channel, ({ message }) => messages.add(message as Message));
      closing.push(() => subscriber.close());
      await subscriber.startListening();
      return { subscriber, messages, texts: () => messages.items.map(textOf) };
    }
    const adopterOf = (channel: Channel) => subscriberOf(channel, { adopt: true });
    /** What a late subscriber begins with. */
    async function late(channel: Channel) {
      const { subscriber, texts } = await subscriberOf(channel);
      await subscriber.close();
      return texts().sort();
    }
    const send = (channel: Channel, data: object, more?: object) =>
      server.publishPlain(channel.name, plainText(data, more));

    it('a late subscriber gets the last message of a plain client, marked; a live one gets it once', async () => {
      const channel = newChannel();
      const live = await subscriberOf(channel);
      const [first, second] = [await adopterOf(channel), await adopterOf(channel)];
      await send(channel, { symbol: 'A', n: 1 });
      await send(channel, { symbol: 'B', n: 1 });
      await send(channel, { symbol: 'A', n: 2 });
      await expect.poll(() => late(channel)).toEqual(['A 2 stored adopted', 'B 1 stored adopted']);
      for (const { texts } of [live, first, second]) expect(texts()).toEqual(['A 1', 'B 1', 'A 2']);
      const { messages } = await subscriberOf(channel);
      const [value] = messages.items;
      expect(value).toMatchObject({
        sender: 'python',
        adopted: true,
        snapshot: true,
        at: expect.any(Number),
      });
      expect([value?.seq, value?.epoch]).toEqual([undefined, undefined]);
      expect(live.subscriber.status(channel)).toMatchObject({ gaps: 0, invalid: 0, mode: 'live' });
    });

    it('a handler that is added later gets it, too, and the earlier ones get nothing again', async () => {
      const channel = newChannel();
      const { subscriber, texts } = await adopterOf(channel);
      await send(channel, { symbol: 'A', n: 1 });
      await expect.poll(() => late(channel)).toEqual(['A 1 stored adopted']);
      const added = new EventRecorder<Message>();
      subscriber.tap(channel, ({ message }) => added.add(message as Message));
      await added.reaches(1);
      await send(channel, { symbol: 'A', n: 2 });
      await added.reaches(2);
      expect(added.items.map(textOf)).toEqual(['A 1 stored adopted', 'A 2']);
      expect(texts()).toEqual(['A 1', 'A 2']);
    });

    it('is not a fresh value: latest and requireFresh do not return it', async () => {
      const channel = newChannel();
      await adopterOf(channel);
      await send(channel, { symbol: 'A', n: 1 });
      await expect.poll(() => late(channel)).toEqual(['A 1 stored adopted']);
      const { subscriber } = await subscriberOf(channel);
      expect(subscriber.latest(channel, 'A').message).toBeUndefined();
      expect(() => subscriber.requireFresh(channel, 'A', { maxAgeMs: 60_000 })).toThrow();
    });

    it('of a plain client and a publisher, the one that was published last stays', async () => {
      const channel = newChannel();
      await adopterOf(channel);
      await adopterOf(channel);
      const live = await subscriberOf(channel);
      const publisher = new RedisPublisher({ connection: connect() });
      closing.push(() => publisher.close());
      const random = newRandom();
      for (let n = 1; n <= 20; n++) {
        const isPlain = random.percent(50);
        if (isPlain) await send(channel, { symbol: 'A', n });
        else await publisher.publish(channel, { symbol: 'A', n });
        await live.messages.reaches(n);
        await expect
          .poll(() => late(channel), { message: `seed ${random.seed}` })
          .toEqual([`A ${n} stored${isPlain ? ' adopted' : ''}`]);
      }
      expect(live.texts()).toEqual(Array.from({ length: 20 }, (_, index) => `A ${index + 1}`));
    });

    it.each([1, 4])(
      'subscribers that join meanwhile never go back or get one twice: %i partitions',
      async (parts) => {
        const channel = newChannel();
        const { publishing } = connect();
        await publishing.connect();
        await publishing.setPartitions(channel, parts);
        await adopterOf(channel);
        await adopterOf(channel);
        const random = newRandom();
        const joining: ReturnType<typeof subscriberOf>[] = [];
        const sent = new Map<string, number>();
        for (let n = 1; n <= 120; n++) {
          const symbol = `S${random.int(1, 5)}`;
          sent.set(symbol, n);
          await send(channel, { symbol, n });
          if (n % 5 !== 0) continue;
          joining.push(subscriberOf(channel));
          if (parts > 1 && !isOrdered) await joining.at(-1);
        }
        const joined = await Promise.all(joining);
        // Who joins between a message and its adoption misses it until the next message of the key.
        for (const symbol of sent.keys()) {
          const n = 121 + [...sent.keys()].indexOf(symbol);
          sent.set(symbol, n);
          await send(channel, { symbol, n });
        }
        for (const { messages } of joined) {
          const newest = () =>
            new Map(messages.items.map(({ data }) => [(data as { symbol: string }).symbol, data]));
          await expect
            .poll(() => [...newest().values()].map((data) => (data as { n: number }).n).sort(), {
              message: `seed ${random.seed}`,
            })
            .toEqual([...sent.values()].sort());
          for (const symbol of sent.keys()) {
            const numbers = messages.items
              .map(({ data }) => data as z.infer<typeof quote>)
              .filter((data) => data.symbol === symbol)
              .map(({ n }) => n);
            expect(numbers, `seed ${random.seed}`).toEqual([...new Set(numbers)].sort((a, b) => a - b));
          }
        }
        await expect
          .poll(() => late(channel))
          .toEqual([...sent].map(([symbol, n]) => `${symbol} ${n} stored adopted`).sort());
      },
    );

    it('keeps only valid messages, and only what tickbus writes of them', async () => {
      const channel = newChannel();
      const { messages, subscriber } = await adopterOf(channel);
      await server.publishPlain(channel.name, 'no JSON');
      await send(channel, { symbol: 'A', n: 'no number' });
      await send(channel, { symbol: 'x'.repeat(257), n: 1 });
      await send(channel, { n: 1 });
      await send(channel, { symbol: 'A', n: 1 }, { message_type: 'unknown' });
      await send(
        channel,
        { symbol: 'B', n: 1, more: 'kept' },
        { at: 5, id: 'x', adopted: true, snapshot: true },
      );
      await expect.poll(() => subscriber.status(channel)?.invalid).toBe(5);
      await messages.reaches(1);
      // A live message that claims to be adopted is not.
      expect(messages.items.map(textOf)).toEqual(['B 1']);
      await expect.poll(() => late(channel)).toEqual(['B 1 stored adopted']);
      const late2 = await subscriberOf(channel);
      expect(late2.messages.items[0]).not.toHaveProperty('id');
      expect(late2.messages.items[0]?.at).toBeGreaterThan(1e12);
    });

    it('a channel without `adopt`, and a subscriber without `adopt`, keep nothing', async () => {
      const [without, adopting] = [newChannel({}), newChannel()];
      const receivers = [await adopterOf(without), await subscriberOf(adopting)];
      const marker = newChannel();
      await adopterOf(marker);
      for (const channel of [without, adopting, marker]) await send(channel, { symbol: 'A', n: 1 });
      for (const { messages } of receivers) await messages.reaches(1);
      await expect.poll(() => late(marker)).toEqual(['A 1 stored adopted']);
      expect([await late(without), await late(adopting)]).toEqual([[], []]);
    });
  });
}
