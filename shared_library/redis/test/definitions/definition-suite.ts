// Publishers, lease holders and subscribers that define one channel differently, on any server.

import { EventRecorder, errorOf, RecordingLogger } from '@tickbus/test-kit';
import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Channel, defineChannel } from '../../channel/channel.ts';
import { DefinitionConflictError } from '../../channel/definition.ts';
import { RedisLease } from '../../lease.ts';
import { RedisPublisher } from '../../publisher.ts';
import type { ConflictReport } from '../../subscribe/status.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import type { Connection } from '../../transport/port.ts';
import { useConnections } from '../connections.fixture.ts';

const messages = { fill: z.object({ order: z.string(), symbol: z.string() }) };
const FILL = { order: 'o1', symbol: 'AAPL' };
const WAIT = { timeout: 60_000, interval: 5 };
let channels = 0;

/** One channel, as several programs define it. */
function definitions() {
  const name = `FILLS_${++channels}`;
  const event = { kind: 'event', key: 'order', messages } as const;
  const state = { kind: 'state', messages } as const;
  return {
    name,
    state: defineChannel(name, { ...state, key: 'order' }),
    same: defineChannel(name, { ...state, key: 'order' }),
    otherKey: defineChannel(name, { ...state, key: 'symbol' }),
    byFunction: defineChannel(name, { ...state, key: ({ order, symbol }) => `${order}@${symbol}` }),
    sameByFunction: defineChannel(name, { ...state, key: ({ order }) => order }),
    event: defineChannel(name, { ...event, history: 10 }),
    longer: defineChannel(name, { ...event, history: 20 }),
    perKey: defineChannel(name, { ...event, history: { perKey: 5, channel: 10 } }),
    keyless: defineChannel(name, { kind: 'event', history: 10, messages }),
    eventOtherKey: defineChannel(name, { ...event, key: 'symbol', history: 10 }),
    split: defineChannel(name, { ...event, history: 10, partitions: 4 }),
    splitOtherKey: defineChannel(name, { ...event, key: 'symbol', history: 10, partitions: 4 }),
    command: defineChannel(name, { kind: 'command', messages }),
    plain: defineChannel(name, { kind: 'plain', messages }),
  };
}

type Fills = ReturnType<typeof definitions>['state' | 'event' | 'command' | 'plain'];

export function describeConflicts(server: string, connect: () => Promise<Connection>): void {
  describe(`definitions that disagree, on ${server}`, { timeout: 120_000 }, () => {
    const { open, closing } = useConnections(connect);
    const program = async (sender: string) => {
      const logger = new RecordingLogger();
      const publisher = new RedisPublisher({ connection: await open(), sender, logger, deadlineMs: 60_000 });
      closing.push(() => publisher.close());
      return { publisher, logger, send: (channel: Channel) => publisher.publish(channel as Fills, FILL) };
    };
    const listener = async (channel: Channel) => {
      const logger = new RecordingLogger();
      const subscriber = new RedisSubscriber({ connection: await open(), logger });
      closing.push(() => subscriber.close({ timeoutMs: 0 }));
      const conflicts = new EventRecorder<ConflictReport>();
      const received = new EventRecorder<string>();
      subscriber.on('status', (status) => status.type === 'definition_conflict' && conflicts.add(status));
      subscriber.subscribe(channel as Fills, ({ data }) => received.add(data.order));
      await subscriber.startListening();
      return { subscriber, conflicts, received, logger };
    };
    const linesOf = ({ lines }: RecordingLogger, level: string) =>
      lines.filter((line) => line.level === level).map(({ message }) => message);

    it.each([
      ['state', 'event', 'kind', 'kind=state key=order', 'kind=event key=order history=10'],
      ['state', 'command', 'kind', 'kind=state key=order', 'kind=command key='],
      ['event', 'state', 'kind', 'kind=event key=order history=10', 'kind=state key=order'],
      ['command', 'event', 'kind', 'kind=command key=', 'kind=event key=order history=10'],
      ['state', 'otherKey', 'key', 'kind=state key=order', 'kind=state key=symbol'],
      ['split', 'splitOtherKey', 'key', 'kind=event key=order', 'kind=event key=symbol'],
    ] as const)(
      'a publisher of %s and one of %s: the second is refused, and both are named',
      async (first, second, field, recorded, own) => {
        const channel = definitions();
        const [a, b] = [await program('alpha'), await program('beta')];
        await a.send(channel[first]);
        const error = await errorOf(b.send(channel[second]));
        expect(error).toBeInstanceOf(DefinitionConflictError);
        expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field, retryable: false });
        for (const part of [channel.name, `another ${field}`, `"${own}`, `"${recorded}`, 'by alpha'])
          expect(String(error)).toContain(part);
        // It is refused until the definitions agree, and the first one goes on.
        expect(await errorOf(b.send(channel[second]))).toBeInstanceOf(DefinitionConflictError);
        await a.send(channel[first]);
      },
    );

    it('publishers whose definitions store the same messages in the same way report nothing', async () => {
      const channel = definitions();
      const [a, b, c] = [await program('alpha'), await program('beta'), await program('gamma')];
      for (const { send } of [a, b, a]) await send(channel.state);
      for (const same of [channel.same, channel.sameByFunction]) await c.send(same);
      for (const { logger } of [a, b, c]) expect(logger.lines).toEqual([]);
    });

    it.each([
      ['event', 'longer', 'history'],
      ['event', 'perKey', 'historyPerKey'],
      ['event', 'eventOtherKey', 'key'],
      ['state', 'plain', 'kind'],
    ] as const)(
      'a publisher of %s and one of %s: the second goes on, with one warning about %s',
      async (first, second, field) => {
        const channel = definitions();
        const [a, b] = [await program('alpha'), await program('beta')];
        await a.send(channel[first]);
        for (let time = 0; time < 3; time++) await b.send(channel[second]);
        expect(linesOf(b.logger, 'warn')).toEqual([expect.stringContaining(`another ${field}:`)]);
        expect(linesOf(b.logger, 'warn')[0]).toContain('by alpha');
        await a.send(channel[first]);
      },
    );

    it.each([
      ['state', 'event', 'error', ['kind']],
      ['event', 'state', 'error', ['kind']],
      ['state', 'otherKey', 'error', ['key']],
      ['event', 'longer', 'warning', ['history']],
      ['event', 'eventOtherKey', 'warning', ['key']],
      ['event', 'split', 'warning', ['partitions']],
      ['split', 'eventOtherKey', 'error', ['key']],
    ] as const)(
      'a publisher of %s and a subscriber of %s: the subscriber reports an %s about %s, whoever is first',
      async (written, read, severity, fields) => {
        const channel = definitions();
        const early = await listener(channel[read]);
        const { send } = await program('alpha');
        await send(channel[written]);
        await send(channel[written]);
        const late = await listener(channel[read]);
        for (const { subscriber, conflicts, logger } of [early, late]) {
          const report = await conflicts.first(() => true);
          expect(report).toMatchObject({ channel: channel.name, severity, fields, by: 'alpha' });
          const level = severity === 'error' ? 'error' : 'warn';
          await expect.poll(() => linesOf(logger, level).join(), WAIT).toContain('by alpha');
          expect(subscriber.status(channel[read])?.conflict).toMatchObject({ fields, severity });
        }
        // Messages are delivered, and the report is not repeated.
        await send(channel[written]);
        await expect.poll(() => early.received.items.length, WAIT).toBe(3);
        for (const { conflicts } of [early, late]) expect(conflicts.items).toHaveLength(1);
      },
    );

    it('a subscriber without a key, or of kind plain, reports none', async () => {
      const channel = definitions();
      const { send } = await program('alpha');
      await send(channel.event);
      const [keyless, plain] = [await listener(channel.keyless), await listener(channel.plain)];
      await send(channel.event);
      for (const { received, conflicts } of [keyless, plain]) {
        await received.reaches(1);
        expect(conflicts.items).toEqual([]);
      }
    });

    it.each([
      ['byFunction', 'state', 'o1@AAPL', 'o1'],
      ['state', 'byFunction', 'o1', 'o1@AAPL'],
    ] as const)(
      'keys that are functions are compared on a stored message: published as %s, subscribed as %s',
      async (written, read, stored, own) => {
        const channel = definitions();
        await (await program('alpha')).send(channel[written]);
        const { conflicts, logger } = await listener(channel[read]);
        expect(await conflicts.first(() => true)).toMatchObject({
          severity: 'error',
          fields: ['key'],
          example: { stored, own },
        });
        await expect.poll(() => linesOf(logger, 'error').join(), WAIT).toContain(`has the key "${own}" here`);
      },
    );

    it('a function and a field that give the same key agree', async () => {
      const channel = definitions();
      await (await program('alpha')).send(channel.state);
      const { received, conflicts, subscriber } = await listener(channel.sameByFunction);
      await received.reaches(1);
      expect([conflicts.items, subscriber.status(channel.sameByFunction)?.conflict]).toEqual([[], undefined]);
    });

    it('one publisher refuses two definitions of one channel, and a lease of another one', async () => {
      const channel = definitions();
      const { send } = await program('alpha');
      await send(channel.state);
      await send(channel.same);
      expect(await errorOf(send(channel.event))).toMatchObject({ field: 'kind' });
      expect(await errorOf(send(channel.otherKey))).toMatchObject({ field: 'key' });
      const connection = await open();
      const lease = new RedisLease({ connection, channel: channel.state, logger: new RecordingLogger() });
      const publisher = new RedisPublisher({ connection, lease });
      expect(await errorOf(publisher.publish(channel.event, FILL))).toMatchObject({ field: 'kind' });
    });

    describe('with a lease', () => {
      const gateway = async (channel: Channel, sender: string, isFirst = false) => {
        const connection = await open();
        if (isFirst) await useLeasesOnce(connection, channel, channel.partitions ?? 1);
        const logger = new RecordingLogger();
        const lease = new RedisLease({ connection, channel, ttlMs: 60_000, logger });
        const gained = new Promise<void>((resolve) => lease.on('gained', () => resolve()));
        closing.push(() => lease.close());
        await lease.start();
        await gained;
        const publisher = new RedisPublisher({ connection, lease, sender, logger, deadlineMs: 60_000 });
        closing.push(() => publisher.close());
        return { lease, logger, send: () => publisher.publish(channel as Fills, FILL) };
      };

      it.each([
        ['state', 'otherKey', 'error', 'key'],
        ['event', 'longer', 'warn', 'history'],
        ['split', 'splitOtherKey', 'error', 'key'],
      ] as const)(
        'a gateway that takes over from %s as %s reports it, and so do the subscribers of the former one',
        async (first, second, level, field) => {
          const channel = definitions();
          const former = await gateway(channel[first], 'former', true);
          await former.send();
          const { received, conflicts } = await listener(channel[first]);
          await former.lease.release();
          expect(conflicts.items).toEqual([]);
          const next = await gateway(channel[second], 'next');
          expect(linesOf(next.logger, level).join()).toContain(`another ${field}`);
          expect(await conflicts.first(() => true)).toMatchObject({
            severity: level === 'warn' ? 'warning' : 'error',
            fields: [field],
          });
          const before = received.items.length;
          await next.send();
          await expect.poll(() => received.items.length, WAIT).toBeGreaterThan(before);
        },
      );

      it('a takeover with the same definition is not reported', async () => {
        const channel = definitions();
        const former = await gateway(channel.state, 'former', true);
        await former.send();
        const { received, conflicts } = await listener(channel.state);
        await received.reaches(1);
        await former.lease.release();
        const next = await gateway(channel.same, 'next');
        await next.send();
        await received.reaches(2);
        expect(conflicts.items).toEqual([]);
        expect(next.logger.lines.filter((line) => line.level !== 'info')).toEqual([]);
      });

      it('a program without the lease that defines the channel differently is refused by the lease', async () => {
        const channel = definitions();
        await (await gateway(channel.state, 'gateway', true)).send();
        expect(await errorOf((await program('other')).send(channel.event))).toMatchObject({
          code: 'TICKBUS_FENCED',
        });
      });
    });
  });
}
