// The messages of Alpaca's market data stream v2: control messages, error codes, data messages, client messages.

import { z } from 'zod';

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
  /** Missing if the broker sends no identifiers. */
  readonly i?: number;
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

/** A corrected trade: fields with `o` are the original's, those with `c` the corrected ones. `t` as in a trade. */
interface CorrectionMessage extends ServerMessage {
  readonly T: 'c';
  readonly S: string;
  readonly x: string;
  readonly oi?: number;
  readonly op: number;
  readonly os: number;
  readonly oc: readonly string[];
  readonly ci?: number;
  readonly cp: number;
  readonly cs: number;
  readonly cc: readonly string[];
  readonly t: Date;
  readonly z: string;
}

/** A cancelled trade; `a` is C (cancel) or E (error), `t` as in a trade. */
interface CancelMessage extends ServerMessage {
  readonly T: 'x';
  readonly S: string;
  readonly i?: number;
  readonly x: string;
  readonly p: number;
  readonly s: number;
  readonly a: 'C' | 'E';
  readonly t: Date;
  readonly z: string;
}

/** A price band; `i` is B (in force) or F (not in force), `t` as in a trade. */
interface BandMessage extends ServerMessage {
  readonly T: 'l';
  readonly S: string;
  readonly u: number;
  readonly d: number;
  readonly i: 'B' | 'F';
  readonly t: Date;
  readonly z: string;
}

export type DataMessage =
  | TradeMessage
  | QuoteMessage
  | StatusMessage
  | CorrectionMessage
  | CancelMessage
  | BandMessage;

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

/** Validates a decoded client message; undefined if it violates the protocol (error 400). */
export function readClientMessage(value: unknown): ClientMessage | undefined {
  const { success, data } = clientMessage.safeParse(value);
  if (!success) return undefined;
  if (data.action === 'auth') return data;
  const { action, ...channels } = data;
  return { action, channels };
}

/** `*`, or a symbol such as `AAPL`, `BRK.B`, `BTC/USD`, `BAND-GBP`. */
const symbols = z.array(z.string().regex(/^(\*|\w[\w./:-]{0,31})$/));

const clientMessage = z.discriminatedUnion('action', [
  z.object({ action: z.literal('auth'), key: z.string(), secret: z.string() }),
  z.object({ action: z.literal('subscribe') }).catchall(symbols),
  z.object({ action: z.literal('unsubscribe') }).catchall(symbols),
]);
