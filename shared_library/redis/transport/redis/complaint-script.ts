// The script that leaves a complaint at the head of a channel. It uses no command that publishing does not use.

import type { ChannelSpec } from '../../channel/channel.ts';
import { COMPLAINT_TIME } from '../../channel/complaint.ts';
import type { Logger } from '../../runtime/logger.ts';
import { isDenied } from './error-mapping.ts';
import { channelKeys } from './keys.ts';
import { LUA_DIGITS, LUA_TRY } from './lua.ts';

/**
 * Changes nothing if the head has no definition, so a head is never created.
 *
 * - KEYS head.
 * - ARGV the complaint without its time.
 */
export const COMPLAIN = `${LUA_TRY}${LUA_DIGITS}
need('HSET', KEYS[1], '', '')
if not try('HMGET', KEYS[1], 'definition')[1] then return 0 end
local time = try('TIME')
local at = digits(time[1] * 1000 + math.floor(time[2] / 1000))
try('HSET', KEYS[1], 'conflict', '${COMPLAINT_TIME}' .. at .. ' ' .. ARGV[1])
return 1
`;

interface ComplaintClient {
  complain(keys: readonly string[], args: readonly string[]): Promise<unknown>;
}

/** Most subscribers may not write the head. Then nobody is at fault, and nothing is left. */
export async function leaveComplaint(
  client: ComplaintClient,
  channel: ChannelSpec,
  text: string,
  logger: Logger,
): Promise<void> {
  try {
    await client.complain([channelKeys(channel).head], [text]);
  } catch (err) {
    if (!isDenied(err)) throw err;
    logger.debug({ err, channel: channel.name }, 'The user may not report another definition at the head.');
  }
}
