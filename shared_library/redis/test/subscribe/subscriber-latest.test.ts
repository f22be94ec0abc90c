// latest(): the newest message of a key as schema output, live and as a snapshot.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import type { Message } from '../../wire/message.ts';
import { Bench } from '../library.fixture.ts';

describe('latest', () => {
  it.each(['message', 'batch'] as const)(
    'returns the schema output, live and as a snapshot (framing %s)',
    async (framing) => {
      const bench = new Bench();
      const quotes = defineChannel('QUOTES', {
        kind: 'state',
        key: 'symbol',
        framing,
        messages: { quote: z.object({ symbol: z.string(), price: z.string().transform(Number) }) },
      });
      const heard: Message[] = [];
      await bench.publisher.publish(quotes, { symbol: 'A', price: '1.5' });
      bench.subscriber.subscribe(quotes, (message) => heard.push(message));
      await bench.subscriber.startListening();
      await eventLoopTurns();
      expect(bench.subscriber.latest(quotes, 'A').message).toEqual(heard[0]);
      expect(heard[0]).toMatchObject({ data: { price: 1.5 }, snapshot: true });
      await bench.publisher.publish(quotes, { symbol: 'A', price: '2.5' });
      await eventLoopTurns();
      expect(bench.subscriber.latest(quotes, 'A').message).toEqual(heard[1]);
      expect(heard[1]).toMatchObject({ seq: 2, data: { price: 2.5 } });
      expect(heard[1]).not.toHaveProperty('snapshot');
    },
  );

  it.each(['message', 'batch'] as const)(
    'parses each message once and on demand, and shares no object with handlers (framing %s)',
    async (framing) => {
      const bench = new Bench();
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
      bench.subscriber.on('verdict', ({ verdict }) => verdicts.push(verdict));
      bench.subscriber.subscribe(
        quotes,
        ({ data }) => {
          data.price = 0;
        },
        { maxAgeMs: 1_000 },
      );
      await bench.subscriber.startListening();
      for (const price of ['1.5', '2.5']) await bench.publisher.publish(quotes, { symbol: 'A', price });
      await eventLoopTurns();
      read.length = 0;
      await bench.clock.advance(200);
      expect(verdicts).toEqual(['fresh']);
      expect(read).toEqual([]);
      const { message } = bench.subscriber.latest(quotes, 'A');
      expect(message).toMatchObject({ seq: 2, data: { symbol: 'A', price: 2.5 } });
      expect(bench.subscriber.latest(quotes, 'A').message).toBe(message);
      expect(read).toEqual(['2.5']);
    },
  );
});
