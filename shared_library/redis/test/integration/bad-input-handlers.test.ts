// Handlers, filters and listeners that throw, on Redis and in memory: others receive everything.

import { EventRecorder, eventLoopTurns, RecordingLogger } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { describeOnServers } from './bad-input.fixture.ts';

describeOnServers((server) => {
  describe('handlers', () => {
    const BURST = 2_000;
    const NUMBERS = defineChannel('NUMBERS', {
      kind: 'event',
      messages: { number: z.object({ n: z.number() }) },
    });

    it('that throw or reject do not affect other handlers or the process', async () => {
      const unhandled: unknown[] = [];
      const listener = (reason: unknown) => unhandled.push(reason);
      process.on('unhandledRejection', listener);
      const logger = new RecordingLogger();
      const subscriber = new RedisSubscriber({ ...server().options, logger });
      // The deadline is generous: this test is not about timing.
      const publisher = new RedisPublisher({ ...server().options, deadlineMs: 20_000 });
      const quick = new EventRecorder<number>();
      const awaited = new EventRecorder<number>();
      const errors = new EventRecorder<string>();
      const filter = () => {
        throw new Error('in a filter');
      };
      subscriber.on('status', () => {
        throw new Error('in a listener');
      });
      subscriber.on('handler_error', ({ error }) => errors.add((error as Error).message));
      subscriber.subscribe(NUMBERS, () => {
        throw new Error('thrown');
      });
      subscriber.subscribe(NUMBERS, async () => {
        throw new Error('rejected');
      });
      subscriber.subscribe(NUMBERS, () => {}, { where: filter });
      subscriber.subscribe(NUMBERS, ({ data }) => quick.add(data.n));
      subscriber.subscribe(NUMBERS, async ({ data }) => {
        await Promise.resolve();
        awaited.add(data.n);
      });
      await subscriber.startListening();
      const numbers = Array.from({ length: BURST }, (_value, n) => n);
      await Promise.all(numbers.map((n) => publisher.publish(NUMBERS, { n })));
      expect(await quick.reaches(BURST)).toEqual(numbers);
      expect(await awaited.reaches(BURST)).toEqual(numbers);
      await errors.reaches(BURST * 3);
      const count = (message: string) => errors.items.filter((one) => one === message).length;
      expect([count('thrown'), count('rejected'), count('in a filter')]).toEqual([BURST, BURST, BURST]);
      expect(subscriber.status(NUMBERS)).toMatchObject({
        received: BURST,
        handlerErrors: BURST * 3,
        lost: 0,
        gaps: 0,
      });
      expect(logger.lines.some(({ fields }) => 'event' in fields && fields.event === 'status')).toBe(true);
      await subscriber.close();
      await publisher.close();
      await eventLoopTurns();
      process.off('unhandledRejection', listener);
      expect(unhandled).toEqual([]);
    });
  });
});
