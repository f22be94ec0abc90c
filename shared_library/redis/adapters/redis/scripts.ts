// The keys of a channel, and the Lua that makes reading, the lease and demand atomic. Redis 7 or newer (TIME in a script that writes).

import type { ChannelSpec } from '../../core/channel.ts';

/** The keys of a channel; the hash tag keeps them in one slot, so that a cluster can follow. */
export function channelKeys({ name }: ChannelSpec): {
  head: string;
  last: string;
  history: string;
  lease: string;
  demand: string;
  /** Only within a transaction: the name of the call that it is, and where the last values are meanwhile. */
  taken: string;
  work: string;
  /** No keys but names of Redis channels: where our subscribers hear whole batches, and one that is silent, by which they are counted. */
  frames: string;
  ours: string;
  id(id: string): string;
} {
  const prefix = `tickbus:{${name}}:`;
  return {
    head: `${prefix}head`,
    last: `${prefix}last`,
    history: `${prefix}history`,
    lease: `${prefix}lease`,
    demand: `${prefix}demand`,
    taken: `${prefix}taken`,
    work: `${prefix}work`,
    frames: `${prefix}frames`,
    ours: `${prefix}ours`,
    id: (id) => `${prefix}id:${id}`,
  };
}

/** Whether a Redis channel is one of those, and none that somebody defined: their names have no braces. */
export function isOwnName(name: string): boolean {
  return /^tickbus:\{.*\}:(frames|ours)$/.test(name);
}

/**
 * `try` runs a command that is the first to need a permission, a type or memory: where the server refuses it, nothing has been
 * done yet, and the answer says REFUSED before the server's own words, so that it cannot be taken for a failure half-way.
 */
export const TRY = `
local function refuse(reply) error({ err = 'REFUSED ' .. reply.err }) end
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then refuse(reply) end
  return reply
end
`;

/**
 * Reads a channel at one instant.
 *
 * KEYS head, last, history. ARGV kind, epoch and seq after which to read ('0' '0': everything). Returns { epoch, top seq, time
 * in ms, { entry... } }; epoch 0 where there is no head. All last values are given on as they come, without a look at each.
 */
export const READ = `${TRY}
local head = try('HMGET', KEYS[1], 'epoch', 'seq')
local epoch, top = head[1] or '0', head[2] or '0'
local time = try('TIME')
local entries = {}
local result = { epoch, top, string.format('%.3f', time[1] * 1000 + time[2] / 1000), entries }
local in_epoch, after = epoch == ARGV[2], tonumber(ARGV[3])
if in_epoch and tonumber(top) <= after then return result end
if ARGV[1] == 'state' then
  local last = redis.call('HVALS', KEYS[2])
  if not in_epoch then result[4] = last end
  for i = 1, in_epoch and #last or 0 do
    local seq, of = string.match(last[i], '^{"seq":(%d+),"epoch":(%d+)')
    if of == epoch and tonumber(seq) > after then entries[#entries + 1] = last[i] end
  end
elseif ARGV[1] == 'event' then
  local from = in_epoch and ('(' .. epoch .. '-' .. ARGV[3]) or '-'
  for _, entry in ipairs(redis.call('XRANGE', KEYS[3], from, '+')) do entries[#entries + 1] = entry[2][2] end
end
return result
`;

/** Milliseconds by which a lease may end before the time it was given until, as the server rounds. */
const EARLY_MS = 10;

/**
 * Takes the lease if it is free, and was never anybody's that may not know it yet.
 *
 * KEYS head, lease. ARGV TTL in ms. Returns { 'held', token } | { 'taken' or 'holding_off', ms left }. The token and the channel's
 * new epoch grow with every acquisition, even when the head was forgotten, because they are never below the time.
 *
 * The head remembers who gave the last lease (`run`, the server's run_id; unknown to a user who may not use INFO) and how long it
 * lasts (`until`; 0 once it was released). Where there is no token, another run_id, or a lease that ended before its time, the
 * memory has a hole: then the lease is `nobody`'s for one TTL, so that whoever held it has given up by his own clock. So it is
 * where the lease ended longer ago than any candidate waits: the server's clock may have been set forward, and then the holder
 * is still there and renews it. A lease that would last longer than it was given for shows a clock that was set back; it is cut
 * to its TTL.
 */
export const ACQUIRE = `${TRY}
local ttl = tonumber(ARGV[1])
local time = try('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local text = function(number) return string.format('%.0f', number) end
local holder = try('GET', KEYS[2])
local head = try('HMGET', KEYS[1], 'epoch', 'token', 'run', 'until', 'ttl')
local longest = math.max(ttl, tonumber(head[5] or 0))
if holder then
  local left = redis.call('PTTL', KEYS[2])
  if left < 0 or left > longest then
    left = longest
    try('PEXPIRE', KEYS[2], left)
    redis.call('HSET', KEYS[1], 'until', text(now + left))
  end
  return { holder == 'nobody' and 'holding_off' or 'taken', text(left) }
end
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or head[3] or ''
local token = text(math.max(tonumber(head[2] or 0) + 1, now))
local ended = tonumber(head[4] or 0)
local is_known = head[2] and run == head[3] and ended <= now + ${EARLY_MS}
local is_late = is_known and ended > 0 and now - ended > longest
if is_late then token = head[2] end
if not is_known or is_late then
  try('SET', KEYS[2], 'nobody', 'PX', longest)
  redis.call('HSET', KEYS[1], 'token', token, 'run', run, 'until', text(now + longest), 'ttl', longest)
  return { 'holding_off', text(longest) }
end
local epoch = text(math.max(tonumber(head[1] or 0) + 1, now))
try('SET', KEYS[2], token, 'PX', ttl)
redis.call('HSET', KEYS[1], 'epoch', epoch, 'seq', '0', 'token', token, 'until', text(now + ttl), 'ttl', ttl)
return { 'held', token }
`;

/**
 * Prolongs the lease if it is the caller's, or was and has been nobody's since: then the server's clock was set forward, or the call
 * came late, and the caller, who counts by his own clock, knows better. KEYS head, lease. ARGV token, TTL in ms. Returns 1 or 0.
 */
export const RENEW = `${TRY}
local holder = try('GET', KEYS[2])
if holder ~= ARGV[1] then
  local last = try('HMGET', KEYS[1], 'token', 'until')
  local is_free = not holder or holder == 'nobody'
  if not is_free or last[1] ~= ARGV[1] or last[2] == '0' then return 0 end
end
local time = redis.call('TIME')
local ends = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
try('HSET', KEYS[1], 'until', string.format('%.0f', ends), 'ttl', ARGV[2])
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
`;

/** Ends the lease if it is the caller's. KEYS head, lease. ARGV token. Returns 1 or 0. */
export const RELEASE = `${TRY}
if try('GET', KEYS[2]) ~= ARGV[1] then return 0 end
try('HSET', KEYS[1], 'until', '0')
return redis.call('DEL', KEYS[2])
`;

/**
 * Notes that somebody wants keys. KEYS demand, a sorted set of `who\nkey` by the server's time until which it is wanted. ARGV who,
 * TTL in ms, key... What is over is removed on the way; the whole ends with the last of it.
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
