// The error when no sentinel names the master: why each of them does not.

import {
  ConnectionTimeoutError,
  ErrorReply,
  ReconnectStrategyError,
  SocketClosedUnexpectedlyError,
} from 'redis';
import { type ErrorCode, TickbusError } from '../../../errors.ts';
import { printable } from '../../../runtime/printable.ts';
import { formatPlace, type Place, type RedisAddress, type SentinelGroup } from '../address.ts';
import { unknownCommand } from '../error-replies.ts';
import { redact } from '../redact.ts';
import { tlsFault } from '../tls-faults.ts';

/** A sentinel that gave no answer. */
export interface SentinelFailure {
  readonly place: Place;
  readonly error: unknown;
}

/** Why one sentinel does not name the master. */
interface Reason {
  readonly code: ErrorCode;
  readonly text: string;
  readonly advice: string;
}

/** The error names each sentinel. Its code and advice are those of the reason that an operator can act on best. */
export function sentinelsError(
  failures: readonly SentinelFailure[],
  { tls }: Pick<RedisAddress, 'tls'>,
  group: SentinelGroup,
): TickbusError {
  const reasons = failures.map(({ error }) => reasonOf(error, group, tls));
  const list = failures.map((failure) => describeFailure(failure, { tls }, group)).join('; ');
  const [first] = CODES.flatMap((code) => reasons.filter((reason) => reason.code === code));
  const { code, advice } = first ?? { code: 'TICKBUS_CONNECT_FAILED', advice: START };
  const start = `No sentinel names the master "${group.master}", so Redis cannot be found`;
  const field = code === 'TICKBUS_AUTH_FAILED' ? { field: 'sentinel_password' } : {};
  return new TickbusError(code, `${start}: ${list}. ${advice}`, field);
}

/** Place and reason, such as `10.0.0.1:26379 refused the connection`. */
export function describeFailure(
  { place, error }: SentinelFailure,
  { tls }: Pick<RedisAddress, 'tls'>,
  group: SentinelGroup,
): string {
  return `${formatPlace(place)} ${reasonOf(error, group, tls).text}`;
}

/** In order of precedence: a rejected password needs an action even if other sentinels are only down. */
const CODES = [
  'TICKBUS_AUTH_FAILED',
  'TICKBUS_TLS_FAILED',
  'TICKBUS_DENIED',
  'TICKBUS_CONNECT_FAILED',
] as const;

const START = 'Start the sentinels, or correct their hosts and ports in the URL (the default port is 26379).';

function reasonOf(error: unknown, group: SentinelGroup, tls: boolean): Reason {
  const thrown = error instanceof ReconnectStrategyError ? error.socketError : error;
  const cause = thrown instanceof AggregateError ? thrown.errors[0] : thrown;
  const fault = tlsFault(cause);
  if (fault !== undefined)
    return { code: 'TICKBUS_TLS_FAILED', text: `failed: ${fault.replace(/\..*$/s, '')}`, advice: fault };
  if (cause instanceof ErrorReply) return replyReason(cause, group);
  const text = connectFailure(cause, tls) ?? `failed: ${shown(cause, group)}`;
  return { code: 'TICKBUS_CONNECT_FAILED', text, advice: START };
}

function replyReason(reply: ErrorReply, group: SentinelGroup): Reason {
  const [word] = reply.message.split(' ');
  if (word === 'WRONGPASS' || word === 'NOAUTH') {
    const text = word === 'NOAUTH' ? 'requires a password' : 'rejects the password';
    const advice =
      'Set sentinel_password (and sentinel_username) in the URL to those of the sentinels: ' +
      'the user and password before the hosts are those of Redis.';
    return { code: 'TICKBUS_AUTH_FAILED', text, advice };
  }
  if (unknownCommand(reply) !== undefined)
    return {
      code: 'TICKBUS_CONNECT_FAILED',
      text: 'is no sentinel',
      advice:
        'Name the sentinels in the URL, not the Redis servers that they watch (the default port is 26379).',
    };
  if (reply.message.startsWith('ERR No such master'))
    return {
      code: 'TICKBUS_CONNECT_FAILED',
      text: 'does not watch a master of this name',
      advice: 'Write the name after the hosts in the URL as in `sentinel monitor <name>` of the sentinels.',
    };
  const advice =
    word === 'NOPERM'
      ? 'Give the user of the sentinels +sentinel|myid, +sentinel|master, +sentinel|get-master-addr-by-name and ' +
        '+sentinel|sentinels.'
      : 'Check the log of the sentinels.';
  const code = word === 'NOPERM' ? 'TICKBUS_DENIED' : 'TICKBUS_CONNECT_FAILED';
  return { code, text: `replied: ${shown(reply, group)}`, advice };
}

const CLOSED = 'closed the connection';
const CLOSED_WITHOUT_TLS = `${CLOSED} (it may require TLS: rediss+sentinel://)`;

function connectFailure(cause: unknown, tls: boolean): string | undefined {
  switch ((cause as { code?: unknown } | undefined)?.code) {
    case 'ECONNREFUSED':
      return 'refused the connection';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'is an unknown host name';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'cannot be reached';
    case 'ECONNRESET':
      return tls ? CLOSED : CLOSED_WITHOUT_TLS;
  }
  if (cause instanceof SocketClosedUnexpectedlyError) return tls ? CLOSED : CLOSED_WITHOUT_TLS;
  return cause instanceof ConnectionTimeoutError ? 'did not answer in time' : undefined;
}

function shown(error: unknown, { password }: SentinelGroup): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return printable(redact(text, password)).replace(/\.$/, '');
}
