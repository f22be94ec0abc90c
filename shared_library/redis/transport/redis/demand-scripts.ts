// The scripts for a channel's demand: the keys that subscribers request. They need Redis 7 or newer, for TIME in a
// script that writes.

import { LUA_IN_STEPS, LUA_TRY } from './lua.ts';

/**
 * Declares keys that a subscriber requests. Also removes expired entries; the whole set expires with its last entry.
 *
 * - KEYS demand: a sorted set of `subscriberId\nkey`, scored by the server time at which the entry expires.
 * - ARGV subscriberId, TTL in ms, maximum number of entries, key...
 * - Returns the number of keys that were declined because the set is full. Existing entries are always renewed.
 */
export const DECLARE_DEMAND = `${LUA_TRY}
local time = try('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = string.format('%.0f', now + ARGV[2])
need('PTTL', KEYS[1])
need('PEXPIRE', KEYS[1], '1')
-- Needed once an entry has expired. A user without it would be refused only then, and have been seen before.
need('ZREM', KEYS[1], '')
-- Removes at most 4,000 expired entries in one call, so that the script stays short.
local expired = try('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', '0', '4000')
if expired[1] then try('ZREM', KEYS[1], unpack(expired)) end
local room = ARGV[3] - try('ZCARD', KEYS[1])
local declined = 0
for i = 4, #ARGV do
  local entry = ARGV[1] .. '\\n' .. ARGV[i]
  if room > 0 then
    room = room - try('ZADD', KEYS[1], ends, entry)
  elseif try('ZSCORE', KEYS[1], entry) then
    try('ZADD', KEYS[1], ends, entry)
  else
    declined = declined + 1
  end
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return declined
`;

/** Removes keys that a subscriber no longer requests. KEYS demand. ARGV subscriberId, key... */
export const WITHDRAW_DEMAND = `${LUA_TRY}
for i = 2, #ARGV do try('ZREM', KEYS[1], ARGV[1] .. '\\n' .. ARGV[i]) end
`;

/** Bytes of an entry, and milliseconds until it expires, that no tickbus subscriber reaches. */
const FOREIGN_BYTES = 4_096;
const FOREIGN_TTL_MS = 3_600_000;

/**
 * Reads a chunk of the unexpired entries. KEYS demand. ARGV cursor, count. Returns { next cursor, entries scanned,
 * { entry... } }. An entry can occur in two chunks. A chunk ends early beyond 1 MiB. Entries of another program, which
 * are too large or do not expire within an hour, are omitted, and removed if the user may do that.
 */
export const READ_DEMAND = `${LUA_TRY}${LUA_IN_STEPS}
local time = try('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local cursor, scanned, entries, foreign = ARGV[1], 0, {}, {}
in_steps(tonumber(ARGV[2]), function(size)
  local scan, bytes = try('ZSCAN', KEYS[1], cursor, 'COUNT', size), 0
  cursor, scanned = scan[1], scanned + #scan[2] / 2
  for i = 1, #scan[2], 2 do
    local entry, ends = scan[2][i], tonumber(scan[2][i + 1])
    bytes = bytes + #entry
    if #entry > ${FOREIGN_BYTES} or not (ends < now + ${FOREIGN_TTL_MS}) then
      foreign[#foreign + 1] = entry
    elseif ends > now then
      entries[#entries + 1] = entry
    end
  end
  return #scan[2] / 2, bytes, cursor ~= '0'
end)
local is_known, may = pcall(redis.acl_check_cmd, 'ZREM', KEYS[1], '')
if is_known and may then
  for _, entry in ipairs(foreign) do redis.call('ZREM', KEYS[1], entry) end
end
return { cursor, scanned, entries }
`;
