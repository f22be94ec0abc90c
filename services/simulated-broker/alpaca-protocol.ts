// The messages of Alpaca's market data stream v2: control messages, error codes, data messages, client messages.

import { z } from 'zod';
import type { BrokerEvent, StatusEvent } from './sources/price-source.ts';

/** Error codes and texts. Source: docs.alpaca.markets, "WebSocket Stream", section "Errors". */
const ERRORS = {
  400: 'invalid syntax',
  401: 'not authenticated',
  402: 'auth failed',
  403: 'already authenticated',
  404: 'auth timeout',
  405: 'symbol limit exceeded',
  406: 'connection limit exceeded',
  407: 'slow client',
  409: 'insufficient subscription',
  410: 'invalid subscribe action for this feed',
  500: 'internal error',
} as const;

export type BrokerErrorCode = keyof typeof ERRORS;

/** Errors after which the broker closes the connection. After the others the session is unchanged. */
export const CLOSING_ERRORS: ReadonlySet<BrokerErrorCode> = new Set<BrokerErrorCode>([
  402, 404, 406, 407, 409, 500,
]);

/** A message of the broker; the wire format is an array of messages. */
export interface ServerMessage {
  readonly T: string;
}

/** `t` is RFC 3339 text in JSON and a timestamp extension in msgpack. */
interface TradeMessage extends ServerMessage {
  readonly T: 't';
  readonly i: number;
  readonly S: string;
  readonly x: string;
  readonly p: number;
  readonly s: number;
  readonly t: Date;
  readonly c: readonly string[];
  readonly z: string;
}

/** `t` as in a trade. */
interface QuoteMessage extends ServerMessage {
  readonly T: 'q';
  readonly S: string;
  readonly bx: string;
  readonly bp: number;
  readonly bs: number;
  readonly ax: string;
  readonly ap: number;
  readonly as: number;
  readonly t: Date;
  readonly c: readonly string[];
  readonly z: string;
}

/** A trading status; `t` as in a trade. */
interface StatusMessage extends ServerMessage {
  readonly T: 's';
  readonly S: string;
  readonly sc: string;
  readonly sm: string;
  readonly rc: string;
  readonly rm: string;
  readonly t: Date;
  readonly z: string;
}

export type DataMessage = TradeMessage | QuoteMessage | StatusMessage;

/** A message of a client. `channels` maps channel names to symbols; `Subscriptions` checks the channel names. */
export type ClientMessage =
  | { readonly action: 'auth'; readonly key: string; readonly secret: string }
  | { readonly action: 'subscribe' | 'unsubscribe'; readonly channels: Readonly<Record<string, string[]>> };

/** The greeting of a new connection. */
export const CONNECTED: ServerMessage & { readonly msg: string } = { T: 'success', msg: 'connected' };

/** Answers valid credentials. */
export const AUTHENTICATED: ServerMessage & { readonly msg: string } = { T: 'success', msg: 'authenticated' };

export function errorMessage(
  code: BrokerErrorCode,
): ServerMessage & { readonly code: number; readonly msg: string } {
  return { T: 'error', code, msg: ERRORS[code] };
}

/**
 * The message for an event. Fields that the event lacks get IEX's values for an ordinary trade or quote:
 * exchange `V`, regular conditions, tape `C`.
 *
 * @param tradeId the exchange's trade id; unused for a quote
 */
export function dataMessage(event: BrokerEvent, tradeId: number): DataMessage {
  const t = new Date(event.timestamp);
  if (event.kind === 'status') {
    const { symbol, code, reason: [rc, rm] = ['', ''] } = event;
    return { T: 's', S: symbol, sc: code, sm: STATUS_TEXTS[code], rc, rm, t, z: TAPE };
  }
  if (event.kind === 'trade') {
    const { symbol, price, size } = event;
    return { T: 't', i: tradeId, S: symbol, x: EXCHANGE, p: price, s: size, t, c: ['@'], z: TAPE };
  }
  const { symbol, bid, bid_size, ask, ask_size } = event;
  return {
    T: 'q',
    S: symbol,
    bx: EXCHANGE,
    bp: bid,
    bs: bid_size,
    ax: EXCHANGE,
    ap: ask,
    as: ask_size,
    t,
    c: ['R'],
    z: TAPE,
  };
}

/** Validates a decoded client message; undefined if it violates the protocol (error 400). */
export function readClientMessage(value: unknown): ClientMessage | undefined {
  const { success, data } = clientMessage.safeParse(value);
  if (!success) return undefined;
  if (data.action === 'auth') return data;
  const { action, ...channels } = data;
  return { action, channels };
}

const STATUS_TEXTS: Readonly<Record<StatusEvent['code'], string>> = {
  H: 'Trading Halt',
  P: 'Volatility Trading Pause',
  Q: 'Quotation Resumption',
  T: 'Trading Resumption',
};

const EXCHANGE = 'V';
const TAPE = 'C';

/** `*`, or a symbol such as `AAPL`, `BRK.B`, `BTC/USD`, `BAND-GBP`. */
const symbols = z.array(z.string().regex(/^(\*|\w[\w./:-]{0,31})$/));

const clientMessage = z.discriminatedUnion('action', [
  z.object({ action: z.literal('auth'), key: z.string(), secret: z.string() }),
  z.object({ action: z.literal('subscribe') }).catchall(symbols),
  z.object({ action: z.literal('unsubscribe') }).catchall(symbols),
]);
