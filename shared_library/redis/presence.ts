// presenceList: the named programs that are there.

import type { Presence } from './channel/schemas/presence.ts';
import { readRecords } from './presence/presence-record.ts';
import type { Connection } from './transport/port.ts';

export type { Presence } from './channel/schemas/presence.ts';
export type { PresenceOptions } from './presence/membership.ts';

/**
 * The named programs that are there now, sorted by name and start. Reads their records on the server, so a crashed one
 * is missing after 2 s at the latest. Right after the server has lost its memory, those are missing that have not
 * reconnected. For changes, subscribe to `CHANNELS.PRESENCE`.
 *
 * @throws TickbusError `TICKBUS_NOT_CONNECTED`, `TICKBUS_DENIED`, `TICKBUS_LIMIT_EXCEEDED` above 10,000 records, or an
 *   error of connecting
 * @example
 * const isThere = (await presenceList(connection)).some(({ name }) => name === 'momentum');
 */
export async function presenceList({ publishing }: Connection): Promise<Presence[]> {
  await publishing.connect();
  const records = await readRecords(publishing);
  return records
    .flatMap((record): Presence[] => (record.state === 'joined' ? [{ ...record, state: 'joined' }] : []))
    .sort((a, b) => (a.name === b.name ? a.since - b.since : a.name < b.name ? -1 : 1));
}
