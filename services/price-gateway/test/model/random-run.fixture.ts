// A random sequence of what a venue, gateways, bots and Redis can do, checked against a model after each step.

import type { TradeEvent, VenueEvent } from '@tickbus/capture';
import type { Random } from '@tickbus/test-kit/random';
import { Desk, type TradesMessage } from './desk.fixture.ts';
import { InstrumentModel, type VenueTrade } from './instrument-model.fixture.ts';
import { PublishedTrades } from './published-trades.fixture.ts';

const SYMBOLS = ['X', 'Y'] as const;

type Told = { readonly event: VenueEvent; readonly isNew: boolean };

export class RandomRun {
  /** What happened, for the message of a failure. */
  readonly log: string[] = [];
  readonly #random: Random;
  readonly #desk = new Desk();
  readonly #models = new Map(SYMBOLS.map((symbol) => [symbol as string, new InstrumentModel(symbol)]));
  readonly #published = new PublishedTrades();
  /** The instruments that have a status, from which a new gateway learns that a price is void. */
  readonly #reported = new Set<string>();
  readonly #hasIds: boolean;
  /**
   * The delay of the prices, milliseconds. Documented: if the clock of the venue is ahead, a new gateway learns that
   * from at least two instruments, and knows less before.
   */
  readonly #delayMs: number;
  #problem: string | undefined;
  /** Every price, bid and ask is another number. */
  #lastNumber = 1_000;
  #hasLateBot = false;

  constructor(random: Random) {
    this.#random = random;
    this.#hasIds = random.percent(70);
    this.#delayMs = random.pick([0, 0, 900_000]);
  }

  /** @throws Error if something is not as the model says */
  async run(steps: number): Promise<void> {
    const onTrades = (message: TradesMessage) => {
      this.#problem ??= this.#published.add(message);
      this.log.push(`  TRADES ${message.message_type} ${JSON.stringify(message.data)}`);
    };
    await this.#desk.start(({ data }) => {
      this.log.push(`  PRICE_DATA ${JSON.stringify(data)}`);
      this.#problem ??= this.#models.get(data.symbol)?.observe(data);
    }, onTrades);
    this.#desk.onTurn = () => this.#check(false);
    for (const symbol of SYMBOLS) await this.#desk.request(symbol);
    for (let step = 0; step < steps; step++) await this.#step();
    if (!this.#desk.venue.isUp) this.#resume();
    // Trades that only a killed gateway has received are in the gap before those of the next one.
    for (const symbol of SYMBOLS) if (!this.#desk.isRequested(symbol)) await this.#desk.request(symbol);
    await this.#desk.advance(10_000);
    this.#check(true);
    this.#problem ??= this.#published.missing();
    this.#throwProblem();
    await this.#desk.close();
  }

  async #step(): Promise<void> {
    await this.#desk.advance(this.#random.int(1, 5));
    for (const model of this.#models.values()) model.beginStep();
    await this.#act();
    await this.#desk.settle();
    for (const symbol of this.#desk.venue.served) this.#reported.add(symbol);
    this.#check(true);
    this.#throwProblem();
    if (this.#findBlocked() !== undefined) await this.#desk.heartbeat();
    this.#problem = this.#findBlocked();
    this.#throwProblem();
  }

  async #act(): Promise<void> {
    const random = this.#random;
    const { venue } = this.#desk;
    const choice = random.int(1, 100);
    if (choice <= 60)
      return this.#send(Array.from({ length: random.pick([1, 1, 1, 2]) }, () => this.#newEvent()));
    if (choice <= 66) return this.#refused();
    if (choice <= 70) return this.#note('time', this.#desk.advance(random.int(10, 4_000)));
    if (choice <= 78) {
      if (venue.isUp) {
        this.#note('interrupt');
        for (const model of this.#models.values()) model.interrupt();
        return venue.interrupt();
      }
      return this.#resume();
    }
    if (choice <= 90) return this.#takeOver();
    if (choice <= 97) return this.#toggleRequest(random.pick(SYMBOLS));
    // Documented: of an instrument that nobody requests, a bot that starts does not know that the price is void.
    const areRequested = SYMBOLS.every((symbol) => this.#desk.isRequested(symbol));
    if (this.#hasLateBot || !areRequested) return;
    this.#hasLateBot = true;
    return this.#note('late bot', this.#desk.joinLate());
  }

  #note(what: string, done?: Promise<void>): Promise<void> {
    this.log.push(what);
    return done ?? Promise.resolve();
  }

  async #refused(): Promise<void> {
    const channel = this.#random.pick(['PRICE_DATA', 'INSTRUMENT_STATUS', 'TRADES']);
    this.#note(`refuse ${channel}`);
    this.#desk.refuseNext(channel);
    this.#send([this.#newEvent()]);
    await this.#desk.heartbeat();
    this.#desk.acceptAll();
  }

  async #takeOver(): Promise<void> {
    for (let times = this.#random.pick([1, 1, 2]); times > 0; times--) {
      const how = this.#random.pick(['kill', 'stop', 'cut'] as const);
      this.#note(how);
      for (const model of this.#models.values()) {
        model.startAgain();
        if (!this.#reported.has(model.symbol)) model.forget();
      }
      await this.#desk.takeOver(how);
      this.#sendAgain(SYMBOLS);
      await this.#desk.settle();
    }
  }

  #resume(): void {
    this.#note('resume feed');
    this.#desk.venue.resume();
    this.#sendAgain(SYMBOLS);
  }

  async #toggleRequest(symbol: string): Promise<void> {
    const model = this.#models.get(symbol);
    if (this.#desk.isRequested(symbol)) {
      this.#note(`release ${symbol}`);
      model?.startAgain();
      this.#reported.delete(symbol);
      await this.#desk.release(symbol);
    } else {
      this.#note(`request ${symbol}`);
      await this.#desk.request(symbol);
      this.#sendAgain([symbol]);
    }
  }

  #newEvent(): VenueEvent {
    const random = this.#random;
    const model = this.#models.get(random.pick(SYMBOLS)) as InstrumentModel;
    const { symbol } = model;
    const timestamp = this.#venueNow;
    const choice = random.int(1, 100);
    if (choice <= 35) return this.#newTrade(model);
    if (choice <= 65) {
      const isEmpty = () => random.percent(25);
      const [bid, ask] = [isEmpty() ? 0 : this.#number(), isEmpty() ? 0 : this.#number()];
      model.quote = { kind: 'quote', symbol, bid, bid_size: bid && 1, ask, ask_size: ask && 1, timestamp };
      return model.quote;
    }
    // Documented: without a time, that of a halt is an estimate by the clock of the gateway.
    const time = (this.#delayMs !== 0 || random.percent(80)) && { timestamp };
    if (choice <= 73) return { kind: 'halt', symbol, ...time };
    if (choice <= 82) return { kind: 'resume', symbol, ...time };
    const trade = model.trades.findLast((one) => !one.isCancelled && !one.isLost && random.percent(70));
    return trade === undefined ? this.#newTrade(model) : this.#change(trade);
  }

  #newTrade({ symbol, trades }: InstrumentModel): TradeEvent {
    const price = this.#number();
    const id = this.#hasIds && { trade_id: String(price) };
    const sent: TradeEvent = { kind: 'trade', symbol, price, size: 1, timestamp: this.#venueNow, ...id };
    trades.push({ sent, price, isCancelled: false, isLost: false });
    return sent;
  }

  #change(trade: VenueTrade): VenueEvent {
    const { symbol, timestamp, trade_id } = trade.sent;
    const id = trade_id !== undefined && { trade_id };
    const time = this.#random.percent(50) && { timestamp };
    const original = { price: trade.price, size: 1, ...id, ...time };
    const common = { symbol, original, timestamp: this.#venueNow };
    if (this.#random.percent(60)) {
      trade.isCancelled = true;
      return { kind: 'cancel', ...common };
    }
    trade.price = this.#number();
    return { kind: 'correction', ...common, corrected: { price: trade.price, size: 1, ...id, ...time } };
  }

  get #venueNow(): number {
    return Date.now() - this.#delayMs;
  }

  #number(): number {
    this.#lastNumber += 2;
    return this.#lastNumber;
  }

  #send(events: readonly VenueEvent[]): void {
    this.#tell(events.map((event) => ({ event, isNew: true })));
  }

  /** As venues do after an interruption, and to a new subscriber. */
  #sendAgain(symbols: readonly string[]): void {
    for (const symbol of symbols) {
      const model = this.#models.get(symbol);
      if (model === undefined || this.#random.percent(40)) continue;
      const trades = model.trades
        .slice(-this.#random.int(1, 5))
        .filter(({ sent, isLost, isCancelled }) => !isLost && (!isCancelled || model.isVoid(sent.price)))
        .map(({ sent, price }) => ({ ...sent, ...(this.#random.percent(50) && { price }) }));
      const quotes = model.quote !== undefined && this.#random.percent(50) ? [model.quote] : [];
      this.#tell([...trades, ...quotes].map((event) => ({ event, isNew: false })));
    }
  }

  #tell(all: readonly Told[]): void {
    const { venue } = this.#desk;
    const told = all.filter(({ event }) => venue.served.includes(event.symbol));
    for (const { event, isNew } of all) {
      const isTold = venue.served.includes(event.symbol);
      this.log.push(`${isTold ? 'told' : 'not told'}${isNew ? '' : ' again'} ${JSON.stringify(event)}`);
      const model = this.#models.get(event.symbol);
      if (isTold) model?.tell(event, isNew);
      else if ('original' in event) model?.lose(event.original.price);
      if (isTold && event.kind === 'trade') this.#published.expect(event);
    }
    venue.send(told.map(({ event }) => event));
  }

  #check(isSettled: boolean): void {
    for (const model of this.#models.values())
      for (const [bot, { verdict, message }] of this.#desk.latest(model.symbol).entries()) {
        if (verdict !== 'fresh' || message === undefined) continue;
        const objection = model.objectionTo(message.data, isSettled);
        if (objection === undefined) continue;
        const when = isSettled ? 'settled' : 'on the way';
        this.#problem ??= `Bot ${bot} takes ${JSON.stringify(message.data)} for fresh, but ${objection} (${when}).`;
      }
  }

  /** A price that the venue has sent, and that no bot may use. */
  #findBlocked(): string | undefined {
    for (const model of this.#models.values()) {
      const isServed = this.#desk.venue.served.includes(model.symbol);
      if (!isServed || model.isHalted || !model.hasPrice) continue;
      for (const [bot, { verdict, reason }] of this.#desk.latest(model.symbol).entries())
        if (verdict !== 'fresh') return `Bot ${bot} may not use ${model.symbol}: ${verdict}, ${reason}`;
    }
    return undefined;
  }

  #throwProblem(): void {
    if (this.#problem === undefined) return;
    throw new Error(`Seed ${this.#random.seed}: ${this.#problem}\n${this.log.slice(-100).join('\n')}`);
  }
}
