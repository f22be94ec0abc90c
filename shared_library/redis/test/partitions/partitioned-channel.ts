// What holds for a channel with partitions on every server.

import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { partitionSpecs } from '../../channel/partition-specs.ts';
import { partitionOf } from '../../channel/partitions.ts';
import { RedisPublisher } from '../../publisher.ts';
import type { Connection } from '../../transport/port.ts';
import { fills, leasedPublisher, listen, prices, SYMBOLS, type Tick } from './partitions.fixture.ts';

/** @param connect a new connection to an empty server */
export function describePartitions(name: string, connect: () => Promise<Connection>): void {
  describe(`partitions: ${name}`, () => {
    let connection: Connection;
    const closing: (() => unknown)[] = [];
    beforeEach(async () => {
      connection = await connect();
    });
    afterEach(async () => {
      for (const close of closing.splice(0).reverse()) await close();
      await connection.close();
    });

    const newPublisher = () => {
      const publisher = new RedisPublisher({ connection });
      closing.push(() => publisher.close());
      return publisher;
    };
    const listening = async (...[channel, keys]: [ReturnType<typeof prices>, (readonly string[])?]) => {
      const listener = await listen(connection, channel, keys);
      closing.push(() => listener.subscriber.close({ timeoutMs: 0 }));
      return listener;
    };
    const holding = async (channel: ReturnType<typeof prices>) => {
      const held = await leasedPublisher(connection, channel);
      closing.push(held.close);
      return held;
    };
    const publishRound = (publisher: RedisPublisher, channel: ReturnType<typeof prices>, n: number) =>
      Promise.all(SYMBOLS.map((symbol) => publisher.publish(channel, { symbol, n })));

    it('every message arrives once, in the order of its key, with its partition in the result', async () => {
      const publisher = newPublisher();
      const channel = fills(4);
      await publishRound(publisher, channel, 0);
      const { received, subscriber, gaps } = await listening(fills());
      for (let n = 1; n <= 20; n++) {
        const published = await publishRound(publisher, channel, n);
        expect(published.map(({ partition }) => partition)).toEqual(
          SYMBOLS.map((key) => partitionOf(key, 4)),
        );
      }
      const all = await received.reaches(20 * SYMBOLS.length);
      for (const symbol of SYMBOLS)
        expect(numbersOf(all, symbol)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
      expect(gaps).toEqual([]);
      expect(subscriber.status(fills())).toMatchObject({ partitions: 4, received: 20 * SYMBOLS.length });
    });

    it('a subscriber that names keys receives only their partitions', async () => {
      const publisher = newPublisher();
      const channel = prices(16);
      await publishRound(publisher, channel, 0);
      const key = SYMBOLS[3] as string;
      const { received, subscriber } = await listening(channel, [key]);
      await received.reaches(1);
      await publishRound(publisher, channel, 1);
      await received.reaches(2);
      const neighbours = SYMBOLS.filter((other) => partitionOf(other, 16) === partitionOf(key, 16));
      const { received: count, partitions, delivered } = subscriber.status(channel) ?? {};
      expect({ count, partitions, delivered }).toEqual({
        count: neighbours.length,
        partitions: 16,
        delivered: 2,
      });
      expect(received.items).toEqual([
        { symbol: key, n: 0, snapshot: true },
        { symbol: key, n: 1, snapshot: false },
      ]);
      expect(subscriber.latest(channel, key).message?.data).toEqual({ symbol: key, n: 1 });
      expect(subscriber.requireFresh(channel, key, { maxAgeMs: 60_000 }).data.n).toBe(1);
    });

    it('a late joiner gets the last value of every key, whatever its partition', async () => {
      const publisher = newPublisher();
      await publishRound(publisher, prices(16), 7);
      const { received } = await listening(prices());
      const got = await received.reaches(SYMBOLS.length);
      expect(got.map(({ symbol }) => symbol).sort()).toEqual([...SYMBOLS].sort());
      expect(got.every(({ n, snapshot }) => n === 7 && snapshot)).toBe(true);
    });

    it('a publisher without a number follows the one on the server', async () => {
      await newPublisher().publish(fills(8), { symbol: 'first', n: 0 });
      const { received } = await listening(fills());
      const follower = newPublisher();
      const published = await Promise.all(
        SYMBOLS.flatMap((symbol) => [1, 2, 3].map((n) => follower.publish(fills(), { symbol, n }))),
      );
      expect(published[0]?.partition).toBe(partitionOf(SYMBOLS[0], 8));
      const all = await received.reaches(3 * SYMBOLS.length);
      for (const symbol of SYMBOLS) expect(numbersOf(all, symbol)).toEqual([1, 2, 3]);
    });

    it('a publisher with another number is refused, and nothing is published', async () => {
      await newPublisher().publish(fills(8), { symbol: 'S0', n: 0 });
      const { received } = await listening(fills());
      for (const wrong of [4, 1]) {
        const refused = newPublisher().publish(fills(wrong), { symbol: 'S0', n: wrong });
        await expect(refused).rejects.toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'partitions' });
        await expect(refused).rejects.toThrow(/has 8 partitions on the server, and the message was for/);
      }
      await newPublisher().publish(fills(8), { symbol: 'S0', n: 9 });
      expect(await received.reaches(1)).toMatchObject([{ n: 9 }]);
    });

    it('a channel that was used without partitions keeps one', async () => {
      await newPublisher().publish(fills(), { symbol: 'S0', n: 0 });
      const refused = newPublisher().publish(fills(4), { symbol: 'S0', n: 1 });
      await expect(refused).rejects.toThrow(/has 1 partition on the server, and the message was for 4/);
    });

    it.each([
      [1, 4],
      [4, 1],
      [4, 16],
      [16, 4],
    ])(
      'the holder of the lease changes %i to %i, and a subscriber follows without a silent loss',
      async (from, to) => {
        await useLeasesOnce(connection, fills(), from, to);
        const { received, gaps, subscriber } = await listening(fills());
        const first = await holding(fills(from));
        for (let n = 1; n <= 5; n++) await publishRound(first.publisher, fills(from), n);
        await received.reaches(5 * SYMBOLS.length);
        await first.close();
        const second = await holding(fills(to));
        for (let n = 6; n <= 10; n++) await publishRound(second.publisher, fills(to), n);
        const all = await received.reaches(10 * SYMBOLS.length);
        for (const symbol of SYMBOLS) expect(numbersOf(all, symbol)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        expect(subscriber.status(fills())?.partitions).toBe(to);
        expect(gaps.length).toBeGreaterThan(0);
        expect(
          gaps.every(
            ({ channel, cause, repaired }) => channel === 'FILLS' && (repaired || cause === 'epoch'),
          ),
        ).toBe(true);
      },
    );

    it('two changes that a subscriber does not see are reported as a gap', async () => {
      await useLeasesOnce(connection, fills(), 1, 4);
      const { received, gaps } = await listening(fills());
      for (const partitions of [4, 1]) {
        const held = await holding(fills(partitions));
        await publishRound(held.publisher, fills(partitions), partitions);
        await held.close();
      }
      await received.first(({ n }) => n === 1);
      const isMissed = !received.items.some(({ n }) => n === 4);
      expect(gaps.some(({ cause, repaired }) => cause === 'epoch' && !repaired)).toBe(true);
      expect(isMissed || received.items.length === 2 * SYMBOLS.length).toBe(true);
    });

    it('the next holder changes the number, although the last one crashed on every partition', async () => {
      await useLeasesOnce(connection, fills(), 4, 2);
      const first = await holding(fills(4));
      await publishRound(first.publisher, fills(4), 1);
      await first.close();
      // Leases that nobody releases, as those of a killed process.
      const crashed = await Promise.all(
        [fills(), ...partitionSpecs(fills(), 4)].map((spec) =>
          connection.publishing.lease(spec).acquire(300),
        ),
      );
      expect(crashed.map(({ state }) => state)).toEqual(Array(5).fill('held'));
      const { received } = await listening(fills());
      const next = await holding(fills(2));
      await publishRound(next.publisher, fills(2), 2);
      const all = await received.reaches(SYMBOLS.length);
      expect(all.map(({ n }) => n)).toEqual(Array(SYMBOLS.length).fill(2));
    });

    it('values of former partitions are not kept, and a publisher of the former number is refused', async () => {
      await useLeasesOnce(connection, prices(), 4, 2);
      const first = await holding(prices(4));
      await publishRound(first.publisher, prices(4), 1);
      await first.close();
      const follower = newPublisher();
      const second = await holding(prices(2));
      await second.publisher.publish(prices(2), { symbol: 'S1', n: 2 });
      await expect(follower.publish(prices(4), { symbol: 'S1', n: 3 })).rejects.toMatchObject({
        code: expect.stringMatching(/TICKBUS_(FENCED|INVALID_OPTION)/),
      });
      await second.close();
      const { received, subscriber } = await listening(prices());
      expect(await received.reaches(1)).toEqual([{ symbol: 'S1', n: 2, snapshot: true }]);
      expect(subscriber.latest(prices(), 'S2')).toMatchObject({ message: undefined });
    });

    it('only the holder of the lease publishes, on every partition', async () => {
      const channel = prices(4);
      await useLeasesOnce(connection, channel, 4);
      const { publisher, lease } = await holding(channel);
      await publishRound(publisher, channel, 1);
      for (const symbol of SYMBOLS)
        await expect(newPublisher().publish(channel, { symbol, n: 2 })).rejects.toMatchObject({
          code: 'TICKBUS_FENCED',
        });
      await lease.release();
      await expect(publisher.publish(channel, { symbol: 'S0', n: 3 })).rejects.toMatchObject({
        code: 'TICKBUS_FENCED',
      });
      const next = await holding(prices());
      const [published] = await publishRound(next.publisher, channel, 4);
      expect(published?.partition).toBe(partitionOf(SYMBOLS[0], 4));
    });

    it('a plain message on the channel itself still reaches the handlers', async () => {
      await newPublisher().publish(fills(4), { symbol: 'S0', n: 0 });
      const { received } = await listening(fills());
      await connection.publishing.publish({ name: 'FILLS', kind: 'plain', history: 0 }, [
        {
          json: JSON.stringify({
            message_type: 'tick',
            data: { symbol: 'S0', n: 5 },
            timestamp: 1,
            sender: 'plain',
          }),
        },
      ]);
      expect(await received.reaches(1)).toMatchObject([{ n: 5 }]);
    });
  });
}

function numbersOf(received: readonly Tick[], symbol: string): number[] {
  return received.filter((tick) => tick.symbol === symbol).map(({ n }) => n);
}
