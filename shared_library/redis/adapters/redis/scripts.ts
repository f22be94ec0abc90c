// The Lua that makes each operation of the port atomic. Redis 7 or newer (TIME in a script that writes).

import type { ChannelSpec } from '../../core/channel.ts';

/** The keys of a channel; the hash tag keeps them in one slot, so that a cluster can follow. */
export function channelKeys({ name }: ChannelSpec): {
  head: string;
  last: string;
  history: string;
  lease: string;
  id(id: string): string;
} {
  const prefix = `tickbus:{${name}}:`;
  return {
    head: `${prefix}head`,
    last: `${prefix}last`,
    history: `${prefix}history`,
    lease: `${prefix}lease`,
    id: (id) => `${prefix}id:${id}`,
  };
}

/**
 * `try` runs a command that is the first to need a permission, a type or memory: where the server refuses it, nothing has been
 * done yet, and the answer says REFUSED before the server's own words, so that it cannot be taken for a failure half-way.
 */
const TRY = `
local function refuse(reply) error({ err = 'REFUSED ' .. reply.err }) end
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then refuse(reply) end
  return reply
end
`;

/**
 * Publishes a batch: all of it or none.
 *
 * KEYS head, last, history, lease, and where messages are published once by their id one for each of them. ARGV channel, kind, history length,
 * fence token or '', then for each message two: its key, or for how many ms its id is remembered; and its JSON without the
 * opening brace. Returns { epoch, first seq, receivers }, as strings where numbers may be large, epoch 0 on a plain
 * channel; then for each message whose id was published before { index, epoch, seq, receivers } of that time. The head is the
 * first key written and the first message the first one published, so that a missing permission is found before anything that
 * cannot be taken back was done.
 */
export const PUBLISH = `${TRY}
local channel, kind, keep, fence = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
if (try('GET', KEYS[4]) or '') ~= fence then
  return redis.error_reply('FENCED the caller does not hold the lease of this channel')
end
local count = (#ARGV - 4) / 2
local receivers = 0
if kind == 'plain' then
  for i = 1, count do receivers = try('PUBLISH', channel, '{' .. ARGV[4 + 2 * i]) end
  return { '0', '0', receivers }
end
local time = try('TIME')
local at = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local epoch = try('HGET', KEYS[1], 'epoch')
local is_new = not epoch
if is_new then
  epoch = at
  try('HSET', KEYS[1], 'epoch', epoch)
end
local by_id = #KEYS > 4
local step = by_id and 1 or count
local top = by_id and 0 or try('HINCRBY', KEYS[1], 'seq', count)
local before = {}
local first
for i = 1, count do
  local known = by_id and try('GET', KEYS[4 + i])
  if known then
    for word in string.gmatch((i - 1) .. ' ' .. known, '%S+') do before[#before + 1] = word end
  else
    if by_id then top = try('HINCRBY', KEYS[1], 'seq', 1) end
    local seq = string.format('%.0f', by_id and top or top - count + i)
    first = first or seq
    local message = '{"seq":' .. seq .. ',"epoch":' .. epoch .. ',"at":' .. at .. ',' .. ARGV[4 + 2 * i]
    local reply = redis.pcall('PUBLISH', channel, message)
    if type(reply) == 'table' then
      redis.call('HINCRBY', KEYS[1], 'seq', -step)
      if is_new then redis.call('DEL', KEYS[1]) end
      refuse(reply)
    end
    receivers = reply
    if kind == 'state' then
      redis.call('HSET', KEYS[2], ARGV[3 + 2 * i], message)
    elseif by_id then
      redis.call('SET', KEYS[4 + i], epoch .. ' ' .. seq .. ' ' .. receivers, 'PX', ARGV[3 + 2 * i])
    elseif keep > 0 then
      redis.call('XADD', KEYS[3], 'MAXLEN', keep, epoch .. '-' .. seq, 'm', message)
    end
  end
end
return { epoch, first or '0', receivers, unpack(before) }
`;

/**
 * Reads a channel at one instant.
 *
 * KEYS head, last, history. ARGV kind, epoch and seq after which to read ('0' '0': everything). Returns { epoch, top seq, time
 * in ms, entry... }; epoch 0 where there is no head.
 */
export const READ = `${TRY}
local head = try('HMGET', KEYS[1], 'epoch', 'seq')
local epoch, top = head[1] or '0', head[2] or '0'
local time = try('TIME')
local result = { epoch, top, string.format('%.3f', time[1] * 1000 + time[2] / 1000) }
local in_epoch, after = epoch == ARGV[2], tonumber(ARGV[3])
if in_epoch and tonumber(top) <= after then return result end
if ARGV[1] == 'state' then
  for _, message in ipairs(redis.call('HVALS', KEYS[2])) do
    local seq, of = string.match(message, '^{"seq":(%d+),"epoch":(%d+)')
    if not in_epoch or (of == epoch and tonumber(seq) > after) then result[#result + 1] = message end
  end
elseif ARGV[1] == 'event' then
  local from = in_epoch and ('(' .. epoch .. '-' .. ARGV[3]) or '-'
  for _, entry in ipairs(redis.call('XRANGE', KEYS[3], from, '+')) do result[#result + 1] = entry[2][2] end
end
return result
`;

/**
 * Takes the lease if it is free. KEYS head, lease. ARGV TTL in ms. Returns the token, or nil. The token and the channel's
 * new epoch grow with every acquisition, even when the head was forgotten, because they are never below the time.
 */
export const ACQUIRE = `
if redis.call('EXISTS', KEYS[2]) == 1 then return nil end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local head = redis.call('HMGET', KEYS[1], 'epoch', 'token')
local epoch = string.format('%.0f', math.max(tonumber(head[1] or 0) + 1, now))
local token = string.format('%.0f', math.max(tonumber(head[2] or 0) + 1, now))
redis.call('SET', KEYS[2], token, 'PX', ARGV[1])
redis.call('HSET', KEYS[1], 'epoch', epoch, 'seq', '0', 'token', token)
return token
`;

/** Prolongs the lease if it is the caller's. KEYS lease. ARGV token, TTL in ms. Returns 1 or 0. */
export const RENEW = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`;

/** Ends the lease if it is the caller's. KEYS lease. ARGV token. Returns 1 or 0. */
export const RELEASE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`;
