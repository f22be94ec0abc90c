// The script that reads a channel. Redis 7 or newer.

import { LUA_POSITION_PATTERN } from '../../wire/position-prefix.ts';
import { LUA_BRANCH, LUA_TRY } from './lua.ts';

/**
 * Reads a channel at one instant.
 *
 * - KEYS head, last, history, lease.
 * - ARGV kind, epoch and seq after which to read ('0' '0' reads everything).
 * - Returns { epoch, top seq, time in ms, { entry... }, branch flag, value of the lease or '' }. The epoch is 0 if the
 *   channel has no head. The flag is 1 if the server was on another branch (see `LUA_BRANCH`) when it numbered the
 *   epoch. It is always 0 for users who may not use INFO.
 */
export const READ_CHANNEL = `${LUA_TRY}${LUA_BRANCH}
local head = try('HMGET', KEYS[1], 'epoch', 'seq', 'branch')
local epoch = head[1] or '0'
local top = head[1] and head[2] or '0'
local time = try('TIME')
local entries = {}
local branch = head[3] and branch_of_server()
-- Without permission to read the lease, messages are still returned, as if nobody held it.
local lease = redis.pcall('GET', KEYS[4])
local at = string.format('%.3f', time[1] * 1000 + time[2] / 1000)
local is_other_branch = branch and branch ~= head[3] and 1 or 0
local result = { epoch, top, at, entries, is_other_branch, type(lease) == 'string' and lease or '' }
local in_epoch, after = epoch == ARGV[2], tonumber(ARGV[3])
if in_epoch and tonumber(top) <= after then return result end
if ARGV[1] == 'state' then
  local last = redis.call('HVALS', KEYS[2])
  if not in_epoch then result[4] = last end
  for i = 1, in_epoch and #last or 0 do
    local seq, of = string.match(last[i], '${LUA_POSITION_PATTERN}')
    if of == epoch and tonumber(seq) > after then entries[#entries + 1] = last[i] end
  end
elseif ARGV[1] == 'event' then
  local from = in_epoch and ('(' .. epoch .. '-' .. ARGV[3]) or '-'
  for _, entry in ipairs(redis.call('XRANGE', KEYS[3], from, '+')) do entries[#entries + 1] = entry[2][2] end
end
return result
`;
