// Event streams over real HTTP and a real Redis: snapshots, deltas and tail.

import { CHANNELS } from 'tickbus/constants';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TailBatch } from '../api-protocol.ts';
import type { Delta, Snapshot } from '../page-protocol.ts';
import { EventStreamReader } from './monitor.fixture.ts';
import { MonitorServer } from './monitor-server.fixture.ts';

let server: MonitorServer;
beforeAll(async () => {
  server = await MonitorServer.open();
});
afterAll(() => server.close());

describe('streams', () => {
  it('sends a snapshot, then deltas at a fixed rate', async () => {
    const stream = await EventStreamReader.open(`${server.monitor.url}/api/stream`);
    const first = await stream.next();
    expect(first.event).toBe('snapshot');
    const snapshot = JSON.parse(first.data) as Snapshot;
    expect(snapshot.about).toMatchObject({ canSend: true, redis: new URL(server.redis.url).host });

    const MESSAGES = 500;
    for (let price = 1; price <= MESSAGES; price++)
      void server.publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'MANY', price, timestamp: Date.now() });
    const seen: number[] = [];
    while (seen.at(-1) !== MESSAGES) {
      const { event, data } = await stream.next();
      expect(event).toBe('delta');
      for (const row of (JSON.parse(data) as Delta).prices ?? [])
        if (row.symbol === 'MANY') seen.push(row.price ?? 0);
    }
    // A frame contains only the newest price of each symbol.
    expect(seen.length).toBeLessThan(MESSAGES / 10);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    stream.close();
  });

  it('sends a new snapshot to a slow browser and keeps no backlog for it', async () => {
    // Frames of 1 MB fill the socket of a browser that does not read.
    const subscriptions = Array.from({ length: 10 }, () => 'x'.repeat(128));
    const detail = 'x'.repeat(500);
    const noise = setInterval(() => {
      for (let behind = 0; behind < 500; behind++)
        server.publisher
          .publish(CHANNELS.BOT_STATUS, {
            bot: `bot-${behind}`,
            state: 'running',
            behind,
            detail,
            subscriptions,
          })
          .catch(() => {});
    }, 150);
    const stream = await EventStreamReader.open(`${server.monitor.url}/api/stream`);
    const first = JSON.parse((await stream.next()).data) as Snapshot;
    stream.pause();
    const other = await EventStreamReader.open(`${server.monitor.url}/api/stream`);
    // Waits until the monitor has sent more than the socket buffers of the paused stream hold.
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
      // A delta always follows the previous frame directly.
      expect((JSON.parse(later.data) as Delta).frame).toBe(before + 1);
      before++;
      later = await stream.next();
    }
    expect(later.event).toBe('snapshot');
    expect((JSON.parse(later.data) as Snapshot).frame).toBeGreaterThan(before + 1);
    other.close();
    stream.close();
  }, 90_000);

  it('tails matching messages and counts the skipped ones', async () => {
    const stream = await EventStreamReader.open(
      `${server.monitor.url}/api/tail?channel=PRICE_DATA&key=tail&text=0.5`,
    );
    expect((await stream.next()).event).toBe('open');
    for (const [symbol, price] of [
      ['TAIL-A', 0.5],
      ['TAIL-B', 2],
      ['OTHER', 0.5],
    ] as const)
      await server.publisher.publish(CHANNELS.PRICE_DATA, { symbol, price, timestamp: 1 });
    const { messages, skipped } = JSON.parse((await stream.next()).data) as TailBatch;
    expect(messages.map(({ data }) => JSON.parse(data).symbol)).toEqual(['TAIL-A']);
    expect(messages[0]).toMatchObject({ channel: 'PRICE_DATA', type: 'price', sender: 'test' });
    expect(skipped).toBe(0);

    const MANY = 300;
    for (let index = 0; index < MANY; index++)
      void server.publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'TAIL-C', price: 0.5, timestamp: index });
    let shown = 0;
    let dropped = 0;
    let newest = -1;
    while (newest < MANY - 1) {
      const batch = JSON.parse((await stream.next()).data) as TailBatch;
      shown += batch.messages.length;
      dropped += batch.skipped;
      newest = JSON.parse(batch.messages.at(-1)?.data ?? '{}').timestamp;
    }
    expect(shown + dropped).toBeLessThanOrEqual(MANY);
    expect(dropped).toBeGreaterThan(0);
    stream.close();
  });
});
