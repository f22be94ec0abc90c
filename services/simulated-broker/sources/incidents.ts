// Adds what is rare to generated prices: conditions, corrections, cancelled trades, halts, bands and empty sides.

import type { MarketEvent, QuoteEvent, TradeEvent } from '@tickbus/capture';
import type { BrokerEvent } from './price-source.ts';
import { createRandom } from './random-sequence.ts';

/**
 * Returns the events that replace the next one of `walk`; the same seed and walk produce the same events. A halted
 * instrument has quotes, but no trades.
 */
export function withIncidents(
  walk: (timestamp: number) => MarketEvent,
  seed: number,
): (timestamp: number) => readonly BrokerEvent[] {
  const random = createRandom(seed ^ INCIDENT_SEED);
  const market = new Incidents(random);
  return (timestamp) => {
    const event = walk(timestamp);
    return event.kind === 'trade' ? market.afterTrade(event) : market.afterQuote(event);
  };
}

/** Another sequence than that of the walk. */
const INCIDENT_SEED = 0x1f83d9ab;

/** Shares of the trades. */
const CONDITION = 0.2;
const CORRECTION = 0.03;
const CANCEL = 0.03;
/** Shares of the quotes. */
const EMPTY_SIDE = 0.05;
const HALT = 0.01;
const RESUMPTION = 0.2;
const BAND = 0.02;

/** Conditions of tape C, of which some exclude a trade from the last price. */
const CONDITIONS: readonly (readonly string[])[] = [
  ['@', 'F'],
  ['@', 'I'],
  ['@', 'T'],
  ['@', 'Z'],
  ['@', '4'],
  ['W'],
  ['M'],
  ['Q'],
];
/** Trades that can be corrected or cancelled. */
const MAX_RECENT = 20;
/** Distance of a band from the price. */
const BAND_SHARE = 0.05;

class Incidents {
  readonly #random: () => number;
  readonly #recent: TradeEvent[] = [];
  readonly #halted = new Set<string>();
  #tradeId = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  afterTrade(trade: TradeEvent): readonly BrokerEvent[] {
    if (this.#halted.has(trade.symbol)) return [];
    const conditions = this.#occurs(CONDITION) ? this.#oneOf(CONDITIONS) : undefined;
    const numbered = { ...trade, trade_id: String(++this.#tradeId), ...(conditions && { conditions }) };
    this.#recent.push(numbered);
    if (this.#recent.length > MAX_RECENT) this.#recent.shift();
    return [numbered, ...this.#correction(trade.timestamp), ...this.#cancel(trade.timestamp)];
  }

  afterQuote(quote: QuoteEvent): readonly BrokerEvent[] {
    const { symbol, timestamp } = quote;
    const events: BrokerEvent[] = [this.#occurs(EMPTY_SIDE) ? this.#withEmptySide(quote) : quote];
    if (this.#halted.has(symbol) && this.#occurs(RESUMPTION)) {
      this.#halted.delete(symbol);
      events.push({ kind: 'status', symbol, code: 'T', timestamp });
    } else if (!this.#halted.has(symbol) && this.#occurs(HALT)) {
      this.#halted.add(symbol);
      events.push({
        kind: 'status',
        symbol,
        code: 'P',
        reason: ['LUDP', 'Volatility Trading Pause'],
        timestamp,
      });
    }
    if (this.#occurs(BAND)) {
      const limit_down = inCents(quote.bid * (1 - BAND_SHARE));
      const limit_up = inCents(quote.bid * (1 + BAND_SHARE));
      events.push({ kind: 'band', symbol, timestamp, limit_down, limit_up });
    }
    return events;
  }

  #correction(timestamp: number): readonly BrokerEvent[] {
    if (!this.#occurs(CORRECTION)) return [];
    const trade = this.#takeRecent();
    const corrected = { ...trade, trade_id: String(++this.#tradeId), price: inCents(trade.price * 0.99) };
    return [{ kind: 'correction', symbol: trade.symbol, original: trade, corrected, timestamp }];
  }

  #cancel(timestamp: number): readonly BrokerEvent[] {
    if (!this.#occurs(CANCEL) || this.#recent.length === 0) return [];
    const trade = this.#takeRecent();
    const reason = this.#occurs(0.5) ? 'cancel' : 'error';
    return [{ kind: 'cancel', symbol: trade.symbol, original: trade, reason, timestamp }];
  }

  /** A random recent trade, often the newest. It is not changed again. */
  #takeRecent(): TradeEvent {
    const index = this.#occurs(0.5) ? this.#recent.length - 1 : this.#whole(this.#recent.length);
    const [trade] = this.#recent.splice(index, 1);
    if (trade === undefined) throw new Error('There is no recent trade to change.');
    return trade;
  }

  #withEmptySide(quote: QuoteEvent): QuoteEvent {
    const side = this.#whole(3);
    return {
      ...quote,
      ...(side !== 0 && { bid: 0, bid_size: 0 }),
      ...(side !== 1 && { ask: 0, ask_size: 0 }),
    };
  }

  #occurs(share: number): boolean {
    return this.#random() < share;
  }

  #whole(below: number): number {
    return Math.floor(this.#random() * below);
  }

  #oneOf<Value>(values: readonly Value[]): Value | undefined {
    return values[this.#whole(values.length)];
  }
}

function inCents(price: number): number {
  return Math.round(price * 100) / 100;
}
