// Reads whether a gateway or a monitor keeps the statuses of plain clients.

import type { ProgramFact } from '@tickbus/operator-kit/bot-programs';
import { adopterSilenceMs } from '@tickbus/operator-kit/plain-clients';
import { feedStatus, type RedisConnection } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { unlessDenied } from './diagnosis/server-facts.ts';
import { readStoredValues } from './stored-values.ts';

/**
 * As `adopterSilenceMs`. Without permission for FEED_STATUS, no gateway counts.
 *
 * @param programs what is in PRESENCE; undefined if the user may not read it
 */
export async function readAdopterSilence(
  connection: RedisConnection,
  programs: readonly ProgramFact[] | undefined,
): Promise<number | undefined> {
  const values = (await unlessDenied(readStoredValues(connection, CHANNELS.FEED_STATUS))) ?? [];
  const feeds = values.flatMap(({ envelope, ageMs }) => {
    const { data: status } = feedStatus.safeParse(envelope.data);
    return status === undefined ? [] : [{ status, ageMs }];
  });
  return adopterSilenceMs(feeds, programs);
}
