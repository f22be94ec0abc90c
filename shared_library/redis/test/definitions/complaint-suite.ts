// The publisher whose definition is recorded logs who defines its channel differently, on any server.

import { errorOf, RecordingLogger } from '@tickbus/test-kit';
import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Channel, defineChannel } from '../../channel/channel.ts';
import { RedisLease } from '../../lease.ts';
import { RedisPublisher } from '../../publisher.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import type { Connection } from '../../transport/port.ts';
import { useConnections } from '../connections.fixture.ts';

const messages = { fill: z.object({ order: z.string(), symbol: z.string() }) };
const WAIT = { timeout: 60_000, interval: 5 };
const READ_INTERVAL_MS = 10_000;
let channels = 0;

/** One channel, as several programs define it. */
function definitions() {
  const name = `COMPLAINTS_${++channels}`;
  const state = { kind: 'state', messages } as const;
  const event = { kind: 'event', key: 'order', history: 10, messages } as const;
  return {
    name,
    state: defineChannel(name, { ...state, key: 'order' }),
    otherKey: defineChannel(name, { ...state, key: 'symbol' }),
    byFunction: defineChannel(name, { ...state, key: ({ order, symbol }) => `${order}@${symbol}` }),
    event: defineChannel(name, event),
    longer: defineChannel(name, { ...event, history: 20 }),
    split: defineChannel(name, { ...event, partitions: 16 }),
    splitByFour: defineChannel(name, { ...event, partitions: 4 }),
    splitOtherKey: defineChannel(name, { ...event, key: 'symbol', partitions: 16 }),
    plain: defineChannel(name, { kind: 'plain', messages }),
  };
}

type Fills = ReturnType<typeof definitions>['state' | 'event' | 'plain'];

export function describeComplaints(server: string, connect: () => Promise<Connection>): void {
  describe(`complaints about a definition, on ${server}`, { timeout: 120_000 }, () => {
    const { open, closing } = useConnections(connect);
    /** A publisher whose clock stands still between its messages. */
    const program = async (sender: string, connection?: Connection, lease?: RedisLease) => {
      const [logger, clock] = [new RecordingLogger(), new ManualClock()];
      const publisher = new RedisPublisher({
        connection: connection ?? (await open()),
        sender,
        logger,
        clock,
        ...(lease && { lease }),
      });
      closing.push(() => publisher.close());
      const send = (channel: Channel, count = 1) =>
        Promise.all(
          Array.from({ length: count }, (_, index) =>
            publisher.publish(channel as Fills, { order: `o${index}`, symbol: 'AAPL' }),
          ),
        );
      const lines = () => logger.lines.filter(({ level }) => level === 'error' || level === 'warn');
      /** Publishes after each interval until a line is logged. */
      const reportsOn = async (channel: Channel) => {
        const next = async () => {
          clock.skip(READ_INTERVAL_MS);
          await send(channel).catch(() => {});
          return lines().length;
        };
        await expect.poll(next, WAIT).toBeGreaterThan(0);
        for (let time = 0; time < 3; time++) await next();
        return lines();
      };
      return { publisher, clock, lines, send, reportsOn };
    };
    const listener = async (channel: Channel, name: string) => {
      const logger = new RecordingLogger();
      const subscriber = new RedisSubscriber({ connection: await open(), name, logger });
      closing.push(() => subscriber.close({ timeoutMs: 0 }));
      subscriber.subscribe(channel as Fills, () => {});
      await subscriber.startListening();
    };

    it.each([
      ['state', 'event', 'error', ['kind'], 'kind=event key=order history=10'],
      ['state', 'otherKey', 'error', ['key'], 'kind=state key=symbol'],
      ['state', 'byFunction', 'error', ['key'], 'kind=state key=function()'],
      ['byFunction', 'state', 'error', ['key'], 'kind=state key=order'],
      ['split', 'splitOtherKey', 'error', ['key'], 'kind=event key=symbol history=10'],
      ['event', 'split', 'warn', ['partitions'], 'kind=event key=order history=10 partitions=16'],
    ] as const)(
      'a publisher of %s reports a subscriber of %s, once and by name',
      async (first, second, level, fields, recorded) => {
        const channel = definitions();
        const alpha = await program('alpha');
        await alpha.send(channel[first], 20);
        await listener(channel[second], 'gamma');
        const lines = await alpha.reportsOn(channel[first]);
        expect(lines).toEqual([expect.objectContaining({ level })]);
        expect(lines[0]?.fields).toMatchObject({ channel: channel.name, fields, recorded, by: 'gamma' });
        for (const part of [channel.name, `"${recorded}" by gamma`, 'docs/definitions.md'])
          expect(lines[0]?.message).toContain(part);
      },
    );

    it.each([
      ['state', 'event', 'error', 'kind'],
      ['state', 'otherKey', 'error', 'key'],
      ['split', 'splitOtherKey', 'error', 'key'],
      ['split', 'splitByFour', 'warn', 'partitions'],
      ['event', 'split', 'warn', 'partitions'],
    ] as const)(
      'a publisher of %s reports a refused one of %s, once and by name',
      async (first, second, level, field) => {
        const channel = definitions();
        const [alpha, beta] = [await program('alpha'), await program('beta')];
        await alpha.send(channel[first], 20);
        for (let time = 0; time < 2; time++)
          expect(await errorOf(beta.send(channel[second], 20))).toMatchObject({ field });
        const lines = await alpha.reportsOn(channel[first]);
        expect(lines).toEqual([expect.objectContaining({ level })]);
        expect(lines[0]?.fields).toMatchObject({ fields: [field], by: 'beta' });
        expect(beta.lines()).toEqual([]);
      },
    );

    it('a lease holder and a publisher that it has fenced report each other', async () => {
      const channel = definitions();
      const alpha = await program('alpha');
      await alpha.send(channel.state);
      const connection = await open();
      await useLeasesOnce(connection, channel.state, 1);
      const logger = new RecordingLogger();
      const lease = new RedisLease({ connection, channel: channel.otherKey, ttlMs: 60_000, logger });
      closing.push(() => lease.close());
      const gained = new Promise<void>((resolve) => lease.on('gained', () => resolve()));
      await lease.start();
      await gained;
      const holder = await program('holder', connection, lease);
      await holder.send(channel.otherKey);
      const [line, ...others] = await alpha.reportsOn(channel.state);
      expect(line?.fields).toMatchObject({ fields: ['key'], recorded: 'kind=state key=symbol' });
      expect(others).toEqual([]);
      expect((await holder.reportsOn(channel.otherKey))[0]?.fields).toMatchObject({
        fields: ['key'],
        by: 'alpha',
      });
    });

    it('nobody reports details, agreement, and plain clients', async () => {
      const channel = definitions();
      const [alpha, plain] = [await program('alpha'), await program('plain')];
      await alpha.send(channel.event);
      // A subscriber that listens has compared the definitions.
      for (const other of [channel.longer, channel.event, channel.plain]) await listener(other, 'gamma');
      const { publishing } = await open();
      await publishing.connect();
      expect(await publishing.head(channel.event)).not.toHaveProperty('conflict');
      await publishing.complain(channel.event, 'kind=state key=order by=delta');
      await plain.send(channel.plain);
      plain.clock.skip(READ_INTERVAL_MS);
      await plain.send(channel.plain);
      expect((await alpha.reportsOn(channel.event)).map(({ fields }) => fields)).toEqual([
        expect.objectContaining({ fields: ['kind'], by: 'delta' }),
      ]);
      // A publisher of kind plain reads no complaint.

      expect(plain.lines()).toEqual([expect.objectContaining({ level: 'warn' })]);
    });
  });
}
