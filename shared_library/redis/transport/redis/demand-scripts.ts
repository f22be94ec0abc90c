// The scripts for a channel's demand: the keys that subscribers request. They need Redis 7 or newer, for TIME in a
// script that writes.

import { LUA_TRY } from './lua.ts';

/** No subscriber declares a key for longer, milliseconds. Another client wrote what expires later. */
const MAX_TTL_MS = 3_600_000;

/**
 * Declares keys that a subscriber requests. Also removes entries that have expired or expire in more than an hour; the
 * whole set expires with its last entry.
 *
 * - KEYS demand: a sorted set of `subscriberId\nkey`, scored by the server time at which the entry expires.
 * - ARGV subscriberId, TTL in ms, maximum number of entries, key...
 * - Returns the number of keys that were declined because the set is full. Entries that exist are always renewed.
 */
export const DECLARE_DEMAND = `${LUA_TRY}
local time = try('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = string.format('%.0f', now + ARGV[2])
need('PTTL', KEYS[1])
need('PEXPIRE', KEYS[1], '1')
-- A part of them, because one call may declare as many keys as another one left behind.
local function remove(from, to)
  local entries = try('ZRANGEBYSCORE', KEYS[1], from, to, 'LIMIT', '0', '4000')
  if entries[1] then try('ZREM', KEYS[1], unpack(entries)) end
end
remove('-inf', string.format('%.0f', now))
remove(string.format('(%.0f', now + ${MAX_TTL_MS}), '+inf')
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

/** Entries of one ZSCAN: a client without tickbus can make each as long as 2 MB. */
const SCAN_COUNT = 5;
/** A chunk ends after this many bytes of entries. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * Reads a chunk of the unexpired entries, without those that no subscriber can have declared: longer than a maximum, or
 * with more than an hour left. KEYS demand. ARGV cursor, count, maximum bytes of an entry. Returns { next cursor,
 * entries scanned, { entry... }, bytes scanned }. An entry can occur in two chunks. Read-only.
 */
export const READ_DEMAND = `${LUA_TRY}
local time = try('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local cursor, count, longest = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local entries, scanned, bytes = {}, 0, 0
repeat
  local scan = try('ZSCAN', KEYS[1], cursor, 'COUNT', '${SCAN_COUNT}')
  cursor = scan[1]
  for i = 1, #scan[2], 2 do
    local entry, ends = scan[2][i], tonumber(scan[2][i + 1])
    scanned = scanned + 1
    bytes = bytes + #entry
    if #entry <= longest and ends > now and ends <= now + ${MAX_TTL_MS} then entries[#entries + 1] = entry end
  end
until cursor == '0' or scanned >= count or bytes >= ${CHUNK_BYTES}
return { cursor, scanned, entries, bytes }
`;
