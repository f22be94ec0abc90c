// Reads what `doctor` and `status` judge about a server.

import { TickbusError } from 'tickbus';
import { type ChannelStats, RedisAdmin } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import { knownChannel, knownNames } from '../channel-lookup.ts';
import type { Context } from '../context.ts';
import { readStoredValues } from '../stored-values.ts';
import type { ServerFacts } from './diagnose.ts';

/** Further channels of venues: anybody who may publish on FEED_STATUS can name one. */
const MAX_VENUES = 50;
/** Samples of the server clock. */
const SAMPLES = 15;

/** @throws TickbusError as `RedisAdmin.connect` */
export async function readServerFacts(context: Context): Promise<ServerFacts> {
  const admin = context.closing(new RedisAdmin(context.redis));
  await admin.connect();
  const server = await admin.inspect();
  const commands = await admin.commands();
  const permissions = await admin.permissions();
  const clock = await admin.clock(SAMPLES);
  const names = [...knownNames(), ...(await venueNames(context))];
  const channels = await channelsOf(admin, names, server.cluster !== undefined);
  const otherDatabases = await admin.otherDatabases(names);
  const { address, namespace } = context.settings;
  return {
    server,
    commands,
    permissions,
    clock,
    channels,
    names: { database: address.db, namespace, otherDatabases },
  };
}

/** The channels of venues whose gateways have a status. Other findings say why the statuses cannot be read. */
async function venueNames(context: Context): Promise<readonly string[]> {
  const statuses = await readStoredValues(context.connection(), CHANNELS.FEED_STATUS).catch(() => []);
  const named = statuses.map(({ envelope }) => String(envelope.data.channel ?? ''));
  const known = named.filter((name) => !knownNames().includes(name) && knownChannel(name) !== undefined);
  return [...new Set(known)].slice(0, MAX_VENUES);
}

/**
 * The channels with their leases; undefined if the user may not read them. Without the channels of nodes that
 * cannot be reached: other findings report those nodes.
 */
async function channelsOf(
  admin: RedisAdmin,
  names: readonly string[],
  isCluster: boolean,
): Promise<readonly ChannelStats[] | undefined> {
  if (!isCluster) return unlessDenied(admin.channels(names));
  const each = await Promise.allSettled(names.map((name) => unlessDenied(admin.channels([name]))));
  const reached = each.flatMap((stats) => (stats.status === 'fulfilled' ? [stats.value] : []));
  return reached.includes(undefined) ? undefined : reached.flatMap((stats) => stats ?? []);
}

/** Undefined if the user may not do it. */
export async function unlessDenied<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof TickbusError && error.code === 'TICKBUS_DENIED') return undefined;
    throw error;
  }
}
