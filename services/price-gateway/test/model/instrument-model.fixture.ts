// A model of one instrument: what the venue has sent, and what the gateways have received of it.

import type { QuoteEvent, TradeEvent, VenueEvent } from '@tickbus/capture';
import type { PriceMessage } from './desk.fixture.ts';

/** A trade as the venue sent it, and what became of it. All prices of an instrument differ. */
export interface VenueTrade {
  readonly sent: TradeEvent;
  price: number;
  isCancelled: boolean;
  /** No gateway has received a change of this trade, so none can recognise it any more. */
  isLost: boolean;
}

interface Halt {
  /** Unix milliseconds. A later trade ends it, if `mayHaveEnded`. */
  readonly at: number;
  readonly mayHaveEnded: boolean;
}

export class InstrumentModel {
  readonly symbol: string;
  readonly trades: VenueTrade[] = [];
  /** The last quote of the venue. */
  quote: QuoteEvent | undefined;
  /** Prices, bids and asks that are void by what a gateway has received. */
  #void = new Set<number>();
  #voidBefore: ReadonlySet<number> = new Set();
  /** The halt that a gateway has received, and that nothing has ended. */
  #halt: Halt | undefined;
  #wasHalted = false;
  /** The trades that the present session has received, and still knows. */
  #own: VenueTrade[] = [];
  /** The quote that the present session has received since the last interruption. */
  #ownQuote: QuoteEvent | undefined;
  #lastQuote: QuoteEvent | undefined;
  /** The trade whose price is the last one on PRICE_DATA. */
  #standing: VenueTrade | undefined;
  #tradeTime = 0;
  #quoteTime = 0;
  #mayGoBack = false;

  constructor(symbol: string) {
    this.symbol = symbol;
  }

  get isHalted(): boolean {
    return this.#halt !== undefined;
  }

  /** Whether the present session has received a valid price. */
  get hasPrice(): boolean {
    const { bid = 0, ask = 0 } = this.#ownQuote ?? {};
    return this.#own.some(({ isCancelled }) => !isCancelled) || (bid > 0 && ask > 0);
  }

  isVoid(price: number): boolean {
    return this.#void.has(price);
  }

  /** What is received from now on is still on the way to the bots. */
  beginStep(): void {
    this.#voidBefore = new Set(this.#void);
    this.#wasHalted = this.isHalted;
  }

  /** Why the price must not be `fresh` now. @param isSettled whether nothing is on the way to the bots */
  objectionTo({ price, bid, ask }: PriceMessage['data'], isSettled: boolean): string | undefined {
    if (this.isHalted && (isSettled || this.#wasHalted)) return 'the instrument is halted';
    const isVoid = (value = 0) => this.#void.has(value) && (isSettled || this.#voidBefore.has(value));
    const found = [price, bid, ask].find(isVoid);
    return found === undefined ? undefined : `${found} is void`;
  }

  /** A price of the gateway. Returns what is wrong with its times. */
  observe({ price, source, cause, trade_time, quote_time }: PriceMessage['data']): string | undefined {
    const trade = this.#find(price);
    this.#standing = source === 'trade' ? trade : undefined;
    if (cause === 'trade' && trade !== undefined) this.#receive(trade);
    const mayGoBack = cause === 'correction' || this.#mayGoBack;
    this.#mayGoBack = false;
    const [tradeTime, quoteTime] = [this.#tradeTime, this.#quoteTime];
    this.#tradeTime = trade_time ?? tradeTime;
    this.#quoteTime = quote_time ?? quoteTime;
    if (this.#tradeTime < tradeTime && !mayGoBack) return 'trade_time goes back';
    return this.#quoteTime < quoteTime ? 'quote_time goes back' : undefined;
  }

  interrupt(): void {
    this.#ownQuote = undefined;
    if (this.#halt !== undefined) this.#halt = { ...this.#halt, mayHaveEnded: true };
  }

  /** A new gateway, or the instrument is released. */
  startAgain(): void {
    this.interrupt();
    this.#own = [];
  }

  /** Documented: a new gateway does not know that an instrument is halted or has no price if that has no status. */
  forget(): void {
    this.#halt = undefined;
    this.#void.clear();
    for (const trade of this.trades) trade.isLost = true;
  }

  /** The feed delivers this. @param isNew false if the venue has sent it before */
  tell(event: VenueEvent, isNew: boolean): void {
    if (event.kind === 'trade') {
      const trade = this.#find(event.price);
      if (isNew && trade !== undefined) this.#receive(trade);
    } else if (event.kind === 'quote') {
      if (isNew) this.#voidQuote();
      this.#ownQuote = event;
      this.#lastQuote = event;
    } else if (event.kind === 'halt') {
      // Without a time, it is estimated, rather too late than too early.
      this.#halt = { at: event.timestamp ?? Date.now() + 1_000, mayHaveEnded: false };
    } else if (event.kind === 'resume') this.#endHalt();
    else if (event.kind === 'cancel' || event.kind === 'correction') {
      this.#mayGoBack = true;
      const trade = this.#find(event.original.price);
      if (trade === undefined) return;
      // Documented: changes of trades that the session has not received are unmatched, except of the last price.
      if (this.#own.includes(trade) || this.#standing === trade) this.#void.add(event.original.price);
      else trade.isLost = true;
    }
  }

  /** The venue changes this trade while no gateway listens. */
  lose(price: number): void {
    const trade = this.#find(price);
    if (trade !== undefined) trade.isLost = true;
  }

  #receive(trade: VenueTrade): void {
    if (!this.#own.includes(trade)) this.#own.push(trade);
    if (this.#halt?.mayHaveEnded && trade.sent.timestamp > this.#halt.at) this.#endHalt();
  }

  #endHalt(): void {
    this.#halt = undefined;
    this.#wasHalted = false;
  }

  #find(price: number): VenueTrade | undefined {
    return this.trades.findLast((trade) => trade.sent.price === price || trade.price === price);
  }

  #voidQuote(): void {
    const { bid = 0, ask = 0 } = this.#lastQuote ?? {};
    for (const price of [bid, ask, (bid + ask) / 2]) if (price > 0) this.#void.add(price);
  }
}
