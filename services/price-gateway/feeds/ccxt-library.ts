// Loads the optional dependency ccxt, and declares the parts of it that the feed uses.

import type { Readable } from 'node:stream';

/** The watch methods by preference: undelayed quotes, tickers, trades. */
export const CCXT_METHODS = ['watchBidsAsks', 'watchTickers', 'watchTrades'] as const;
export type CcxtMethod = (typeof CCXT_METHODS)[number];

/** A ticker, or the best bid and ask. Any field can be missing. */
export interface CcxtTicker {
  readonly timestamp?: number | undefined;
  readonly bid?: number | undefined;
  readonly bidVolume?: number | undefined;
  readonly ask?: number | undefined;
  readonly askVolume?: number | undefined;
  readonly last?: number | undefined;
}

export interface CcxtTrade {
  readonly id?: string | undefined;
  /** The side of the order that took liquidity. */
  readonly side?: string | undefined;
  readonly timestamp?: number | undefined;
  readonly price?: number | undefined;
  readonly amount?: number | undefined;
}

type BySymbol<T> = Readonly<Record<string, T>>;

/** A response as ccxt's HTTP client returns it. */
export interface CcxtResponse {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Readable;
}

/** A WebSocket connection of an exchange. */
export interface CcxtClient {
  readonly connection?: { terminate?(): void };
  /** Whether the venue compresses its messages. */
  readonly gunzip?: boolean;
  readonly inflate?: boolean;
  /** False if the venue sends a binary format, not text. */
  readonly decompressBinary?: boolean;
  onMessage: (event: { readonly data: Buffer | string }) => void;
  onError(error: unknown): void;
  close(): unknown;
}

/** An exchange, connected or not. */
export interface CcxtExchange {
  readonly id: string;
  readonly has: Readonly<Record<string, unknown>>;
  readonly urls: { api: unknown; readonly test?: unknown };
  readonly markets?: BySymbol<unknown>;
  readonly markets_by_id?: BySymbol<readonly { readonly symbol: string }[]>;
  /** The newest state of each symbol, kept by the library. */
  readonly bidsasks: BySymbol<CcxtTicker>;
  readonly tickers: BySymbol<CcxtTicker>;
  readonly trades: BySymbol<readonly CcxtTrade[]>;
  readonly clients: Readonly<Record<string, CcxtClient>>;
  readonly options: { ws?: { readonly options?: object } };
  /** Returns the connection to this URL; the first call creates it. */
  client: (url: string) => CcxtClient;
  /** Reads the body of a response. */
  undiciBody: (response: CcxtResponse, isBinary?: boolean) => Promise<Buffer | string>;
  /** Called by the library when a socket is open. */
  onConnected: () => void;
  loadMarkets(): Promise<unknown>;
  setMarkets(markets: unknown): unknown;
  setSandboxMode(enabled: boolean): void;
  /** Must be called before a connection to a `ws://` URL. */
  loadHttpProxyAgent(): Promise<unknown>;
  watchBidsAsks(symbols: readonly string[]): Promise<BySymbol<CcxtTicker>>;
  watchTickers(symbols: readonly string[]): Promise<BySymbol<CcxtTicker>>;
  watchTrades(symbol: string): Promise<unknown>;
  watchTradesForSymbols(symbols: readonly string[]): Promise<unknown>;
  close(): Promise<void>;
}

type ErrorClass = new (message: string) => Error;

export interface CcxtLibrary {
  /** Exchanges with live data, by name. */
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

/** @throws Error if ccxt is not installed; the message contains the command that installs it */
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
      'The package ccxt is missing, so FEED=ccxt cannot be used. Run: npm install ccxt@4.5.84',
      { cause: error },
    );
  }
}

/** @throws Error if the exchange does not support `preferred`, or none of the methods */
export function chooseMethod(exchange: CcxtExchange, preferred: CcxtMethod | undefined): CcxtMethod {
  const offered = CCXT_METHODS.filter((method) => exchange.has[method] === true);
  const method = preferred === undefined ? offered[0] : offered.find((one) => one === preferred);
  if (method !== undefined) return method;
  const alternatives =
    offered.length === 0 ? 'It has no live prices in ccxt.' : `It supports ${offered.join(', ')}.`;
  throw new Error(`${exchange.id} does not support ${preferred ?? CCXT_METHODS.join(', ')}. ${alternatives}`);
}
