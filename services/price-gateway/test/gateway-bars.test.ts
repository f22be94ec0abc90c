// The path of a bar: simulated broker, official client, gateway, TRADES, bar builder, BARS. The builder alone requests
// the instruments.

import type { CorrectionEvent, TradeEvent } from '@tickbus/capture';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { expect, it } from 'vitest';
import { startBarService } from '../../bar-builder/test/bar-service.fixture.ts';
import { PublishedBars } from '../../bar-builder/test/published-bars.fixture.ts';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';
import { SILENT } from './gateway.fixture.ts';
import { TradeBot } from './trades/trade-bot.fixture.ts';

const testbed = useEmbeddedGateways();

/** A full second of the venue, long ago. */
const START = Date.UTC(2026, 0, 2, 15, 30);

function trade(id: number, price: number, after: number, more: Partial<TradeEvent> = {}): TradeEvent {
  const timestamp = START + after;
  return { kind: 'trade', symbol: 'AAPL', price, size: 10, timestamp, trade_id: String(id), ...more };
}

const original = (id: number, price: number) => ({ trade_id: String(id), price, size: 10 });

it('revises bars for what the venue corrects and cancels, and continues after a reconnection', async () => {
  const bars = new PublishedBars();
  await using observer = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  observer.tap(CHANNELS.BARS, ({ message }) => bars.add(message.data));
  await observer.startListening();
  await using trades = await TradeBot.start(testbed.redis.url, []);
  await using service = await startBarService(testbed.redis.url, { lengths: ['1s'], symbols: ['AAPL'] });
  await service.isActive();
  await testbed.startGateway({ symbols: [] });
  const bar = (second: number) =>
    expect.poll(async () => {
      service.clock.setNow(Date.now());
      await service.clock.advance(25);
      return bars.last.get(`AAPL/1s/${START + second * 1_000}`);
    });
  // A gap ends when the broker has acknowledged the instrument.
  await expect.poll(() => trades.of('trade_gap').length).toBe(1);

  const { market } = testbed;
  market.push(trade(1, 9, -1_000), trade(2, 10, 100), trade(3, 50, 200), trade(4, 11, 300));
  market.push(trade(5, 1, 400, { conditions: ['@', 'I'] }), trade(6, 12, 1_000));
  await bar(0).toMatchObject({
    revision: 0,
    open: 10,
    high: 50,
    low: 10,
    close: 11,
    volume: 40,
    complete: true,
  });
  market.push({
    kind: 'cancel',
    symbol: 'AAPL',
    original: original(3, 50),
    reason: 'error',
    timestamp: START + 1_100,
  });
  await bar(0).toMatchObject({ revision: 1, open: 10, high: 11, low: 10, close: 11, volume: 30 });
  const correction: CorrectionEvent = {
    kind: 'correction',
    symbol: 'AAPL',
    original: original(4, 11),
    corrected: { trade_id: '14', price: 10.5, size: 7 },
    timestamp: START + 1_200,
  };
  market.push(correction);
  await bar(0).toMatchObject({ revision: 2, high: 10.5, close: 10.5, volume: 27, trades: 3, complete: true });

  testbed.broker.faults.drop();
  await expect.poll(() => trades.of('trade_gap').length).toBe(2);
  // Each poll moves the time of the builder, up to which trades may be missing; so the venue is a minute later.
  market.push(trade(6, 12, 1_000), trade(7, 13, 60_000), trade(8, 14, 61_000), trade(9, 15, 62_000));
  // The connection was interrupted in the second of the last trade.
  await bar(1).toMatchObject({ trades: 1, complete: false });
  await bar(61).toMatchObject({ trades: 1, complete: true });
  expect(bars.repeated).toEqual([]);
});
