// What the Redis client and server say, as tickbus errors; no secret gets through.

import {
  ClientClosedError,
  ClientOfflineError,
  ConnectionTimeoutError,
  DisconnectsClientError,
  ErrorReply,
  ReconnectStrategyError,
  SocketTimeoutError,
} from 'redis';
import { type ErrorCode, TickbusError } from '../../errors.ts';
import { printable } from '../../runtime/printable.ts';
import type { RedisAddress } from './address.ts';
import { formatAddress } from './link-settings.ts';

const TOO_MANY_CLIENTS = 'ERR max number of clients';

/** A command that was refused before it had any effect, by the first word of the server's answer. What is a SERVER_ERROR can pass. */
const REFUSAL_CODES: ReadonlyMap<string, ErrorCode> = new Map([
  ['FENCED', 'TICKBUS_FENCED'],
  ['WRONGPASS', 'TICKBUS_AUTH_FAILED'],
  ['NOAUTH', 'TICKBUS_AUTH_FAILED'],
  ['NOPERM', 'TICKBUS_DENIED'],
  // It has no word of its own.
  [TOO_MANY_CLIENTS, 'TICKBUS_SERVER_ERROR'],
  // Within a script a missing permission has no word of its own; for the commands of ours there is no other plain ERR.
  ['REFUSED ERR', 'TICKBUS_DENIED'],
  ['REFUSED NOPERM', 'TICKBUS_DENIED'],
  ...[
    'OOM',
    'READONLY',
    'LOADING',
    'MISCONF',
    'BUSY',
    'MASTERDOWN',
    'NOREPLICAS',
    'CLUSTERDOWN',
    'NOSCRIPT',
    'MOVED',
  ].map((word): [string, ErrorCode] => [word, 'TICKBUS_SERVER_ERROR']),
]);

function refusalCode(answer: string | undefined): ErrorCode | undefined {
  return (
    REFUSAL_CODES.get(answer ?? '') ?? (answer?.startsWith('REFUSED') ? 'TICKBUS_SERVER_ERROR' : undefined)
  );
}

const ADVICE: Partial<Record<ErrorCode, string>> = {
  TICKBUS_AUTH_FAILED: 'Check the user and password in REDIS_URL.',
  TICKBUS_DENIED: 'Give the user the permission (ACL SETUSER), or use another user.',
  TICKBUS_FENCED:
    'Publish under the lease of this channel; a candidate takes over one that has lapsed within its TTL.',
};

/** Why the first connection failed: one sentence with host, port and what to try. */
export function connectError(error: unknown, address: RedisAddress): TickbusError {
  const cause = rootCause(error);
  const where = formatAddress(address);
  const reply = replyPrefix(cause);
  if (reply !== undefined) {
    const code = refusalCode(reply) ?? 'TICKBUS_CONNECT_FAILED';
    const advice =
      ADVICE[code] ??
      (code === 'TICKBUS_SERVER_ERROR'
        ? 'It cannot take it now: try again later, or look at the settings of the server.'
        : 'Check REDIS_URL; tickbus needs Redis 7 or newer, or a compatible server.');
    return createError(
      code,
      `Redis at ${where} refused the connection: ${message(cause, address)}. ${advice}`,
      cause,
      address,
    );
  }
  return createError(
    'TICKBUS_CONNECT_FAILED',
    `Cannot connect to Redis at ${where}: ${connectFailureReason(cause, address)}`,
    cause,
    address,
  );
}

/**
 * What became of a command that was given to the client on an established link. A `read` without an answer has simply not been
 * done; whether a `write` was is unknown.
 */
export function commandError(error: unknown, address: RedisAddress, effect: 'read' | 'write'): TickbusError {
  if (error instanceof TickbusError) return error;
  const where = formatAddress(address);
  const word = replyPrefix(error);
  const code =
    refusalCode(word) ?? (word !== undefined && effect === 'read' ? 'TICKBUS_SERVER_ERROR' : undefined);
  if (code !== undefined) {
    const text = `Redis at ${where} refused: ${message(error, address)}. ${ADVICE[code] ?? ''}`.trimEnd();
    return createError(code, text, error, address);
  }
  const isUnsent = error instanceof ClientOfflineError || error instanceof ClientClosedError;
  if (isUnsent || effect === 'read') return notConnectedError(address, error);
  const what = word === undefined ? 'was lost before it answered' : `answered ${message(error, address)}`;
  const text = `Redis at ${where} ${what}: what was sent may or may not have been done.`;
  return createError('TICKBUS_OUTCOME_UNKNOWN', text, error, address);
}

/** A batch that the server refused as a whole: nothing of it was published. */
export function refusedError(error: unknown, channel: string, address: RedisAddress): TickbusError {
  const code = refusalCode(replyPrefix(error)) ?? 'TICKBUS_SERVER_ERROR';
  const text =
    `Nothing was published on ${channel}: ${message(error, address)}. ${ADVICE[code] ?? ''}`.trimEnd();
  return createError(code, text, error, address);
}

export function notConnectedError(address: RedisAddress, error?: unknown): TickbusError {
  const text = `The link to Redis at ${formatAddress(address)} is down, so nothing was sent. Try again when it is connected.`;
  return createError('TICKBUS_NOT_CONNECTED', text, error, address);
}

/** An established link on which nothing came any more. */
export function silentError(silentForMs: number, address: RedisAddress): TickbusError {
  const text = `Redis at ${formatAddress(address)} has been silent for ${silentForMs} ms: it hangs, or the network drops what is sent.`;
  return createError('TICKBUS_NOT_CONNECTED', text, undefined, address);
}

/** An established link that dropped, or that could not be made again. */
export function linkError(error: unknown, address: RedisAddress): TickbusError {
  const cause = rootCause(error);
  const word = replyPrefix(cause);
  const code = refusalCode(word) ?? 'TICKBUS_NOT_CONNECTED';
  const text =
    `The link to Redis at ${formatAddress(address)} was lost: ${message(cause, address)}. ${ADVICE[code] ?? ''}`.trimEnd();
  return createError(code, text, cause, address);
}

/** True when trying again cannot help: the server refused the credentials. */
export function isPermanent(error: unknown): boolean {
  const word = replyPrefix(rootCause(error));
  return word !== undefined && refusalCode(word) !== 'TICKBUS_SERVER_ERROR';
}

/** A script keeps the server busy: the same command will be taken later. */
export function isBusy(error: unknown): boolean {
  return replyPrefix(error) === 'BUSY';
}

/** The user lacks the permission. */
export function isDenied(error: unknown): boolean {
  return refusalCode(replyPrefix(error)) === 'TICKBUS_DENIED';
}

function createError(code: ErrorCode, text: string, cause: unknown, address: RedisAddress): TickbusError {
  return new TickbusError(code, text, cause === undefined ? {} : { cause: withoutSecrets(cause, address) });
}

function connectFailureReason(cause: unknown, address: RedisAddress): string {
  const start =
    'Start Redis (`docker-compose up -d redis`), or set REDIS_URL, or REDIS_HOST and REDIS_PORT, to where it runs.';
  switch ((cause as { code?: unknown } | undefined)?.code) {
    case 'ECONNREFUSED':
      return `nothing listens there (ECONNREFUSED). ${start}`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host name is not known. Check it. ${start}`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `the host cannot be reached. Check the network. ${start}`;
  }
  if (cause instanceof ConnectionTimeoutError || cause instanceof DisconnectsClientError) {
    return `it did not answer in time. Check host, port, firewall and whether both sides mean TLS (rediss://). ${start}`;
  }
  if (cause instanceof SocketTimeoutError) {
    return 'it accepted the connection and then said nothing. Check that it is Redis, and not another service or one behind TLS (rediss://).';
  }
  return `${message(cause, address)}. Check that it is Redis 7 or newer, and not another service or one behind TLS (rediss://).`;
}

/**
 * What an error of the server begins with, such as WRONGPASS, or REFUSED and the word behind it from our scripts; undefined when it
 * did not come from the server.
 */
function replyPrefix(error: unknown): string | undefined {
  if (!(error instanceof ErrorReply)) return undefined;
  return error.message.startsWith(TOO_MANY_CLIENTS)
    ? TOO_MANY_CLIENTS
    : /^(REFUSED )?\S*/.exec(error.message)?.[0];
}

/** The client wraps what happened in an error of its own when it gives up, and names resolve to several addresses. */
function rootCause(error: unknown): unknown {
  if (error instanceof ReconnectStrategyError) return rootCause(error.socketError);
  if (error instanceof AggregateError) return rootCause(error.errors[0]);
  return error;
}

function message(error: unknown, address: RedisAddress): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return redact(printable(text), address).replace(/\.$/, '');
}

/** The server repeats arguments in some errors (`unknown command HELLO, with args beginning with ...`). */
function redact(text: string, { password }: RedisAddress): string {
  if (password === undefined) return text;
  return text.replaceAll(password, '***').replaceAll(encodeURIComponent(password), '***');
}

/** A copy that keeps what helps: the client's own errors can carry a whole command. */
function withoutSecrets(error: unknown, address: RedisAddress): Error {
  const copy = new Error(message(error, address));
  copy.name = error instanceof Error ? error.name : 'Error';
  delete copy.stack;
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? Object.assign(copy, { code }) : copy;
}
