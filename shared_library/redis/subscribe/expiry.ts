// Decides whether a command has expired, by the one clock that its sender and receiver share: the server's.

import type { ServerNow } from '../freshness/server-clock.ts';
import type { Message } from '../wire/message.ts';

/**
 * A command lives for `expires_at - timestamp` from its server timestamp (`at`), so neither the sender's clock nor
 * the receiver's has to be right. In doubt, the command has expired: none is ever handled too late. It has also expired
 * if `at` is further in the future than this lifetime, because the server's clock was set back. A command of a plain
 * client (without tickbus) has no `at`, so its `expires_at` is compared with the server's time.
 *
 * @param now undefined before the first answer of the server
 * @param localTime Unix milliseconds of this machine, used while `now` is undefined
 */
export function isExpired(
  { expires_at, timestamp, at }: Pick<Message, 'expires_at' | 'timestamp' | 'at'>,
  now: ServerNow | undefined,
  localTime: number,
): boolean {
  if (expires_at === undefined) return false;
  if (now === undefined) return expires_at <= localTime;
  if (at === undefined) return expires_at <= now.time + now.errorMs;
  return Math.abs(now.time - at) + now.errorMs >= expires_at - timestamp;
}
