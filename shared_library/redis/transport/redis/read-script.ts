// The script that reads a channel, one chunk per call. It needs Redis 7 or newer.

import { MAX_MESSAGE_BYTES } from '../../channel/limits.ts';
import { LUA_POSITION_PATTERN } from '../../wire/position-prefix.ts';
import { MAX_READ_WHOLE } from '../port.ts';
import { LUA_BRANCH, LUA_IN_STEPS, LUA_PARTITIONS, LUA_TRY, LUA_WHOLE } from './lua.ts';

/**
 * Reads the head of a channel and one chunk of its stored messages at one instant.
 *
 * - KEYS head, last, history, lease.
 * - ARGV kind, epoch and seq after which to read ('0' '0' reads everything), cursor ('' for the first chunk), count,
 *   top seq of the first chunk ('' for that chunk), then 'all' or 'keys'. After 'keys' follow the keys of this chunk.
 * - Returns { epoch, top seq, time in ms, { entry... }, branch flag, value of the lease or '', next cursor, number of
 *   partitions or '', definition or '', key of the first entry or '' }. The epoch is 0 if the channel has no head. The
 *   flag is 1 if the server was on another branch (see `LUA_BRANCH`) when the epoch began. It is always 0 for users who
 *   may not use INFO, and after the first chunk. The cursor is '' if no message is left, and 'keys' if the caller must
 *   send its remaining keys, if any.
 *
 * A chunk ends early beyond 1 MiB, unless it reads given keys. A message above the size limit is cut off, so that the
 * reader rejects it.
 *
 * A chunk omits messages above the top seq of the first chunk. They were published later, so they arrive live.
 */
export const READ_CHANNEL = `${LUA_TRY}${LUA_WHOLE}${LUA_PARTITIONS}${LUA_BRANCH}${LUA_IN_STEPS}
local kind, since_epoch, after, cursor, count, up_to, mode = unpack(ARGV, 1, 7)
local head = try('HMGET', KEYS[1], 'epoch', 'seq', 'branch', 'partitions', 'definition')
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
local holder = type(lease) == 'string' and lease or ''
local partitions = recorded_partitions(KEYS[1], head[4]) or ''
local result = { epoch, top, at, entries, is_other_branch, holder, '', partitions, head[5] or '', '' }
-- Adopted values can be stored before anything is published; there is no epoch then.
local in_epoch = epoch ~= '0' and epoch == since_epoch
after = tonumber(after)
if in_epoch and tonumber(top) <= after then return result end
local limit = up_to ~= '' and up_to ~= top and tonumber(up_to)
local function add(text)
  if #text > ${MAX_MESSAGE_BYTES} then text = string.sub(text, 1, ${MAX_MESSAGE_BYTES + 1}) end
  if in_epoch or limit then
    local seq, of = string.match(text, '${LUA_POSITION_PATTERN}')
    if in_epoch and (of ~= epoch or tonumber(seq) <= after) then return end
    if limit and of == epoch and tonumber(seq) > limit then return end
  end
  entries[#entries + 1] = text
end
if kind == 'state' then
  local is_whole = cursor == '' and try('HLEN', KEYS[2]) <= ${MAX_READ_WHOLE}
  if is_whole or mode == 'all' then
    if cursor == '' then cursor = '0' end
    in_steps(is_whole and math.huge or tonumber(count), function(size)
      local scan, bytes = try('HSCAN', KEYS[2], cursor, 'COUNT', size), 0
      cursor = scan[1]
      for i = 2, #scan[2], 2 do
        bytes = bytes + #scan[2][i - 1] + #scan[2][i]
        add(scan[2][i])
        if #entries == 1 and result[10] == '' then result[10] = scan[2][i - 1] end
      end
      return #scan[2] / 2, bytes, cursor ~= '0'
    end)
    result[7] = cursor == '0' and '' or cursor
  end
  if mode == 'keys' and not (is_whole and result[7] == '') then
    if #ARGV > 7 then
      for _, text in ipairs(try('HMGET', KEYS[2], unpack(ARGV, 8))) do if text then add(text) end end
    end
    result[7] = 'keys'
  end
elseif kind == 'event' then
  local from = cursor ~= '' and ('(' .. cursor) or in_epoch and ('(' .. epoch .. '-' .. ARGV[3]) or '-'
  in_steps(tonumber(count), function(size)
    local chunk, bytes = try('XRANGE', KEYS[3], from, '+', 'COUNT', size), 0
    for _, entry in ipairs(chunk) do
      for _, part in ipairs(entry[2]) do bytes = bytes + #part end
      add(entry[2][2])
    end
    local is_more = #chunk == size
    result[7] = is_more and chunk[size][1] or ''
    if is_more then from = '(' .. result[7] end
    return #chunk, bytes, is_more
  end)
end
return result
`;
