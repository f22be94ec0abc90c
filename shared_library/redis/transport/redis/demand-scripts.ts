// The scripts that keep the demand of a channel. Redis 7 or newer: TIME in a script that writes.

import { LUA_TRY } from './lua.ts';

/**
 * Records that a subscriber wants keys. KEYS demand, a sorted set of `who\nkey` by the server's time until which it is wanted. ARGV
 * who, TTL in ms, key... Expired entries are removed on the way; the whole set expires with its last entry.
 */
export const DECLARE_DEMAND = `${LUA_TRY}
local time = try('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = string.format('%.0f', now + ARGV[2])
for i = 3, #ARGV do try('ZADD', KEYS[1], ends, ARGV[1] .. '\\n' .. ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
`;

/** KEYS demand. ARGV who, key... */
export const WITHDRAW_DEMAND = `${LUA_TRY}
for i = 2, #ARGV do try('ZREM', KEYS[1], ARGV[1] .. '\\n' .. ARGV[i]) end
`;

/** KEYS demand. Returns each `who\nkey` that is wanted now. Writes nothing. */
export const READ_DEMAND = `${LUA_TRY}
local time = try('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return try('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf')
`;
