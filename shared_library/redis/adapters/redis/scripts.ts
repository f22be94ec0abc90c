// The Lua that makes each operation of the port atomic. Redis 7 or newer (TIME in a script that writes).

import type { ChannelSpec } from '../../core/channel.ts';

/** The keys of a channel; the hash tag keeps them in one slot, so that a cluster can follow. */
export function channelKeys({ name }: ChannelSpec): {
  head: string;
  last: string;
  history: string;
  lease: string;
  demand: string;
  id(id: string): string;
} {
  const prefix = `tickbus:{${name}}:`;
  return {
    head: `${prefix}head`,
    last: `${prefix}last`,
    history: `${prefix}history`,
    lease: `${prefix}lease`,
    demand: `${prefix}demand`,
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

/** The most milliseconds by which the stamp of a message may be early; late it may not be. */
export const EARLIEST_MS = 5;

/**
 * Publishes messages that were made ready, as they are, if the channel ends where the caller takes it to and their stamp is of now.
 * Anything else, errors too, has had no effect and is left to what stands behind this in the script. It is straight code on purpose: what is
 * called once in a millisecond finds the caches cold, and each function that is made, and each text, costs microseconds.
 *
 * ARGV channel, kind, history length, fence token or '', framing, name of the call or '', name of the call to stand behind or '',
 * epoch and seq at which the channel is taken to end or '' '', the stamp under which the messages were made ready or '', and
 * from 11 on the messages.
 *
 * @param first the first frame
 * @param count how many messages there are
 * @param others publishes the other frames, and `messages` are their keys and texts
 */
const readyScript = ({ first, count, others }: { first: string; count: string; others: string }) => `
if ARGV[10] ~= '' then
  local call = redis.pcall
  local lease = call('GET', KEYS[4])
  local head = call('HMGET', KEYS[1], 'epoch', 'seq', 'call')
  local time = call('TIME')
  if (lease or '') == ARGV[4] and head[1] == ARGV[8] and head[2] == ARGV[9]
    and (ARGV[7] == '' or ARGV[7] == head[3]) and time[1] then
    local early = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[10]
    if early >= 0 and early <= ${EARLIEST_MS} then
      local moved = call('HSET', KEYS[1], 'seq', ARGV[9] + ${count}, 'call', ARGV[6])
      if type(moved) == 'number' then
        local receivers = call('PUBLISH', ARGV[1], ${first})
        if type(receivers) == 'number' then
          ${others}
          return { ARGV[8], ARGV[9] + 1, receivers, time[1] * 1000000 + time[2] }
        end
        redis.call('HSET', KEYS[1], 'seq', ARGV[9], 'call', head[3] or '')
      end
    end
  end
end
`;

/**
 * Refuses a caller who does not hold the lease, or who has to stand behind a certain call and does not find it at the end of the channel.
 *
 * `take` moves the head and gives the first number of the batch, `publish` publishes its first frame, or moves the head back. The head
 * is the first key written, so that what is not allowed is found before anything that cannot be taken back was done.
 */
const BEGIN = `
local channel, kind, keep, fence, framing, call, after, end_epoch, end_seq, stamp = unpack(ARGV, 1, 10)
keep = tonumber(keep)
if (try('GET', KEYS[4]) or '') ~= fence then
  return redis.error_reply('FENCED the caller does not hold the lease of this channel')
end
local head, epoch, at, at_us
if kind ~= 'plain' then
  head = try('HMGET', KEYS[1], 'epoch', 'seq', 'call')
  if after ~= '' and not (head[1] == end_epoch and head[2] == end_seq and head[3] == after) then
    return { 'overtaken' }
  end
  local time = try('TIME')
  at_us = time[1] * 1000000 + time[2]
  at = string.format('%.0f', math.floor(at_us / 1000))
  epoch = head[1] or at
end
local function take(count)
  local seq = 0
  if head[1] then seq = tonumber(head[2] or 0) end
  if not seq or seq % 1 ~= 0 or seq < 0 or seq > 2 ^ 52 then
    refuse({ err = 'WRONGVALUE seq of the head is no number that can be counted on from' })
  end
  try('HSET', KEYS[1], 'epoch', epoch, 'seq', seq + count, 'call', call)
  return seq + 1
end
local function publish(frame)
  local reply = redis.pcall('PUBLISH', channel, frame)
  if type(reply) ~= 'table' then return reply end
  if head and head[1] then
    redis.call('HSET', KEYS[1], 'seq', head[2] or 0, 'call', head[3] or '')
  elseif head then
    redis.call('HDEL', KEYS[1], 'epoch', 'seq', 'call')
  end
  refuse(reply)
end
`;

/**
 * Publishes `messages`, keys and texts in turn, numbered and stamped here. A number joined to a string takes long, and is exact up to
 * 10^14 only: it is done once for ten messages.
 */
const PUBLISH_NUMBERED = `
local count = #messages / 2
local first = 0
if kind ~= 'plain' then
  if stamp ~= '' then
    -- Made ready for another place or time: what stands there is cut away.
    local rest = ',"epoch":' .. end_epoch .. ',"at":' .. stamp .. ','
    for i = 1, count do
      local start = string.format('{"seq":%.0f', end_seq + i)
      messages[2 * i] = string.sub(messages[2 * i], #start + #rest + 1)
    end
  end
  first = take(count)
  local rest = ',"epoch":' .. epoch .. ',"at":' .. at .. ','
  local digits = { [0] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' }
  local digit = first % 10
  local tens = (first - digit) / 10
  local start = '{"seq":' .. (tens > 0 and string.format('%.0f', tens) or '')
  for i = 2, #messages, 2 do
    messages[i] = start .. digits[digit] .. rest .. messages[i]
    digit = digit + 1
    if digit == 10 then
      digit, tens = 0, tens + 1
      start = string.format('{"seq":%.0f', tens)
    end
  end
end
local frames = {}
for i = 1, count do frames[i] = messages[2 * i] end
if framing == 'batch' then frames = { '[' .. table.concat(frames, ',') .. ']' } end
local receivers = publish(frames[1])
for i = 2, #frames do redis.call('PUBLISH', channel, frames[i]) end
if kind == 'state' then
  redis.call('HSET', KEYS[2], unpack(messages))
elseif keep > 0 then
  for i = 1, count do
    local id = string.format('%s-%.0f', epoch, first + i - 1)
    redis.call('XADD', KEYS[3], 'MAXLEN', keep, id, 'm', messages[2 * i])
  end
end
return { epoch or 0, first, receivers, at_us or 0 }
`;

/** Keeps messages that were ready: their keys and texts stand in `messages` from `from` on. */
const keepReady = (messages: string, from: number) => `
          if ARGV[2] == 'state' then
            redis.call('HSET', KEYS[2], unpack(${messages}, ${from}))
          elseif ARGV[3] ~= '0' then
            for i = ${from}, #${messages}, 2 do
              local id = string.format('%s-%.0f', ARGV[8], ARGV[9] + (i - ${from}) / 2 + 1)
              redis.call('XADD', KEYS[3], 'MAXLEN', ARGV[3], id, 'm', ${messages}[i + 1])
            end
          end`;

/**
 * Publishes a batch: all of it or none.
 *
 * KEYS head, last, history, lease. The messages: for each its key, and its JSON, which was made ready under a stamp, or else is without
 * its opening brace; on a plain channel as it is. Returns { epoch, first seq, receivers, time in µs }, 0 on a plain channel for
 * what it has not; or { 'overtaken' }.
 */
export const PUBLISH = `${readyScript({
  first: 'ARGV[12]',
  count: '(#ARGV - 10) / 2',
  others: `for i = 14, #ARGV, 2 do redis.call('PUBLISH', ARGV[1], ARGV[i]) end${keepReady('ARGV', 11)}`,
})}${TRY}${BEGIN}
local messages = { unpack(ARGV, 11) }
${PUBLISH_NUMBERED}`;

/**
 * Publishes a batch that was made ready as one frame, of which only what is kept has to be taken apart.
 *
 * KEYS and ARGV as for PUBLISH, but for the messages: the frame, then for each message its key and its length in bytes. Returns as
 * PUBLISH.
 */
export const PUBLISH_FRAME = `
local function taken_apart()
  local messages = { unpack(ARGV, 12) }
  local begins = 2
  for i = 2, #messages, 2 do
    local ends = begins + messages[i] - 1
    messages[i] = string.sub(ARGV[11], begins, ends)
    begins = ends + 2
  end
  return messages
end
${readyScript({
  first: 'ARGV[11]',
  count: '(#ARGV - 11) / 2',
  others: `if ARGV[2] == 'state' or ARGV[3] ~= '0' then
          local messages = taken_apart()${keepReady('messages', 1)}
          end`,
})}${TRY}${BEGIN}
local messages = taken_apart()
${PUBLISH_NUMBERED}`;

/**
 * Publishes messages that have ids, each once: one whose id was published before is not published again.
 *
 * As PUBLISH, but KEYS goes on with a key for each id, and ARGV has for how many ms it is remembered in place of the message's key.
 * Returns as PUBLISH, then for each message whose id was published before { index, epoch, seq, receivers } of that time. All ids are
 * looked up before anything is published: what is refused meanwhile has had no effect.
 */
export const PUBLISH_ONCE = `${TRY}${BEGIN}
local known, fresh = {}, 0
for i = 5, #KEYS do
  local id = KEYS[i]
  if known[id] == nil then
    known[id] = try('GET', id)
    if not known[id] then fresh = fresh + 1 end
  end
end
local first = fresh > 0 and take(fresh) or 0
local seq, receivers, before = first, 0, {}
local rest = ',"epoch":' .. epoch .. ',"at":' .. at .. ','
for i = 5, #KEYS do
  local id = KEYS[i]
  if known[id] then
    for word in string.gmatch((i - 5) .. ' ' .. known[id], '%S+') do before[#before + 1] = word end
  else
    local number = string.format('%.0f', seq)
    local message = '{"seq":' .. number .. rest .. ARGV[2 * i + 2]
    receivers = seq == first and publish(message) or redis.call('PUBLISH', channel, message)
    known[id] = epoch .. ' ' .. number .. ' ' .. receivers
    redis.call('SET', id, known[id], 'PX', ARGV[2 * i + 1])
    seq = seq + 1
  end
end
return { epoch, first, receivers, at_us, unpack(before) }
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
