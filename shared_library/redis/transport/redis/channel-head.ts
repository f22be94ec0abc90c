// Reads the head of a channel: its position, its lease and the server time.

import type { ChannelSpec } from '../../channel/channel.ts';
import { ORIGIN } from '../../wire/position.ts';
import type { ChannelHead } from '../port.ts';
import type { RedisClient } from './client.ts';
import { isWrongType } from './error-mapping.ts';
import { slotRefusal } from './error-replies.ts';
import { foreignKeyError, parsePartitions, parseWhole } from './foreign-data.ts';
import { channelKeys } from './keys.ts';
import type { LinkSettings } from './link-settings.ts';
import { parseLease } from './parse-lease.ts';

/** Three pipelined commands instead of a script. Lease and time are as old as the head, or slightly newer. */
export async function readHead(
  client: RedisClient,
  channel: ChannelSpec,
  settings: LinkSettings,
): Promise<ChannelHead> {
  const keys = channelKeys(channel);
  const [[epoch, seq, partitions, definition, conflict], holder, [seconds, microseconds]] = await Promise.all(
    [
      client
        .hmGet(keys.head, ['epoch', 'seq', 'partitions', 'definition', 'conflict'])
        .catch((error: unknown) => {
          throw isWrongType(error) ? foreignKeyError(keys.head, 'type', settings) : error;
        }),
      // Without permission to read the lease, the head is returned as if nobody held it.
      client.get(keys.lease).catch((error: unknown) => {
        if (slotRefusal(error) !== undefined) throw error;
        return null;
      }),
      client.sendCommand<[string, string]>(['TIME']),
    ],
  );
  /** See `LUA_WHOLE`. */
  const whole = (field: string, value: string | null | undefined) => {
    const number = parseWhole(value ?? '0');
    if (number === undefined) throw foreignKeyError(keys.head, field, settings);
    return number;
  };
  const position = epoch === null ? ORIGIN : { epoch: whole('epoch', epoch), seq: whole('seq', seq) };
  const at = Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  const texts = { ...(definition != null && { definition }), ...(conflict != null && { conflict }) };
  const head = { position, at, ...parseLease(holder), ...texts };
  if (partitions == null) return head;
  const parsed = parsePartitions(partitions);
  if (parsed === undefined) throw foreignKeyError(keys.head, 'partitions', settings);
  return { ...head, partitions: parsed };
}
