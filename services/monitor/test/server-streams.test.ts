// What the monitor streams, over real HTTP and a real Redis: snapshots, what has changed, and a tail.

import { CHANNELS } from 'tickbus/constants';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Delta, Snapshot, TailBatch } from '../page-protocol.ts';
import { EventStream } from './monitor.fixture.ts';
import { MonitorServer } from './monitor-server.fixture.ts';

let world: MonitorServer;
beforeAll(async () => {
  world = await MonitorServer.open();
});
afterAll(() => world.close());

describe('streams', () => {
  it('a snapshot first, then what has changed, at its own pace', async () => {
    const stream = await EventStream.open(`${world.monitor.url}/api/stream`);
    const first = await stream.next();
    expect(first.event).toBe('snapshot');
    const snapshot = JSON.parse(first.data) as Snapshot;
    expect(snapshot.about).toMatchObject({ canSend: true, redis: new URL(world.redis.url).host });

    const MESSAGES = 500;
    for (let price = 1; price <= MESSAGES; price++)
      void world.publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'MANY', price, timestamp: Date.now() });
    const seen: number[] = [];
    while (seen.at(-1) !== MESSAGES) {
      const { event, data } = await stream.next();
      expect(event).toBe('delta');
      for (const row of (JSON.parse(data) as Delta).prices ?? [])
        if (row.symbol === 'MANY') seen.push(row.price ?? 0);
    }
    // However many messages there were, a frame has the newest of each symbol and no other.
    expect(seen.length).toBeLessThan(MESSAGES / 10);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    stream.close();
  });

  it('a snapshot again to a browser that was too slow, and nothing is kept for it', async () => {
    // Rows of 50 KB, so that the socket of a browser that does not read is soon full.
    const subscriptions = Array.from({ length: 50 }, () => 'x'.repeat(1_000));
    const noise = setInterval(() => {
      for (let behind = 0; behind < 20; behind++)
        world.publisher
          .publish(CHANNELS.BOT_STATUS, { bot: `large-${behind}`, state: 'running', behind, subscriptions })
          .catch(() => {});
    }, 150);
    const stream = await EventStream.open(`${world.monitor.url}/api/stream`);
    const first = JSON.parse((await stream.next()).data) as Snapshot;
    stream.pause();
    const other = await EventStream.open(`${world.monitor.url}/api/stream`);
    // More than the sockets between hold.
    let bytes = 0;
    while (bytes < 20_000_000) {
      const { data } = await other.next();
      bytes += data.length;
    }
    clearInterval(noise);
    stream.resume();
    let later = await stream.next();
    let before = first.frame;
    while (later.event === 'delta') {
      // As long as it is a delta, it is the very next one.
      expect((JSON.parse(later.data) as Delta).frame).toBe(before + 1);
      before++;
      later = await stream.next();
    }
    expect(later.event).toBe('snapshot');
    expect((JSON.parse(later.data) as Snapshot).frame).toBeGreaterThan(before + 1);
    other.close();
    stream.close();
  });

  it('a tail of what passes the filter, and how many were too many', async () => {
    const stream = await EventStream.open(
      `${world.monitor.url}/api/tail?channel=PRICE_DATA&key=tail&text=0.5`,
    );
    expect((await stream.next()).event).toBe('open');
    for (const [symbol, price] of [
      ['TAIL-A', 0.5],
      ['TAIL-B', 2],
      ['OTHER', 0.5],
    ] as const)
      await world.publisher.publish(CHANNELS.PRICE_DATA, { symbol, price, timestamp: 1 });
    const { messages, skipped } = JSON.parse((await stream.next()).data) as TailBatch;
    expect(messages.map(({ data }) => JSON.parse(data).symbol)).toEqual(['TAIL-A']);
    expect(messages[0]).toMatchObject({ channel: 'PRICE_DATA', type: 'price', sender: 'test' });
    expect(skipped).toBe(0);

    const MANY = 300;
    for (let index = 0; index < MANY; index++)
      void world.publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'TAIL-C', price: 0.5, timestamp: index });
    let shown = 0;
    let left = 0;
    let newest = -1;
    while (newest < MANY - 1) {
      const batch = JSON.parse((await stream.next()).data) as TailBatch;
      shown += batch.messages.length;
      left += batch.skipped;
      newest = JSON.parse(batch.messages.at(-1)?.data ?? '{}').timestamp;
    }
    expect(shown + left).toBeLessThanOrEqual(MANY);
    expect(left).toBeGreaterThan(0);
    stream.close();
  });
});
