import { describe, expect, it } from 'vitest';
import { barChannel, CHANNELS, priceChannel, tradeChannel } from '../../constants.ts';
import { trade, tradeCancel, tradeCorrection } from '../../index.ts';

describe('channels of venues', () => {
  it('have the names of the bundled channels without a venue', () => {
    expect([priceChannel(), tradeChannel(), barChannel()].map(String)).toEqual([
      'PRICE_DATA',
      'TRADES',
      'BARS',
    ]);
  });

  it('differ from the bundled channels in their name only', () => {
    const { name: _, ...ofVenue } = { ...priceChannel('kraken') };
    const { name: __, ...bundled } = { ...CHANNELS.PRICE_DATA };
    expect(ofVenue).toEqual(bundled);
    expect([tradeChannel('kraken'), barChannel('kraken')].map(String)).toEqual([
      'TRADES.kraken',
      'BARS.kraken',
    ]);
  });

  it.each(['two words', 'a{b}', 'x'.repeat(128)])('reject the venue "%s"', (venue) => {
    expect(() => priceChannel(venue)).toThrow(/invalid name/);
  });

  it('identify a bar by symbol and interval', () => {
    expect(barChannel().keyOf({ symbol: 'BTC/USD', interval: '1m' })).toBe('BTC/USD/1m');
  });
});

describe('payloads of TRADES', () => {
  const execution = { symbol: 'AAPL', price: 100, size: 5, timestamp: 1_700_000_000_000 };

  it('accept what venues report', () => {
    const details = { trade_id: '7', conditions: ['@', 'I'], excluded_from: ['last'], taker_side: 'buy' };
    expect(trade.safeParse({ ...execution, ...details, late: true }).success).toBe(true);
    const { symbol, timestamp, ...original } = execution;
    const corrected = { ...original, price: 101, timestamp };
    expect(tradeCorrection.safeParse({ symbol, timestamp, original, corrected }).success).toBe(true);
    expect(tradeCancel.safeParse({ symbol, timestamp, original, reason: 'error' }).success).toBe(true);
  });

  it.each([
    [{ size: -1 }],
    [{ excluded_from: ['open'] }],
    [{ taker_side: 'both' }],
    [{ trade_id: '' }],
    [{ timestamp: '2026' }],
  ])('reject %j', (field) => {
    expect(trade.safeParse({ ...execution, ...field }).success).toBe(false);
  });
});
