// The library ccxt, which is not installed unless it is wanted, and the few of its parts that the feed uses.

/** The ways to hear prices, the best one first: quotes without delay, tickers, trades. */
export const CCXT_METHODS = ['watchBidsAsks', 'watchTickers', 'watchTrades'] as const;
export type CcxtMethod = (typeof CCXT_METHODS)[number];

/** A ticker or the best bid and ask, unified. Any field can be missing. */
export interface CcxtTicker {
  readonly timestamp?: number | undefined;
  readonly bid?: number | undefined;
  readonly bidVolume?: number | undefined;
  readonly ask?: number | undefined;
  readonly askVolume?: number | undefined;
  readonly last?: number | undefined;
}

export interface CcxtTrade {
  readonly timestamp?: number | undefined;
  readonly price?: number | undefined;
  readonly amount?: number | undefined;
}

type BySymbol<T> = Readonly<Record<string, T>>;

/** One connected (or not yet connected) exchange. */
export interface CcxtExchange {
  readonly id: string;
  readonly has: Readonly<Record<string, unknown>>;
  readonly urls: { api: unknown; readonly test?: unknown };
  readonly markets?: BySymbol<unknown>;
  readonly markets_by_id?: BySymbol<readonly { readonly symbol: string }[]>;
  /** The newest of each symbol, kept by the library. */
  readonly bidsasks: BySymbol<CcxtTicker>;
  readonly tickers: BySymbol<CcxtTicker>;
  readonly trades: BySymbol<readonly CcxtTrade[]>;
  readonly clients: Readonly<Record<string, { readonly connection?: { terminate?(): void } }>>;
  /** The library's hook: a socket is open. */
  onConnected: () => void;
  loadMarkets(): Promise<unknown>;
  setMarkets(markets: unknown): unknown;
  setSandboxMode(enabled: boolean): void;
  /** Needed before a connection to a `ws://` address. */
  loadHttpProxyAgent(): Promise<unknown>;
  watchBidsAsks(symbols: readonly string[]): Promise<BySymbol<CcxtTicker>>;
  watchTickers(symbols: readonly string[]): Promise<BySymbol<CcxtTicker>>;
  watchTrades(symbol: string): Promise<unknown>;
  watchTradesForSymbols(symbols: readonly string[]): Promise<unknown>;
  close(): Promise<void>;
}

type ErrorClass = new (message: string) => Error;

export interface CcxtLibrary {
  /** Those with live data, by name. */
  readonly exchanges: Readonly<Record<string, new (config: object) => CcxtExchange>>;
  readonly errors: Readonly<
    Record<
      | 'AuthenticationError'
      | 'ArgumentsRequired'
      | 'BadRequest'
      | 'BadSymbol'
      | 'InvalidProxySettings'
      | 'NotSupported'
      | 'RestrictedLocation',
      ErrorClass
    >
  >;
}

/** @throws Error that says what to install */
export async function loadCcxt(): Promise<CcxtLibrary> {
  try {
    const { default: library } = await import('ccxt');
    const exchanges = Object.entries(library.pro).filter(([, value]) => typeof value === 'function');
    return {
      exchanges: Object.assign(Object.create(null), Object.fromEntries(exchanges)),
      errors: library as unknown as CcxtLibrary['errors'],
    };
  } catch (error) {
    throw new Error(
      'FEED=ccxt needs the package ccxt, which is not installed with the gateway. Type: npm install ccxt@4.5.84',
      { cause: error },
    );
  }
}

/** @throws Error when there is no such venue, or none of its methods gives prices */
export function chooseMethod(exchange: CcxtExchange, wanted: CcxtMethod | undefined): CcxtMethod {
  const offered = CCXT_METHODS.filter((method) => exchange.has[method] === true);
  const method = wanted === undefined ? offered[0] : offered.find((one) => one === wanted);
  if (method !== undefined) return method;
  const instead = offered.length === 0 ? 'It has no live prices in ccxt.' : `It has ${offered.join(', ')}.`;
  throw new Error(`${exchange.id} has no ${wanted ?? CCXT_METHODS.join(', ')}. ${instead}`);
}
