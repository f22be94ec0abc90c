// Tracks the status of each instrument and finds the changes to publish on INSTRUMENT_STATUS.

import type { BandEvent } from '@tickbus/capture';
import type { Clock, InstrumentStatus } from 'tickbus';
import type { Refusal } from '../feeds/feed.ts';
import { type MarketState, MarketStates } from './market-states.ts';
import { isSymbol } from './symbol.ts';

type Status = Pick<InstrumentStatus, 'state'> & MarketState;

/** A status of an earlier gateway. */
export type EarlierStatus = Pick<
  InstrumentStatus,
  'symbol' | 'market' | 'detail' | 'halted_at' | 'has_price'
>;

export type InstrumentChange = Status & Pick<InstrumentStatus, 'symbol' | 'state_for_ms'>;

/**
 * A reported status. `interrupted`: reported as `subscribed` before the connection was lost, or reported by an earlier
 * gateway, or lost. Not published. `since`: monotonic time of the first report of the state.
 */
type ReportedStatus =
  | (Status & { readonly since: number })
  | ({ readonly state: 'interrupted' } & { readonly [Field in keyof MarketState]?: never });

const INTERRUPTED: ReportedStatus = { state: 'interrupted' };

/**
 * requested -> `subscribed` | `refused` | `unknown` -> `unsubscribed`. A requested instrument has no status until the
 * broker answers, unless the gateway itself refuses it. After a disconnect, `subscribed` is reported again once the
 * broker acknowledges the new subscription. `takeChanges` checks only the instruments whose status an update may have
 * changed.
 */
export class InstrumentTracker {
  readonly #reported = new Map<string, ReportedStatus>();
  #requested: ReadonlySet<string> = new Set();
  /** Symbols that bots request. Used while the settings request `*`, because each of these symbols needs a status. */
  #ofBots: ReadonlySet<string> = new Set();
  #acknowledged: ReadonlySet<string> = new Set();
  /** Symbols that the broker refuses, that exceed the gateway's limit, or that are malformed. */
  readonly #refusals = new Map<string, Status>();
  /** Symbols whose messages the gateway cannot understand. */
  #unreadable: ReadonlyMap<string, Status> = new Map();
  readonly #markets: MarketStates;
  /** Symbols whose status may have changed since `takeChanges` checked it. */
  readonly #unchecked = new Set<string>();
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;

  /** @param venueNow the time at the venue, Unix milliseconds */
  constructor(clock: Pick<Clock, 'now' | 'monotonic'>, venueNow = () => clock.now()) {
    this.#clock = clock;
    this.#markets = new MarketStates(clock, venueNow);
  }

  get requestedCount(): number {
    return this.#requested.size;
  }

  get refusedCount(): number {
    return this.#refusals.size;
  }

  /** Whether `takeChanges` has symbols left to check. */
  get hasUnchecked(): boolean {
    return this.#unchecked.size > 0;
  }

  /**
   * @param statuses those of an earlier gateway. Each stays until the broker answers if the symbol is requested;
   *   otherwise the symbol is reported as `unsubscribed`. A halt stays until trading resumes, a missing price until
   *   there is one: the last price that Redis keeps is still void
   */
  inherit(statuses: Iterable<EarlierStatus>): void {
    for (const { symbol, market, detail, halted_at, has_price } of statuses) {
      if (this.#reported.has(symbol)) continue;
      if (market === 'halted') this.#markets.inheritHalt(symbol, detail, halted_at);
      if (market === 'no_price' || has_price === false) this.#markets.setPriced(symbol, false);
      this.#reported.set(symbol, INTERRUPTED);
      this.#unchecked.add(symbol);
    }
  }

  /** @param symbols all symbols that bots request now, or requested within the grace period */
  setOfBots(symbols: Iterable<string>): void {
    const before = this.#ofBots;
    this.#ofBots = new Set(symbols);
    this.#checkDifference(before, this.#ofBots);
  }

  /**
   * @param symbols all requested symbols, the most important first
   * @param limit maximum number of symbols to request from the broker; further symbols are refused
   * @returns the symbols to request from the broker
   */
  setRequested(symbols: readonly string[], limit: number): readonly string[] {
    const before = this.#requested;
    this.#requested = new Set(symbols);
    this.#refusals.clear();
    if (!this.#requested.has('*')) this.#markets.retain(this.#requested);
    const granted: string[] = [];
    for (const symbol of symbols) {
      if (symbol !== '*' && !isSymbol(symbol)) this.#refusals.set(symbol, MALFORMED);
      else if (granted.length >= limit) this.#refusals.set(symbol, overLimit(limit));
      else granted.push(symbol);
    }
    this.#checkDifference(before, this.#requested);
    for (const symbol of this.#requested) this.#unchecked.add(symbol);
    return granted;
  }

  /** @param symbols all symbols that the broker serves now */
  acknowledge(symbols: readonly string[]): void {
    const before = this.#acknowledged;
    this.#acknowledged = new Set(symbols);
    this.#checkDifference(before, this.#acknowledged);
  }

  /** A refusal of a symbol that nobody requests is ignored. */
  refuse({ symbol, isUnknown, reason }: Refusal): void {
    if (!this.#isWanted(symbol)) return;
    this.#refusals.set(symbol, { state: isUnknown ? 'unknown' : 'refused', detail: reason });
    this.#unchecked.add(symbol);
  }

  /** @param symbols all instruments of which the venue sends messages that cannot be understood, with the reason */
  setUnreadable(symbols: ReadonlyMap<string, string>): void {
    for (const symbol of [...this.#unreadable.keys(), ...symbols.keys()])
      if (this.#unreadable.has(symbol) !== symbols.has(symbol)) this.#unchecked.add(symbol);
    const kept = [...symbols].map(([symbol, detail]) => {
      const status: Status = this.#unreadable.get(symbol) ?? { state: 'refused', detail };
      return [symbol, status] as const;
    });
    this.#unreadable = new Map(kept);
  }

  /** The venue has no price for this instrument now, or has one again. Returns whether that is a change. */
  setPriced(symbol: string, isPriced: boolean): boolean {
    return this.#note(symbol, this.#markets.setPriced(symbol, isPriced));
  }

  /** The venue has set or ended the price band of an instrument. Returns whether that is a change. */
  setBand(band: BandEvent): boolean {
    return this.#note(band.symbol, this.#markets.setBand(band));
  }

  /** The venue has halted the instrument: see `MarketStates`. */
  halt(symbol: string, detail?: string, at?: number): boolean {
    return this.#note(symbol, this.#markets.halt(symbol, detail, at));
  }

  /** The venue has resumed trading: see `MarketStates`. */
  resume(symbol: string, at?: number): boolean {
    return this.#note(symbol, this.#markets.resume(symbol, at));
  }

  /** The venue reported a trade. Returns whether that ends a halt, because its end may have been missed. */
  traded(symbol: string, at: number): boolean {
    return this.#note(symbol, this.#markets.traded(symbol, at));
  }

  /** See `MarketStates`. */
  forgetTimes(): void {
    this.#markets.forgetTimes();
    for (const symbol of this.#reported.keys()) this.#unchecked.add(symbol);
  }

  /** The connection is lost, so no subscription is acknowledged any more. */
  disconnect(): void {
    this.#acknowledged = new Set();
    this.#markets.interrupt();
    for (const [symbol, { state }] of this.#reported)
      if (state === 'subscribed') this.#reported.set(symbol, INTERRUPTED);
  }

  /** `takeChanges` returns the statuses of these symbols again: those that it has returned are lost. */
  reportAgain(symbols: readonly string[]): void {
    for (const symbol of symbols) {
      this.#reported.set(symbol, INTERRUPTED);
      this.#unchecked.add(symbol);
    }
  }

  /**
   * The statuses that changed since the last call.
   *
   * @param max maximum number of symbols to check; the next call checks further symbols. Default: all
   */
  takeChanges(max = Number.POSITIVE_INFINITY): InstrumentChange[] {
    const changes: InstrumentChange[] = [];
    let checked = 0;
    for (const symbol of this.#unchecked) {
      if (checked++ >= max) break;
      this.#unchecked.delete(symbol);
      const change = symbol === '*' ? undefined : this.#takeChange(symbol);
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  #takeChange(symbol: string): InstrumentChange | undefined {
    const now = this.#statusOf(symbol);
    const before = this.#reported.get(symbol);
    if (now === undefined || isEqual(now, before)) return undefined;
    if (now.state === 'unsubscribed') return this.#reported.delete(symbol) ? { symbol, ...now } : undefined;
    const time = this.#clock.monotonic();
    const isSameState = before?.state === now.state;
    const since = isSameState ? before.since : time;
    this.#reported.set(symbol, { ...now, since });
    return { symbol, ...now, ...(isSameState && { state_for_ms: Math.floor(time - since) }) };
  }

  /**
   * Undefined until the broker answers, unless the gateway itself refuses the symbol. `unsubscribed` for a symbol that
   * nobody requests.
   */
  #statusOf(symbol: string): Status | undefined {
    if (!this.#isWanted(symbol)) return { state: 'unsubscribed' };
    const refusal = this.#refusals.get(symbol);
    if (refusal !== undefined) return refusal;
    const isServed = this.#acknowledged.has(symbol) || this.#acknowledged.has('*');
    const unreadable = isServed ? this.#unreadable.get(symbol) : undefined;
    if (unreadable !== undefined) return unreadable;
    return isServed ? { state: 'subscribed', ...this.#markets.of(symbol) } : undefined;
  }

  #note(symbol: string, isChanged: boolean): boolean {
    if (isChanged) this.#unchecked.add(symbol);
    return isChanged;
  }

  #isWanted(symbol: string): boolean {
    if (this.#requested.has(symbol)) return true;
    return this.#requested.has('*') && (this.#ofBots.has(symbol) || this.#markets.has(symbol));
  }

  /**
   * Marks the symbols that are in only one of the sets as unchecked; for `*`, also every symbol that bots request.
   * Marks removed symbols first: their statuses end, which frees space on the channel for new statuses.
   */
  #checkDifference(before: ReadonlySet<string>, after: ReadonlySet<string>): void {
    for (const symbol of before) if (!after.has(symbol)) this.#unchecked.add(symbol);
    for (const symbol of after) if (!before.has(symbol)) this.#unchecked.add(symbol);
    if (before.has('*') !== after.has('*')) for (const symbol of this.#ofBots) this.#unchecked.add(symbol);
  }
}

function isEqual(now: Status, before: ReportedStatus | undefined): boolean {
  return (
    now.state === before?.state &&
    now.market === before.market &&
    now.detail === before.detail &&
    now.halted_at === before.halted_at &&
    now.has_price === before.has_price &&
    now.limit_down === before.limit_down &&
    now.limit_up === before.limit_up
  );
}

const MALFORMED: Status = {
  state: 'unknown',
  detail: 'This is not a valid symbol: use 1 to 128 characters, without commas, * or two spaces in a row.',
};

function overLimit(limit: number): Status {
  const detail = `The gateway's limit of requested instruments is reached (SYMBOL_LIMIT=${limit}).`;
  return { state: 'refused', detail };
}
