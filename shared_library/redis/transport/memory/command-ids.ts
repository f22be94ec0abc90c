// The ids of commands that the in-memory server remembers, so that a repeated one has no further effect.

import type { EarlierPublish, Outgoing } from '../port.ts';
import type { ServerChannel } from './server-channel.ts';

/** @param now in monotonic milliseconds */
export function findDuplicate(
  { ids, head }: ServerChannel,
  { idempotency }: Outgoing,
  now: number,
): EarlierPublish | 'forgotten' | undefined {
  const known = idempotency && ids.get(idempotency.id);
  if (known !== undefined && known.until > now) return known.published;
  return idempotency?.firstEpoch !== undefined && idempotency.firstEpoch !== head.epoch
    ? 'forgotten'
    : undefined;
}

/** @param now in monotonic milliseconds */
export function rememberId(
  { ids }: ServerChannel,
  { idempotency }: Outgoing,
  now: number,
  published: EarlierPublish,
): void {
  if (idempotency === undefined) return;
  // Deletes in insertion order, up to the first id that has not expired. Expired ids after that id stay for now.
  for (const [id, { until }] of ids) {
    if (until > now) break;
    ids.delete(id);
  }
  ids.set(idempotency.id, { published, until: now + idempotency.rememberMs });
}
