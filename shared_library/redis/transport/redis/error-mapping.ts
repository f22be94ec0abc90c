// Maps errors of the Redis client and server to tickbus errors, without secrets.

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
import { END_KEYS } from '../too-many-keys.ts';
import { formatAddress, isSocketPath, type RedisAddress } from './address.ts';
import { notServingAdvice, readableReply, unknownCommand } from './error-replies.ts';
import { foreignDataError } from './foreign-data.ts';
import { redact } from './redact.ts';
import { tlsFault } from './tls-faults.ts';

const TOO_MANY_CLIENTS = 'ERR max number of clients';
/** `replyPrefix` returns it for every command that the server does not have, or has renamed. */
const UNKNOWN_COMMAND = 'ERR unknown command';

/**
 * Maps the prefix of an error reply to an error code, for commands that were rejected before they had any effect.
 * `TICKBUS_SERVER_ERROR` means that the cause is transient.
 */
const REFUSAL_CODES: ReadonlyMap<string, ErrorCode> = new Map([
  ['FENCED', 'TICKBUS_FENCED'],
  ['WRONGPASS', 'TICKBUS_AUTH_FAILED'],
  ['NOAUTH', 'TICKBUS_AUTH_FAILED'],
  ['NOPERM', 'TICKBUS_DENIED'],
  [UNKNOWN_COMMAND, 'TICKBUS_DENIED'],
  // This error has no prefix that identifies it.
  [TOO_MANY_CLIENTS, 'TICKBUS_SERVER_ERROR'],
  // In a script, a missing permission is a plain ERR. The commands of these scripts fail with ERR for no other reason.
  ['REFUSED ERR', 'TICKBUS_DENIED'],
  ['REFUSED NOPERM', 'TICKBUS_DENIED'],
  ['REFUSED NOCOMMAND', 'TICKBUS_DENIED'],
  ['REFUSED LIMIT', 'TICKBUS_LIMIT_EXCEEDED'],
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
    'ASK',
    'TRYAGAIN',
  ].map((word): [string, ErrorCode] => [word, 'TICKBUS_SERVER_ERROR']),
]);

function refusalCode(answer: string | undefined): ErrorCode | undefined {
  return (
    REFUSAL_CODES.get(answer ?? '') ?? (answer?.startsWith('REFUSED') ? 'TICKBUS_SERVER_ERROR' : undefined)
  );
}

const ADVICE: Partial<Record<ErrorCode, string>> = {
  TICKBUS_AUTH_FAILED: 'Check the user and password in REDIS_URL, as in redis://user:password@host:6379.',
  TICKBUS_DENIED: 'Give the user the permission (ACL SETUSER), or use another user.',
  TICKBUS_FENCED:
    'Nothing was published. Only the holder, such as a price gateway, may publish there (`npx tickbus who`). ' +
    'Stop publishing there, use a namespace without a gateway, or publish under the lease (RedisLease).',
  TICKBUS_LIMIT_EXCEEDED: END_KEYS,
};

/** The replies of a node that is no longer, or not yet, responsible for a slot. */
const CLUSTER_REPLIES: ReadonlySet<string> = new Set(['MOVED', 'ASK', 'TRYAGAIN', 'CLUSTERDOWN']);

const ENABLE_COMMAND =
  'The server does not have it or has renamed it: enable it there (rename-command), or use another server.';

function adviceOn(code: ErrorCode, error: unknown): string {
  const word = replyPrefix(error);
  if (CLUSTER_REPLIES.has(word ?? '')) return notServingAdvice(word, true) ?? '';
  if (word === UNKNOWN_COMMAND || word === 'REFUSED NOCOMMAND') return ENABLE_COMMAND;
  return ADVICE[code] ?? '';
}

/** The address of a server, and what finds it if it moves. */
type ServerAddress = RedisAddress & { readonly locator?: unknown };

/** The error of a failed first connection, with host, port and advice. */
export function connectError(error: unknown, address: RedisAddress): TickbusError {
  const cause = rootCause(error);
  if (cause instanceof TickbusError) return cause;
  const where = formatAddress(address);
  const reply = replyPrefix(cause);
  if (reply !== undefined) {
    const code = refusalCode(reply) ?? 'TICKBUS_CONNECT_FAILED';
    const advice =
      adviceOn(code, cause) ||
      (code === 'TICKBUS_SERVER_ERROR'
        ? 'The server cannot accept it now. Retry later, or check the server settings.'
        : 'Check REDIS_URL; tickbus needs Redis 7 or newer, or a compatible server.');
    return createError(
      code,
      `Redis at ${where} refused the connection: ${message(cause, address)}. ${advice}`,
      cause,
      address,
    );
  }
  const fault = tlsFault(cause);
  return createError(
    fault === undefined ? 'TICKBUS_CONNECT_FAILED' : 'TICKBUS_TLS_FAILED',
    `Cannot connect to Redis at ${where}: ${fault ?? connectFailureReason(cause, address)}`,
    cause,
    address,
  );
}

/**
 * The error of a command on an established link. If the reply is lost, the code is `TICKBUS_NOT_CONNECTED` for a `read`
 * and `TICKBUS_OUTCOME_UNKNOWN` for a `write`. A `write` that was not executed because the server does not serve the
 * channel now is `TICKBUS_NOT_CONNECTED`, too.
 */
export function commandError(error: unknown, address: ServerAddress, effect: 'read' | 'write'): TickbusError {
  if (error instanceof TickbusError) return error;
  const foreign = foreignDataError(error, address);
  if (foreign !== undefined) return foreign;
  const where = formatAddress(address);
  const word = replyPrefix(error);
  const advice = notServingAdvice(word, address.locator !== undefined);
  if (effect === 'write' && advice !== undefined) {
    const text = `Redis at ${where} does not accept the command now, so nothing was done: ${message(error, address)}. ${advice}`;
    return createError('TICKBUS_NOT_CONNECTED', text, error, address);
  }
  const code =
    refusalCode(word) ?? (word !== undefined && effect === 'read' ? 'TICKBUS_SERVER_ERROR' : undefined);
  if (code !== undefined) {
    const text =
      `Redis at ${where} rejected the command: ${message(error, address)}. ${adviceOn(code, error)}`.trimEnd();
    return createError(code, text, error, address);
  }
  const isUnsent = error instanceof ClientOfflineError || error instanceof ClientClosedError;
  if (isUnsent || effect === 'read') return notConnectedError(address, error);
  const event = word === undefined ? 'was lost before it replied' : `replied ${message(error, address)}`;
  const text = `Redis at ${where} ${event}: the command may or may not have been executed.`;
  return createError('TICKBUS_OUTCOME_UNKNOWN', text, error, address);
}

/** The error of a batch that the server rejected as a whole: nothing was published. */
export function refusedError(error: unknown, channel: string, address: ServerAddress): TickbusError {
  const word = replyPrefix(error);
  const retry = notServingAdvice(word, address.locator !== undefined);
  const code = retry === undefined ? (refusalCode(word) ?? 'TICKBUS_SERVER_ERROR') : 'TICKBUS_NOT_CONNECTED';
  const advice = retry ?? adviceOn(code, error);
  const text = `Nothing was published on ${channel}: ${message(error, address)}. ${advice}`.trimEnd();
  return createError(code, text, error, address);
}

export function notConnectedError(address: RedisAddress, error?: unknown): TickbusError {
  const where = formatAddress(address);
  const text = `The link to Redis at ${where} is down, so nothing was sent. Retry when it is connected.`;
  return createError('TICKBUS_NOT_CONNECTED', text, error, address);
}

/** The error of an established link that has gone silent. */
export function silentError(silentForMs: number, address: RedisAddress): TickbusError {
  const where = formatAddress(address);
  const text = `Redis at ${where} has been silent for ${silentForMs} ms: it hangs, or the network drops packets.`;
  return createError('TICKBUS_NOT_CONNECTED', text, undefined, address);
}

/** The error of an established link that dropped or could not reconnect. */
export function linkError(error: unknown, address: RedisAddress): TickbusError {
  const cause = rootCause(error);
  const foreign = foreignDataError(cause, address);
  if (foreign !== undefined) return foreign;
  const fault = tlsFault(cause);
  const code =
    refusalCode(replyPrefix(cause)) ??
    locatorCode(cause) ??
    (fault === undefined ? 'TICKBUS_NOT_CONNECTED' : 'TICKBUS_TLS_FAILED');
  const reason =
    fault ??
    (cause instanceof TickbusError ? cause.message : `${message(cause, address)}. ${adviceOn(code, cause)}`);
  const text = `The link to Redis at ${formatAddress(address)} was lost: ${reason}`.trimEnd();
  return createError(code, text, cause, address);
}

/**
 * Whether a retry is pointless until somebody changes a setting: the server replied with an error that is not
 * transient, such as rejected credentials, or the certificate of one side is unusable.
 */
export function isPermanent(error: unknown): boolean {
  const cause = rootCause(error);
  if (tlsFault(cause) !== undefined) return true;
  if (cause instanceof TickbusError)
    return cause.code === 'TICKBUS_INVALID_OPTION' || locatorCode(cause) !== undefined;
  const word = replyPrefix(cause);
  return word !== undefined && refusalCode(word) !== 'TICKBUS_SERVER_ERROR';
}

/** The code if the error is of a `ServerLocator` whose credentials or TLS settings were rejected. */
function locatorCode(error: unknown): ErrorCode | undefined {
  const code = error instanceof TickbusError ? error.code : undefined;
  return code === 'TICKBUS_AUTH_FAILED' || code === 'TICKBUS_TLS_FAILED' ? code : undefined;
}

/** Whether a running script keeps the server busy, so that a later retry can succeed. */
export function isBusy(error: unknown): boolean {
  return replyPrefix(error) === 'BUSY';
}

/** Whether a key holds another type of value than the command expects. */
export function isWrongType(error: unknown): boolean {
  return replyPrefix(error) === 'WRONGTYPE';
}

/** Whether the user lacks a permission, or the server lacks the command. */
export function isDenied(error: unknown): boolean {
  return refusalCode(replyPrefix(error)) === 'TICKBUS_DENIED';
}

function createError(code: ErrorCode, text: string, cause: unknown, address: RedisAddress): TickbusError {
  return new TickbusError(code, text, cause === undefined ? {} : { cause: withoutSecrets(cause, address) });
}

function connectFailureReason(cause: unknown, address: RedisAddress): string {
  const start =
    'Start Redis (`docker compose up -d redis`, or `redis-server`), or set REDIS_URL, or REDIS_HOST and REDIS_PORT, to its address.';
  const code = (cause as { code?: unknown } | undefined)?.code;
  if (isSocketPath(address.host) && (code === 'ENOENT' || code === 'ENOTSOCK'))
    return `there is no Unix socket at this path (${code}). ${start}`;
  switch (code) {
    case 'ECONNREFUSED':
      return `the connection was refused (ECONNREFUSED). ${start}`;
    case 'EACCES':
      return 'this user may not open it (EACCES). Give the user access, such as by `unixsocketperm` of Redis.';
    case 'ECONNRESET':
      return address.tls
        ? 'the server closed the connection during the TLS handshake (ECONNRESET). Check its log.'
        : `the server closed the connection (ECONNRESET). If it requires TLS, use rediss://. ${CHECK_SERVICE}`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host name is unknown. Check it. ${start}`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `the host cannot be reached. Check the network. ${start}`;
  }
  if (cause instanceof ConnectionTimeoutError || cause instanceof DisconnectsClientError) {
    return address.tls
      ? `it timed out. Check host, port and firewall, and whether the server uses TLS on this port; if not, use redis://.`
      : `it timed out. Check host, port, firewall and whether both sides use TLS (rediss://). ${start}`;
  }
  if (cause instanceof SocketTimeoutError) {
    return `it accepted the connection but sent nothing. ${CHECK_SERVICE}`;
  }
  return `${message(cause, address)}. ${CHECK_SERVICE}`;
}

const CHECK_SERVICE =
  'Check that it is Redis 7 or newer, not another service, and whether it needs TLS (rediss://).';

/**
 * The first word of an error reply, such as WRONGPASS; for errors of tickbus scripts, REFUSED and the word after it.
 * Undefined if the error is not a reply.
 */
function replyPrefix(error: unknown): string | undefined {
  if (!(error instanceof ErrorReply)) return undefined;
  if (error.message.startsWith(TOO_MANY_CLIENTS)) return TOO_MANY_CLIENTS;
  if (unknownCommand(error) !== undefined) return UNKNOWN_COMMAND;
  return /^(REFUSED )?\S*/.exec(error.message)?.[0];
}

/** Unwraps errors of the client. A host name with several addresses gives an AggregateError. */
function rootCause(error: unknown): unknown {
  if (error instanceof ReconnectStrategyError) return rootCause(error.socketError);
  if (error instanceof AggregateError) return rootCause(error.errors[0]);
  return error;
}

function message(error: unknown, address: RedisAddress): string {
  const name = unknownCommand(error);
  // The server appends the arguments, which can be long or secret.
  if (name !== undefined) return `unknown command '${printable(name)}'`;
  const reply = readableReply(error instanceof Error ? error.message || error.name : String(error));
  const text = reply.replace(/^(FENCED|REFUSED( NOPERM| NOCOMMAND| LIMIT)?) /, '');
  return printable(redact(text, address.password)).replace(/\.$/, '');
}

/** A copy without the fields of client errors, which can contain a whole command. */
function withoutSecrets(error: unknown, address: RedisAddress): Error {
  const copy = new Error(message(error, address));
  copy.name = error instanceof Error ? error.name : 'Error';
  delete copy.stack;
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? Object.assign(copy, { code }) : copy;
}
