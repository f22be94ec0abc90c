// The script that records the number of partitions of a channel. It uses no command that publishing does not use.

import type { ChannelSpec } from '../../channel/channel.ts';
import { withAuthor } from '../../channel/definition.ts';
import { parsePartitionName } from '../../channel/partitions.ts';
import type { SetPartitionsOptions } from '../port.ts';
import { channelKeys } from './keys.ts';
import { LUA_DIGITS, LUA_FENCED, LUA_PARTITIONS, LUA_REQUIRE_BRANCH, LUA_TRY, LUA_WHOLE } from './lua.ts';
import { LUA_EVICT_HISTORIES } from './writers/key-history.ts';

/**
 * Changes the recorded number of partitions. A change begins a new epoch and deletes all stored messages.
 *
 * - KEYS head, last, history, lease, prefix of the fence keys, prefix of the histories of keys, the index of those
 *   histories.
 * - ARGV number of partitions, fence token or '', '1' to change nothing if the channel is in use, the number of a
 *   channel that has none recorded ('1' for the channel itself, '' for a partition), '1' if it has a history by key,
 *   the definition to record or ''.
 * - Returns the number that the channel has now.
 *
 * Deleting the fence stops batches in flight of an exclusive writer. If it still holds the lease, it resumes in another
 * epoch. A partition whose last holder crashed can therefore be changed; the channel itself needs its lease then.
 */
export const SET_PARTITIONS = `${LUA_TRY}${LUA_WHOLE}${LUA_PARTITIONS}${LUA_DIGITS}${LUA_EVICT_HISTORIES}${LUA_FENCED}
local wanted, token, is_first, default, has_histories, definition = unpack(ARGV)
local name = string.match(KEYS[1], '{(.*)}') or ''
local head = try('HMGET', KEYS[1], 'epoch', 'branch', 'writer', 'until', 'partitions')
local recorded = recorded_partitions(KEYS[1], head[5])
local present = recorded or default
if present == wanted then return wanted end
if is_first == '1' and (recorded or head[1]) then return recorded or '1' end

local lease = try('GET', KEYS[4])
if (lease or '') ~= token then return not_holder(lease, name, KEYS[1]) end
${LUA_REQUIRE_BRANCH}
if default ~= '' and token == '' and head[3] == 'plain' and head[4] ~= '0' and head[2] == branch then
  return fenced('the last holder of the lease of ' .. name .. ' did not release it and may still publish', KEYS[1])
end
local time = try('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = digits(math.max(whole(KEYS[1], 'epoch', head[1]) + 1, now))
need('HDEL', KEYS[1], '')
for _, key in ipairs({ KEYS[2], KEYS[3], KEYS[5] .. '0' }) do need('DEL', key) end
if has_histories == '1' then
  need('ZCARD', KEYS[7])
  need('ZPOPMIN', KEYS[7])
  need('DEL', KEYS[6])
end
try('HSET', KEYS[1], 'epoch', epoch, 'seq', '0', 'branch', branch, 'partitions', wanted)
if definition ~= '' then redis.call('HSET', KEYS[1], 'definition', definition) end
redis.call('HDEL', KEYS[1], 'writer')
redis.call('DEL', KEYS[2], KEYS[3])
if has_histories == '1' then evict_histories(KEYS[7], KEYS[6], 0) end
if head[1] then redis.call('DEL', KEYS[5] .. head[1]) end
return wanted
`;

export function setPartitionsArguments(
  channel: ChannelSpec,
  partitions: number,
  { token, isFirst = false, program = '' }: SetPartitionsOptions,
): { keys: string[]; args: string[] } {
  const { head, last, history, historyOf, histories, lease, fence } = channelKeys(channel);
  const args = [
    String(partitions),
    token === undefined ? '' : String(token),
    isFirst ? '1' : '0',
    parsePartitionName(channel.name) === undefined ? '1' : '',
    channel.historyPerKey === undefined ? '0' : '1',
    channel.definition === undefined ? '' : withAuthor(channel.definition, program),
  ];
  return { keys: [head, last, history, lease, fence(''), historyOf(''), histories], args };
}
