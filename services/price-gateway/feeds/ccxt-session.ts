// A session with a ccxt venue. Each change of the instruments opens a new connection that replaces the old one.

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

/** Maximum time for which the old connection stays open until the new one delivers, milliseconds. */
const MAX_OVERLAP_MS = 5_000;
/** Time for a replaced connection to close, milliseconds. */
const CLOSE_TIMEOUT_MS = 2_000;

/**
 * changing <-> settled; both become closed. The session starts in changing. It reports live when the first socket
 * opens, or after the first change if no socket is needed. A changed set is watched on a new connection, because the
 * effect of an unsubscription differs between venues. The old connection stays open until the new one delivers, so no
 * price of an instrument in both sets is lost.
 */
export class CcxtSession implements Session {
  readonly #options: CcxtSessionOptions;
  readonly #listener: SessionListener;
  /** The current watch, and during a replacement also the previous one. */
  readonly #watches = new Set<CcxtWatch>();
  /** The requested instruments that have received a price. */
  readonly #priced = new Set<string>();
  /** The instruments of which a ticker had a bid or an ask. */
  readonly #quoted = new Set<string>();
  #state: 'changing' | 'settled' | 'closed' = 'changing';
  #requested: ReadonlySet<string>;
  /** The watched symbols, joined by commas; undefined before the first change. */
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

  /** Watches the requested symbols; repeats if they change in the meantime. */
  async #applyRequested(): Promise<void> {
    this.#state = 'changing';
    try {
      for (let applied: ReadonlySet<string> | undefined; applied !== this.#requested; ) {
        const requested = this.#requested;
        await this.#options.markets.load();
        if (this.#isClosed) return;
        await this.#replaceWatch(this.#refuseUnknown(requested));
        if (this.#isClosed) return;
        applied = requested;
      }
      this.#state = 'settled';
      if (this.#watches.size === 0) this.#onLive();
    } catch (error) {
      this.#listener.onEnd(failureOf(error, this.#options.library));
    }
  }

  /** Reports symbols that the venue does not have as refused, and returns the others. */
  #refuseUnknown(requested: ReadonlySet<string>): readonly string[] {
    const before = this.#priced.size;
    for (const symbol of this.#priced) if (!requested.has(symbol)) this.#priced.delete(symbol);
    if (this.#priced.size < before) this.#listener.onSubscribed([...this.#priced]);
    return [...requested].filter((symbol) => {
      if (this.#options.markets.has(symbol)) return true;
      const isAll = symbol === '*';
      const reason = isAll
        ? 'The ccxt feed does not support *. Request instruments by name.'
        : `The venue has no instrument ${symbol}. Use ccxt's notation: BTC/USDT, BTC/USDT:USDT.`;
      this.#listener.onRefused({ symbol, code: 'BadSymbol', isUnknown: !isAll, reason });
      return false;
    });
  }

  async #replaceWatch(symbols: readonly string[]): Promise<void> {
    if (this.#watchedSymbols === symbols.join()) return;
    const old = [...this.#watches];
    if (symbols.length > 0) {
      // The feed already has permission for the first connection of the session.
      if (this.#watchedSymbols !== undefined) await this.#listener.mayConnect();
      if (this.#isClosed) return;
      await this.#startWatch(symbols, old.length > 0);
    }
    this.#watchedSymbols = symbols.join();
    for (const watch of old) this.#watches.delete(watch);
    await Promise.all(old.map((watch) => watch.close(CLOSE_TIMEOUT_MS)));
  }

  /** @param isReplacement if true, waits until the venue delivers or fails, but at most `MAX_OVERLAP_MS` */
  async #startWatch(symbols: readonly string[], isReplacement: boolean): Promise<void> {
    const { library, method, markets } = this.#options;
    const exchange = await markets.newExchange();
    if (this.#isClosed) return;
    let onDelivery = () => {};
    const delivered = new Promise<void>((resolve) => {
      onDelivery = resolve;
    });
    const watch = new CcxtWatch({ library, method, exchange, quoted: this.#quoted }, symbols, {
      onConnected: () => this.#onLive(),
      onEvents: (events) => {
        onDelivery();
        this.#onEvents(events);
      },
      onRefused: (refusal) => this.#listener.onRefused(refusal),
      onFailure: (failure) => {
        onDelivery();
        this.#listener.onEnd(failure);
      },
    });
    this.#watches.add(watch);
    if (!isReplacement) return;
    const timer = setTimeout(onDelivery, MAX_OVERLAP_MS);
    await delivered;
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
