// What BOT_STATUS and PRESENCE know of one bot.

import type { Presence, RedisConnection } from 'tickbus';
import { printable } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import { presenceList } from 'tickbus/presence';
import { unlessDenied } from './diagnosis/server-facts.ts';
import { duration } from './duration-text.ts';
import { readStoredValues } from './stored-values.ts';
import { type BotVerdictRow, botVerdictRow } from './verbs/bots.ts';

/** A sentence on the last status of a bot; undefined if none is stored. */
export async function lastStatusText(connection: RedisConnection, bot: string): Promise<string | undefined> {
  const row = await unlessDenied(lastStatus(connection, bot));
  if (row === undefined) return undefined;
  const { state, verdict, age_ms, adopted } = row;
  const name = printable(bot, 128);
  const ago = `${duration(age_ms)} ago`;
  if (adopted) return `A plain client ${name} reported ${state} ${ago}.`;
  if (verdict === 'gone')
    return `${name} is gone: it crashed, hangs or lost its link. It reported ${state} ${ago}.`;
  return `${name} reported ${state} ${ago}.`;
}

async function lastStatus(connection: RedisConnection, bot: string): Promise<BotVerdictRow | undefined> {
  const values = await readStoredValues(connection, CHANNELS.BOT_STATUS);
  // Read after the statuses, as for `tickbus bots`.
  const programs = await unlessDenied<Presence[]>(presenceList(connection));
  for (const { envelope, ageMs } of values) {
    const row = botVerdictRow(envelope.data, ageMs, envelope.adopted, programs);
    if (row?.bot === bot) return row;
  }
  return undefined;
}
