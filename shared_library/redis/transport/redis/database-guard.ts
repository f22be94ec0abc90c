// Refuses a channel that is used from another database of the server. Pub/sub ignores database numbers, so the messages
// of one database reach the subscribers of all, while numbers, last values and leases are kept apart.

import { ErrorReply } from 'redis';
import type { ChannelSpec } from '../../channel/channel.ts';
import { nameIn } from '../../channel/namespace.ts';
import { TickbusError } from '../../errors.ts';
import { printable } from '../../runtime/printable.ts';
import { formatAddress } from './address.ts';
import type { RedisClient } from './client.ts';
import { channelKeys } from './keys.ts';
import type { LinkSettings } from './link-settings.ts';

/** For each channel, by its name on the server, another database that uses it; undefined if the user may not know. */
export async function findOtherDatabases(
  client: RedisClient,
  names: readonly string[],
  db: number,
): Promise<ReadonlyMap<string, number> | undefined> {
  const heads = names.map((name) => channelKeys({ name }).head);
  const reply = await client.findDatabases(heads, [String(db)]);
  if (!Array.isArray(reply)) return undefined;
  const found = names.map((name, index): [string, number] => [name, Number(reply[index])]);
  return new Map(found.filter(([, database]) => database >= 0));
}

/**
 * Called before a program first uses a channel. Later uses are not checked: a program that runs is not stopped by one
 * that is started in the wrong database. A channel of kind `plain` and a job have no head or publish nothing.
 *
 * @throws TickbusError `TICKBUS_INVALID_OPTION` with the field `db`
 */
export async function requireOnlyDatabase(
  client: RedisClient,
  { name, kind }: ChannelSpec,
  settings: LinkSettings,
): Promise<void> {
  // A cluster has one database.
  if (kind === 'plain' || settings.cluster !== undefined) return;
  const { db } = settings;
  const others = await findOtherDatabases(client, [name], db).catch((error: unknown) => {
    // A server that rejects this script rejects publishing and leases, too. Subscribing needs no script.
    if (error instanceof ErrorReply) return undefined;
    throw error;
  });
  const other = others?.get(name);
  if (other === undefined) return;
  const text =
    `${printable(name)} is used from database ${other} of Redis at ${formatAddress(settings)}, and this program uses ` +
    `database ${db}. Pub/sub ignores database numbers, so both would hear each other; nothing was done. ` +
    `${otherDatabaseAdvice(name, other)}.`;
  throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field: 'db' });
}

/** What to do about a channel that is also used from the database `other`, as sentences without the last full stop. */
export function otherDatabaseAdvice(name: string, other: number, namespace?: string): string {
  const { head } = channelKeys({ name: nameIn(namespace, name) });
  return (
    'Give each desk a namespace of its own (TICKBUS_NAMESPACE, or the option `namespace`), or use one database. ' +
    `If nothing uses database ${other} any more, delete its record: redis-cli -n ${other} DEL '${printable(head)}'`
  );
}
