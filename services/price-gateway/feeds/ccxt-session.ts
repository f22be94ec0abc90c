// A session with a ccxt venue: every change of the instruments is a new connection, which takes over from the old one.

import type { MarketEvent } from '@tickbus/capture';
import { failureOf } from './ccxt-errors.ts';
import type { CcxtLibrary, CcxtMethod } from './ccxt-library.ts';
import type { CcxtMarkets } from './ccxt-markets.ts';
import { CcxtWatch } from './ccxt-watch.ts';
import type { Session, SessionListener } from './session-feed.ts';

export interface CcxtSessionOptions {
  readonly library: CcxtLibrary;
  readonly method: CcxtMethod;
  readonly markets: CcxtMarkets;
}

/** How long the old connection is kept for the new one to speak, milliseconds. */
const MAX_OVERLAP_MS = 5_000;
/** How long a connection that is not used any more has to end, milliseconds. */
const CLOSE_TIMEOUT_MS = 2_000;

/**
 * changing <-> settled, and closed from both; it begins with a change to what is wanted. Live is told when the first socket
 * opens, or with the first change when that needs none. A changed set is watched on a new connection, because venues differ
 * in what an unsubscription ends; the old one goes on until the new one speaks, so that nothing is missed of the
 * instruments in both.
 */
export class CcxtSession implements Session {
  readonly #options: CcxtSessionOptions;
  readonly #listener: SessionListener;
  /** The current one, and for a moment the one before. */
  readonly #watches = new Set<CcxtWatch>();
  /** The wanted instruments that have spoken. */
  readonly #priced = new Set<string>();
  #state: 'changing' | 'settled' | 'closed' = 'changing';
  #requested: ReadonlySet<string>;
  /** What is watched; undefined before the first time. */
  #watchedSymbols: string | undefined;
  #isLive = false;

  constructor(options: CcxtSessionOptions, symbols: readonly string[], listener: SessionListener) {
    this.#options = options;
    this.#listener = listener;
    this.#requested = new Set(symbols);
    void this.#applyRequested();
  }

  setSymbols(symbols: readonly string[]): void {
    this.#requested = new Set(symbols);
    if (this.#state === 'settled') void this.#applyRequested();
  }

  async release(withinMs: number): Promise<void> {
    this.#state = 'closed';
    await Promise.all([...this.#watches].map((watch) => watch.close(withinMs)));
  }

  /** Watches what is wanted, and again while that has changed meanwhile. */
  async #applyRequested(): Promise<void> {
    this.#state = 'changing';
    try {
      for (let done: ReadonlySet<string> | undefined; done !== this.#requested; ) {
        const wanted = this.#requested;
        await this.#options.markets.load();
        if (this.#isClosed) return;
        await this.#replaceWatch(this.#refuseUnknown(wanted));
        if (this.#isClosed) return;
        done = wanted;
      }
      this.#state = 'settled';
      if (this.#watches.size === 0) this.#onLive();
    } catch (error) {
      this.#listener.onEnd(failureOf(error, this.#options.library));
    }
  }

  /** The instruments that the venue has; the others are told. */
  #refuseUnknown(wanted: ReadonlySet<string>): readonly string[] {
    for (const symbol of this.#priced) if (!wanted.has(symbol)) this.#priced.delete(symbol);
    return [...wanted].filter((symbol) => {
      if (this.#options.markets.has(symbol)) return true;
      const isAll = symbol === '*';
      const reason = isAll
        ? 'The ccxt feed needs the instruments by name.'
        : `The venue has no instrument ${symbol}. Write it as ccxt does: BTC/USDT, BTC/USDT:USDT.`;
      this.#listener.onRefused({ symbol, code: 'BadSymbol', isUnknown: !isAll, reason });
      return false;
    });
  }

  async #replaceWatch(symbols: readonly string[]): Promise<void> {
    if (this.#watchedSymbols === symbols.join()) return;
    const old = [...this.#watches];
    if (symbols.length > 0) {
      // The session was allowed one connection when it began.
      if (this.#watchedSymbols !== undefined) await this.#listener.mayConnect();
      if (this.#isClosed) return;
      await this.#startWatch(symbols, old.length > 0);
    }
    this.#watchedSymbols = symbols.join();
    for (const watch of old) this.#watches.delete(watch);
    await Promise.all(old.map((watch) => watch.close(CLOSE_TIMEOUT_MS)));
  }

  /** @param isTakingOver to resolve only when the venue has spoken, or will not */
  async #startWatch(symbols: readonly string[], isTakingOver: boolean): Promise<void> {
    const { library, method, markets } = this.#options;
    const exchange = await markets.newExchange();
    if (this.#isClosed) return;
    let onSpoken = () => {};
    const spoken = new Promise<void>((resolve) => {
      onSpoken = resolve;
    });
    const watch = new CcxtWatch({ library, method, exchange }, symbols, {
      onConnected: () => this.#onLive(),
      onEvents: (events) => {
        onSpoken();
        this.#onEvents(events);
      },
      onRefused: (refusal) => this.#listener.onRefused(refusal),
      onFailure: (failure) => {
        onSpoken();
        this.#listener.onEnd(failure);
      },
    });
    this.#watches.add(watch);
    if (!isTakingOver) return;
    const timer = setTimeout(onSpoken, MAX_OVERLAP_MS);
    await spoken;
    clearTimeout(timer);
  }

  #onLive(): void {
    if (this.#isLive) return;
    this.#isLive = true;
    this.#listener.onLive();
  }

  #onEvents(all: readonly MarketEvent[]): void {
    const events = all.filter(({ symbol }) => this.#requested.has(symbol));
    const before = this.#priced.size;
    for (const { symbol } of events) this.#priced.add(symbol);
    if (this.#priced.size > before) this.#listener.onSubscribed([...this.#priced]);
    this.#listener.onRaw?.({ dir: 'in', json: JSON.stringify({ events }) });
    this.#listener.onFrame(events);
  }

  get #isClosed(): boolean {
    return this.#state === 'closed';
  }
}
