// The scripts for a channel's demand: the keys that subscribers request. They need Redis 7 or newer, for TIME in a
// script that writes.

import { LUA_TRY } from './lua.ts';

/**
 * Declares keys that a subscriber requests. Also removes expired entries; the whole set expires with its last entry.
 *
 * - KEYS demand: a sorted set of `subscriberId\nkey`, scored by the server time at which the entry expires.
 * - ARGV subscriberId, TTL in ms, key...
 */
export const DECLARE_DEMAND = `${LUA_TRY}
local time = try('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = string.format('%.0f', now + ARGV[2])
for i = 3, #ARGV do try('ZADD', KEYS[1], ends, ARGV[1] .. '\\n' .. ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
`;

/** Removes keys that a subscriber no longer requests. KEYS demand. ARGV subscriberId, key... */
export const WITHDRAW_DEMAND = `${LUA_TRY}
for i = 2, #ARGV do try('ZREM', KEYS[1], ARGV[1] .. '\\n' .. ARGV[i]) end
`;

/** KEYS demand. Returns all unexpired entries. Read-only. */
export const READ_DEMAND = `${LUA_TRY}
local time = try('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return try('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf')
`;
