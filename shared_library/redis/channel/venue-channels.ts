// The channels of one venue. A desk with several venues has a gateway, and so a set of channels, for each.

import { defineChannel } from './channel.ts';
import { bar } from './schemas/bar.ts';
import { price } from './schemas/price-data.ts';
import { trade, tradeCancel, tradeCorrection, tradeGap } from './schemas/trade.ts';

/** Without a venue, the channel of the only gateway, or of the main one. */
function nameOf(base: string, venue: string | undefined): string {
  return venue === undefined ? base : `${base}.${venue}`;
}

/** The venue in the name of a channel: `kraken` of PRICE_DATA.kraken; undefined for PRICE_DATA. */
export function venueOf(name: string): string | undefined {
  const dot = name.indexOf('.');
  return dot === -1 ? undefined : name.slice(dot + 1);
}

/**
 * The prices of a venue: PRICE_DATA, or for example PRICE_DATA.kraken. Key: symbol. Type `price`.
 *
 * @param venue the part of the gateway's CHANNEL after `PRICE_DATA.`
 * @throws TickbusError `TICKBUS_INVALID_OPTION` if a channel cannot have that name
 *
 * @example
 * subscriber.subscribe(priceChannel('kraken'), ({ data }) => console.log(data.price), { keys: ['BTC/USD'] });
 */
export function priceChannel(venue?: string) {
  return defineChannel(nameOf('PRICE_DATA', venue), {
    kind: 'state',
    key: 'symbol',
    gateway: true,
    messages: { price },
  });
}

/**
 * The trades of a venue, as `priceChannel`. Key: symbol. Types `trade`, `trade_correction`, `trade_cancel` and
 * `trade_gap`.
 */
export function tradeChannel(venue?: string) {
  return defineChannel(nameOf('TRADES', venue), {
    kind: 'event',
    key: 'symbol',
    gateway: true,
    history: { perKey: 500 },
    defaultType: 'trade',
    messages: { trade, trade_correction: tradeCorrection, trade_cancel: tradeCancel, trade_gap: tradeGap },
  });
}

/** The bars of a venue, as `priceChannel`. Key: symbol and interval, as `AAPL/1m`. Type `bar`. */
export function barChannel(venue?: string) {
  return defineChannel(nameOf('BARS', venue), {
    kind: 'event',
    key: ({ symbol, interval }) => `${symbol}/${interval}`,
    history: { perKey: 1_000 },
    messages: { bar },
  });
}

/** A channel of prices. */
export type PriceChannel = ReturnType<typeof priceChannel>;
/** A channel of trades. */
export type TradeChannel = ReturnType<typeof tradeChannel>;
/** A channel of bars. */
export type BarChannel = ReturnType<typeof barChannel>;
