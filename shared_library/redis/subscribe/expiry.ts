// Whether a command may still be acted upon, by the one clock that sender and receiver share: the server's.

import type { ServerNow } from '../freshness/server-clock.ts';
import type { Message } from '../wire/message.ts';

/**
 * A command lives as long as its sender meant it to (`expires_at` less `timestamp`), from the moment the server stamped it (`at`): then
 * neither the sender's clock nor the receiver's need be right. In doubt it is over, so that none is ever acted upon too late; one
 * that is stamped further in the future than it lives cannot be dated, because the server's clock was set. A stranger's command
 * has no stamp: its own `expires_at` counts.
 *
 * @param now undefined before the server has told its time
 * @param localTime Unix milliseconds of this machine, for want of better
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
