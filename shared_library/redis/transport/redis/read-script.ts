// The script that reads a channel, one chunk per call. It needs Redis 7 or newer.

import { LUA_POSITION_PATTERN } from '../../wire/position-prefix.ts';
import { MAX_READ_WHOLE } from '../port.ts';
import { LUA_BRANCH, LUA_TRY, LUA_WHOLE } from './lua.ts';

/**
 * Reads the head of a channel and one chunk of its stored messages at one instant.
 *
 * - KEYS head, last, history, lease.
 * - ARGV kind, epoch and seq after which to read ('0' '0' reads everything), cursor ('' for the first chunk), count,
 *   top seq of the first chunk ('' for that chunk), then 'all' or 'keys'. After 'keys' follow the keys of this chunk.
 * - Returns { epoch, top seq, time in ms, { entry... }, branch flag, value of the lease or '', next cursor }. The epoch
 *   is 0 if the channel has no head. The flag is 1 if the server was on another branch (see `LUA_BRANCH`) when the
 *   epoch began. It is always 0 for users who may not use INFO, and after the first chunk. The cursor is '' if no
 *   message is left, and 'keys' if the caller must send its remaining keys, if any.
 *
 * A chunk omits messages above the top seq of the first chunk. They were published later, so they arrive live.
 */
export const READ_CHANNEL = `${LUA_TRY}${LUA_WHOLE}${LUA_BRANCH}
local kind, since_epoch, after, cursor, count, up_to, mode = unpack(ARGV, 1, 7)
local head = try('HMGET', KEYS[1], 'epoch', 'seq', 'branch')
local epoch = head[1] or '0'
local top = head[1] and head[2] or '0'
whole(KEYS[1], 'epoch', epoch)
whole(KEYS[1], 'seq', top)
local time = try('TIME')
local entries = {}
local branch = up_to == '' and head[3] and branch_of_server()
-- Without permission to read the lease, messages are still returned, as if nobody held it.
local lease = redis.pcall('GET', KEYS[4])
local at = string.format('%.3f', time[1] * 1000 + time[2] / 1000)
local is_other_branch = branch and branch ~= head[3] and 1 or 0
local result = { epoch, top, at, entries, is_other_branch, type(lease) == 'string' and lease or '', '' }
local in_epoch = epoch == since_epoch
after = tonumber(after)
if in_epoch and tonumber(top) <= after then return result end
local limit = up_to ~= '' and up_to ~= top and tonumber(up_to)
local function add(text)
  if in_epoch or limit then
    local seq, of = string.match(text, '${LUA_POSITION_PATTERN}')
    if in_epoch and (of ~= epoch or tonumber(seq) <= after) then return end
    if limit and of == epoch and tonumber(seq) > limit then return end
  end
  entries[#entries + 1] = text
end
if kind == 'state' then
  if cursor == '' and try('HLEN', KEYS[2]) <= ${MAX_READ_WHOLE} then
    for _, text in ipairs(try('HVALS', KEYS[2])) do add(text) end
  elseif mode == 'keys' then
    if #ARGV > 7 then
      for _, text in ipairs(try('HMGET', KEYS[2], unpack(ARGV, 8))) do if text then add(text) end end
    end
    result[7] = 'keys'
  else
    local scan = try('HSCAN', KEYS[2], cursor == '' and '0' or cursor, 'COUNT', count)
    for i = 2, #scan[2], 2 do add(scan[2][i]) end
    if scan[1] ~= '0' then result[7] = scan[1] end
  end
elseif kind == 'event' then
  local from = cursor ~= '' and ('(' .. cursor) or in_epoch and ('(' .. epoch .. '-' .. ARGV[3]) or '-'
  local chunk = try('XRANGE', KEYS[3], from, '+', 'COUNT', count)
  for _, entry in ipairs(chunk) do add(entry[2][2]) end
  if #chunk == tonumber(count) then result[7] = chunk[#chunk][1] end
end
return result
`;
