// The bars of recorded sessions equal those that an independent script computes from the raw frames.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readCapture, toMarketEvents } from '@tickbus/capture';
import { startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { describe, expect, it } from 'vitest';
import { startBarService } from './bar-service.fixture.ts';
import { PublishedBars } from './published-bars.fixture.ts';

const FOLDER = fileURLToPath(new URL('../../../../shared/data/', import.meta.url));
const SCRIPT = fileURLToPath(new URL('./recompute-recording.fixture.mjs', import.meta.url));

interface ScriptBar {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly trades: number;
  readonly turnover: number;
}

describe.each([
  ['coinbase-2021-04-17.jsonl.gz', 107],
  ['binance-futures-2021-07-22.jsonl.gz', 91],
])('%s', (name, count) => {
  const file = FOLDER + name;
  const isMissing = !existsSync(file);
  if (isMissing)
    console.warn(`Skipped: ${file} is missing. The recorded sessions are not part of the repository.`);

  it.skipIf(isMissing)('all bars are equal', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, file]);
    const expected = JSON.parse(stdout) as Record<string, ScriptBar>;

    await using redis = await startLocalRedis();
    await using publisher = new RedisPublisher({ url: redis.url, logger: silentLogger });
    await using subscriber = new RedisSubscriber({ url: redis.url, logger: silentLogger });
    const bars = new PublishedBars();
    subscriber.tap(CHANNELS.BARS, ({ message }) => bars.add(message.data));
    await subscriber.startListening();
    await using service = await startBarService(redis.url, {
      lengths: ['1s', '5s', '1m', '1h', '1d'],
      reviseMs: 86_400_000,
    });
    await service.isActive();

    let trades = 0;
    for await (const record of readCapture(file)) {
      for (const event of toMarketEvents(record)) {
        if (event.kind !== 'trade') continue;
        const { kind: _, ...trade } = event;
        await publisher.publish(CHANNELS.TRADES, trade);
        trades++;
      }
    }
    expect(trades).toBe(count);
    // Ends the day of the venue.
    service.clock.skip(2 * 86_400_000);
    await expect
      .poll(async () => {
        await service.clock.advance(50);
        return [...bars.last.keys()].sort();
      })
      .toEqual(Object.keys(expected).sort());
    for (const [key, bar] of bars.last) {
      const { turnover = 0, ...rest } = expected[key] ?? {};
      const volume = expected[key]?.volume ?? 0;
      expect({ key, ...bar }).toMatchObject({ key, ...rest, volume: expect.closeTo(volume, 8) });
      expect((bar.vwap ?? 0) / (turnover / volume)).toBeCloseTo(1, 10);
    }
    expect(bars.repeated).toEqual([]);
    expect(service.stats.ignored).toMatchObject({ tooLate: 0, ahead: 0, repeated: 0 });
  });
});
