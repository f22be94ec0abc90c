import { describe, expect, it } from 'vitest';
import { barChannel, CHANNELS, priceChannel, tradeChannel, venueOf } from '../../constants.ts';
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

  it.each(['PRICE_DATA', 'PRICE_DATA.kraken', 'PRICE_DATA.a.b', 'PRICE_DATA.'])(
    'name the venue of %s',
    (name) => {
      const venue = venueOf(name);
      expect(venue === undefined ? 'PRICE_DATA' : `PRICE_DATA.${venue}`).toBe(name);
    },
  );

  it('have keys of their own on the status channels, and PRICE_DATA keeps those of earlier versions', () => {
    const { FEED_STATUS, INSTRUMENT_STATUS } = CHANNELS;
    const about = { feed: 'alpaca', symbol: 'BTC/USD' };
    const keys = ['PRICE_DATA', 'PRICE_DATA.kraken'].map((channel) =>
      [FEED_STATUS, INSTRUMENT_STATUS].map((each) => each.keyOf({ ...about, channel })),
    );
    expect(keys).toEqual([
      ['alpaca', 'BTC/USD'],
      ['PRICE_DATA.kraken', 'PRICE_DATA.kraken BTC/USD'],
    ]);
    expect([FEED_STATUS.keyOf(about), INSTRUMENT_STATUS.keyOf(about)]).toEqual(keys[0]);
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
