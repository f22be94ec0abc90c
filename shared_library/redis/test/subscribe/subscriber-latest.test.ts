// latest(): the newest message of a key as schema output, live and as a snapshot.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import type { Message } from '../../wire/message.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';

describe('latest', () => {
  it.each(['message', 'batch'] as const)(
    'returns the schema output, live and as a snapshot (framing %s)',
    async (framing) => {
      const harness = new PubSubHarness();
      const quotes = defineChannel('QUOTES', {
        kind: 'state',
        key: 'symbol',
        framing,
        messages: { quote: z.object({ symbol: z.string(), price: z.string().transform(Number) }) },
      });
      const received: Message[] = [];
      await harness.publisher.publish(quotes, { symbol: 'A', price: '1.5' });
      harness.subscriber.subscribe(quotes, (message) => received.push(message));
      await harness.subscriber.startListening();
      await eventLoopTurns();
      expect(harness.subscriber.latest(quotes, 'A').message).toEqual(received[0]);
      expect(received[0]).toMatchObject({ data: { price: 1.5 }, snapshot: true });
      await harness.publisher.publish(quotes, { symbol: 'A', price: '2.5' });
      await eventLoopTurns();
      expect(harness.subscriber.latest(quotes, 'A').message).toEqual(received[1]);
      expect(received[1]).toMatchObject({ seq: 2, data: { price: 2.5 } });
      expect(received[1]).not.toHaveProperty('snapshot');
    },
  );

  it.each(['message', 'batch'] as const)(
    'parses each message once and on demand, and shares no object with handlers (framing %s)',
    async (framing) => {
      const harness = new PubSubHarness();
      const read: string[] = [];
      const price = z.string().transform((text) => {
        read.push(text);
        return Number(text);
      });
      const quotes = defineChannel('QUOTES', {
        kind: 'state',
        key: 'symbol',
        framing,
        messages: { quote: z.object({ symbol: z.string(), price }) },
      });
      const verdicts: string[] = [];
      harness.subscriber.on('verdict', ({ verdict }) => verdicts.push(verdict));
      harness.subscriber.subscribe(
        quotes,
        ({ data }) => {
          Object.assign(data, { price: 0 });
        },
        { maxAgeMs: 1_000 },
      );
      await harness.subscriber.startListening();
      for (const price of ['1.5', '2.5']) await harness.publisher.publish(quotes, { symbol: 'A', price });
      await eventLoopTurns();
      read.length = 0;
      await harness.clock.advance(200);
      expect(verdicts).toEqual(['fresh']);
      expect(read).toEqual([]);
      const { message } = harness.subscriber.latest(quotes, 'A');
      expect(message).toMatchObject({ seq: 2, data: { symbol: 'A', price: 2.5 } });
      expect(harness.subscriber.latest(quotes, 'A').message).toEqual(message);
      expect(read).toEqual(['2.5']);
    },
  );
});
