// Errors for keys of tickbus that another program has written to.

import { ErrorReply } from 'redis';
import { MAX_PARTITIONS } from '../../channel/partitions.ts';
import { TickbusError } from '../../errors.ts';
import { printable } from '../../runtime/printable.ts';
import { formatAddress, type RedisAddress } from './address.ts';
import { readableReply } from './error-replies.ts';

/** A field of the head as a number; undefined for a value that tickbus never writes. Same rule as `LUA_WHOLE`. */
export function parseWhole(value: string): number | undefined {
  return /^\d+$/.test(value) && Number(value) <= 2 ** 52 ? Number(value) : undefined;
}

/** A recorded number of partitions; undefined for a value that tickbus never writes. Same rule as `LUA_PARTITIONS`. */
export function parsePartitions(value: string): number | undefined {
  return /^[1-9]\d{0,2}$/.test(value) && Number(value) <= MAX_PARTITIONS ? Number(value) : undefined;
}

/**
 * The error for a key of tickbus that another program has written to; its `field` is the key. Undefined for other
 * errors. Scripts report such a key as `REFUSED FOREIGN`, then the field of the hash, `type` or `last-id`, and the key.
 */
export function foreignDataError(error: unknown, address: RedisAddress): TickbusError | undefined {
  const text = error instanceof ErrorReply ? readableReply(error.message) : '';
  const [, what, key] = /^REFUSED FOREIGN (\S+) (.*)$/s.exec(text) ?? [];
  return what === undefined || key === undefined ? undefined : foreignKeyError(key, what, address);
}

/**
 * @param what the field with a value that tickbus never writes; `type` if the key has another type; `last-id` if the
 *   stream has an entry with a higher ID
 */
export function foreignKeyError(key: string, what: string, address: RedisAddress): TickbusError {
  const text =
    `${foreignKeyFault(key, what)} The channel on Redis at ${formatAddress(address)} cannot be read or published on. ` +
    foreignKeyAdvice(key);
  return new TickbusError('TICKBUS_SERVER_ERROR', text, { field: key });
}

/** What is wrong with the key, as a sentence. */
export function foreignKeyFault(key: string, what: string): string {
  const faults: Readonly<Record<string, string>> = {
    type: 'has another type than tickbus',
    'last-id': 'has an entry with a higher ID than tickbus',
  };
  const fault = faults[what] ?? `has a value in its field "${what}" that tickbus never`;
  return `The key ${printable(key)} ${fault} writes.`;
}

export function foreignKeyAdvice(key: string): string {
  return `Another program writes there: stop it, then delete the key (DEL ${printable(key)}); a new epoch begins.`;
}
