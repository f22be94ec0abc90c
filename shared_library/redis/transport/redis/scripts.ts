// The keys of a channel, and the Lua that reads it and keeps its demand. Redis 7 or newer (TIME in a script that writes).

import type { ChannelSpec } from '../../channel/channel.ts';
import { LUA_POSITION_PATTERN } from '../../wire/position-prefix.ts';

/** The keys of a channel; the hash tag keeps them in one slot, so that a cluster can follow. */
export interface ChannelKeys {
  /** A hash: position, branch, lease and marks of the channel. */
  readonly head: string;
  readonly last: string;
  readonly history: string;
  readonly lease: string;
  /** A stream of one entry, which exists while the epoch of an exclusive writer is the present one. Every new epoch deletes it. */
  fence(epoch: number | string): string;
  readonly demand: string;
  /** The Redis channel on which our subscribers receive whole batches. Not a key. */
  readonly frames: string;
  id(id: string): string;
}

export function channelKeys({ name }: Pick<ChannelSpec, 'name'>): ChannelKeys {
  const prefix = `tickbus:{${name}}:`;
  return {
    head: `${prefix}head`,
    last: `${prefix}last`,
    history: `${prefix}history`,
    lease: `${prefix}lease`,
    fence: (epoch) => `${prefix}fence:${epoch}`,
    demand: `${prefix}demand`,
    frames: `${prefix}frames`,
    id: (id) => `${prefix}id:${id}`,
  };
}

/** Whether a Redis channel carries our batches. A defined channel has no braces in its name. */
export function isFramesName(name: string): boolean {
  return /^tickbus:\{.*\}:frames$/.test(name);
}

/**
 * `try` runs a command that is the first to need a permission, a type or memory: if the server refuses it, nothing has been
 * done yet, and the error says REFUSED before the server's own words, so that it cannot be mistaken for a failure half-way.
 */
export const TRY = `
local function refuse(reply) error({ err = 'REFUSED ' .. reply.err }) end
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then refuse(reply) end
  return reply
end
`;

/** `text(number)`: all digits of a whole number. Lua's own conversion is exact up to 10^14 only. */
export const TEXT = `
local function text(number) return string.format('%.0f', number) end
`;

/**
 * `branch_of_server()`: which memory this is. run_id is new at every process start, master_replid at every promotion, so a
 * server that may have forgotten what it once knew is on another branch. nil if the user may not use INFO.
 */
const BRANCH = `
local function branch_of_server()
  -- Asked first: a refused command would be written to the server's log each time.
  local is_known, may = pcall(redis.acl_check_cmd, 'INFO')
  if not is_known or not may then return nil end
  local info = redis.call('INFO', 'server', 'replication')
  return string.match(info, 'run_id:(%x+)') .. ':' .. string.match(info, 'master_replid:(%x+)')
end
`;

/** `branch`, for a script that numbers messages or grants a lease: it refuses a user who may not use INFO. */
export const REQUIRE_BRANCH = `${BRANCH}
local branch = branch_of_server()
if not branch then
  refuse({ err = 'NOPERM the user may not use INFO, without which a server that forgot cannot be recognised' })
end
`;

/**
 * Reads a channel at one instant.
 *
 * KEYS head, last, history, lease. ARGV kind, epoch and seq after which to read ('0' '0': everything). Returns { epoch, top seq, time
 * in ms, { entry... }, 1 if another branch of the server numbered the epoch, value of the lease or '' }; epoch 0 if there is no head. A
 * user without INFO reads every branch as the same.
 */
export const READ = `${TRY}${BRANCH}
local head = try('HMGET', KEYS[1], 'epoch', 'seq', 'branch')
local epoch = head[1] or '0'
local top = head[1] and head[2] or '0'
local time = try('TIME')
local entries = {}
local branch = head[3] and branch_of_server()
-- Its refusal costs no message: no gateway is proven to hold the lease then.
local lease = redis.pcall('GET', KEYS[4])
local result = { epoch, top, string.format('%.3f', time[1] * 1000 + time[2] / 1000), entries, branch and branch ~= head[3] and 1 or 0, type(lease) == 'string' and lease or '' }
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

/**
 * Records that a subscriber wants keys. KEYS demand, a sorted set of `who\nkey` by the server's time until which it is wanted. ARGV
 * who, TTL in ms, key... Expired entries are removed on the way; the whole set expires with its last entry.
 */
export const DECLARE = `${TRY}
local time = try('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = string.format('%.0f', now + ARGV[2])
for i = 3, #ARGV do try('ZADD', KEYS[1], ends, ARGV[1] .. '\\n' .. ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
`;

/** KEYS demand. ARGV who, key... */
export const WITHDRAW = `${TRY}
for i = 2, #ARGV do try('ZREM', KEYS[1], ARGV[1] .. '\\n' .. ARGV[i]) end
`;

/** KEYS demand. Returns each `who\nkey` that is wanted now. Writes nothing. */
export const WANTED = `${TRY}
local time = try('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return try('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf')
`;
