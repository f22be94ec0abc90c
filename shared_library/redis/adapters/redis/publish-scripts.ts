// The Lua that publishes: a batch as it was made ready, or numbered and stamped by the server, or each command once.

import { TRY } from './scripts.ts';

/** The most milliseconds by which the stamp of a message may be early; late it may not be. */
export const EARLIEST_MS = 5;

/**
 * Whether the messages, which were made ready, can be published as they are: the channel ends where the caller takes it to, the lease
 * is his, and their stamp is of now. Anything else, errors too, has had no effect and is left to what stands behind this in the script.
 *
 * ARGV channel, kind, history length, fence token or '', framing, name of the call or '', name of the call to stand behind or '',
 * epoch and seq at which the channel is taken to end or '' '', the stamp under which the messages were made ready or ''.
 *
 * @param then what is done if so, with `head` and `time` as the server told them
 */
const whenReady = (then: string) => `
if ARGV[10] ~= '' then
  local call = redis.pcall
  local lease = call('GET', KEYS[4])
  local head = call('HMGET', KEYS[1], 'epoch', 'seq', 'call')
  local time = call('TIME')
  if (lease or '') == ARGV[4] and head[1] == ARGV[8] and head[2] == ARGV[9]
    and (ARGV[7] == '' or ARGV[7] == head[3]) and time[1] then
    local early = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[10]
    if early >= 0 and early <= ${EARLIEST_MS} then
      ${then}
    end
  end
end
`;

/**
 * `is_ours`: nobody listens on the channel but subscribers of ours, which all listen to its frames as well, and to a channel that is silent:
 * so nobody who looks at the frames alone takes the place of a plain client. Whoever listens to a pattern may be anybody. Who may not publish frames is told so here: tried out, it would stand in the server's log each time.
 */
const isOurs = (channel: string, frames: string, ours: string) => `
local listeners = redis.pcall('PUBSUB', 'NUMSUB', ${channel}, ${frames}, ${ours})
local is_ours = redis.pcall('PUBSUB', 'NUMPAT') == 0 and type(listeners[2]) == 'number'
  and listeners[2] == listeners[4] and listeners[2] == listeners[6]
  and redis.acl_check_cmd('PUBLISH', ${frames}, '')
`;

/**
 * Publishes messages that were made ready. It is straight code on purpose: what is called once in a millisecond finds the caches cold,
 * and each function that is made, and each text, costs microseconds.
 *
 * ARGV as for `whenReady`, and from 11 on the messages.
 *
 * @param to where the first frame goes
 * @param first the first frame
 * @param count how many messages there are
 * @param rest publishes the other frames, and keeps the messages
 * @param prepare what comes before all that
 * @param more what the answer has besides
 */
const readyScript = (part: Record<'to' | 'first' | 'count' | 'rest' | 'prepare' | 'more', string>) =>
  whenReady(
    `${part.prepare}
      local moved = call('HSET', KEYS[1], 'seq', ARGV[9] + ${part.count}, 'call', ARGV[6])
      if type(moved) == 'number' then
        local receivers = call('PUBLISH', ${part.to}, ${part.first})
        if type(receivers) == 'number' then
          ${part.rest}
          return { ARGV[8], ARGV[9] + 1, receivers, time[1] * 1000000 + time[2]${part.more} }
        end
        redis.call('HSET', KEYS[1], 'seq', ARGV[9], 'call', head[3] or '')
      end`,
  );

/**
 * Refuses a caller who does not hold the lease, or who has to stand behind a certain call and does not find it at the end of the channel.
 *
 * `take` moves the head and gives the first number of the batch, `publish` publishes its first frame, or moves the head back. The head
 * is the first key written, so that what is not allowed is found before anything that cannot be taken back was done.
 */
const BEGIN = `
local channel, kind, _, fence, framing, call, after, end_epoch, end_seq, stamp = unpack(ARGV, 1, 10)
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

/** Keeps messages: their keys and texts stand in the list `messages` from `from` on; `epoch` and `first` are where they begin. */
const keep = ({ messages, from, epoch, first }: Record<'messages' | 'from' | 'epoch' | 'first', string>) => `
if ARGV[2] == 'state' then
  redis.call('HSET', KEYS[2], unpack(${messages}, ${from}))
elseif ARGV[3] ~= '0' then
  for i = ${from}, #${messages}, 2 do
    local id = string.format('%s-%.0f', ${epoch}, ${first} + (i - ${from}) / 2)
    redis.call('XADD', KEYS[3], 'MAXLEN', ARGV[3], id, 'm', ${messages}[i + 1])
  end
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
${keep({ messages: 'messages', from: '1', epoch: 'epoch', first: 'first' })}
return { epoch or 0, first, receivers, at_us or 0 }
`;

/** Where messages that are ready begin. */
const READY_AT = { epoch: 'ARGV[8]', first: 'ARGV[9] + 1' };

/**
 * Publishes a batch: all of it or none.
 *
 * KEYS head, last, history, lease. The messages: for each its key, and its JSON, which was made ready under a stamp, or else is without
 * its opening brace; on a plain channel as it is. Returns { epoch, first seq, receivers, time in µs }, 0 on a plain channel for
 * what it has not; or { 'overtaken' }.
 */
export const PUBLISH = `${readyScript({
  prepare: '',
  to: 'ARGV[1]',
  first: 'ARGV[12]',
  count: '(#ARGV - 10) / 2',
  rest: `for i = 14, #ARGV, 2 do redis.call('PUBLISH', ARGV[1], ARGV[i]) end
${keep({ messages: 'ARGV', from: '11', ...READY_AT })}`,
  more: '',
})}${TRY}${BEGIN}
local messages = { unpack(ARGV, 11) }
${PUBLISH_NUMBERED}`;

/**
 * Publishes a batch that was made ready as one frame. On a channel that is not framed in batches it goes to our subscribers alone; if
 * others listen too, it is taken apart, as it is for what is kept.
 *
 * KEYS and ARGV as for PUBLISH, but for the messages: the frame, the names of the channel of frames and of the silent one, then for each
 * message its key and its length in bytes. Returns as PUBLISH, and 1 if only ours listen, else 0, where it was ready.
 */
export const PUBLISH_FRAME = `
local function taken_apart()
  local messages = { unpack(ARGV, 14) }
  local begins = 2
  for i = 2, #messages, 2 do
    local ends = begins + messages[i] - 1
    messages[i] = string.sub(ARGV[11], begins, ends)
    begins = ends + 2
  end
  return messages
end
${readyScript({
  prepare: `${isOurs('ARGV[1]', 'ARGV[12]', 'ARGV[13]')}
local messages
local is_framed = is_ours or ARGV[5] == 'batch'
if not is_framed or ARGV[2] == 'state' or ARGV[3] ~= '0' then messages = taken_apart() end`,
  to: "ARGV[5] ~= 'batch' and is_ours and ARGV[12] or ARGV[1]",
  first: 'is_framed and ARGV[11] or messages[2]',
  count: '(#ARGV - 13) / 2',
  rest: `if not is_framed then
  for i = 4, #messages, 2 do redis.call('PUBLISH', ARGV[1], messages[i]) end
end
if messages then
  ${keep({ messages: 'messages', from: '1', ...READY_AT })}
end`,
  more: ', is_ours and 1 or 0',
})}${TRY}${BEGIN}
local messages = taken_apart()
${PUBLISH_NUMBERED}`;

/**
 * Begins a transaction that publishes a batch which was made ready (see publish-transaction.ts): if all is in order, the last values are
 * taken to the place where the transaction writes them. All that comes behind must be allowed, as it is too late for that to be refused
 * there; MULTI and EXEC, because without them it would be no transaction.
 *
 * KEYS head, last, history, lease, taken, work. ARGV as for `whenReady`, and 11 and 12 the names of the
 * channel of frames and of the silent one. Returns the time in µs.
 */
export const TAKE = `
${whenReady(`local may = redis.acl_check_cmd
      local count = call('HLEN', KEYS[2])
      if type(count) == 'number' and may('MULTI') and may('EXEC') and may('HSET', KEYS[6], '', '') and may('EVAL', '', 6, unpack(KEYS))
        and may('GET', KEYS[5]) and may('DEL', KEYS[5], KEYS[6]) and may('RENAME', KEYS[2], KEYS[6]) and may('RENAME', KEYS[6], KEYS[2])
        and may('HSET', KEYS[1], '', '') and may('PUBLISH', ARGV[1], '') and call('SET', KEYS[5], ARGV[6]).ok then
        redis.call('DEL', KEYS[6])
        if count > 0 and not call('RENAME', KEYS[2], KEYS[6]).ok then redis.call('DEL', KEYS[5]) end
      end`)}
local time = redis.call('TIME')
return time[1] * 1000000 + time[2]
`;

/**
 * Ends that transaction: if the last values were taken, they go back with the new ones, and the batch is published, as one frame or, where
 * others than our subscribers listen to a channel that is not framed in batches, each message by itself. If not, nothing is done.
 *
 * KEYS and ARGV as for TAKE, and 13 the frame, 14 the lengths of its messages in bytes, a blank between, 15 how many they are. Returns
 * { receivers, 1 if only ours listen, else 0 }; or nothing, and then nothing was published.
 */
export const PUBLISH_TAKEN = `
if redis.pcall('GET', KEYS[5]) ~= ARGV[6] then return false end
redis.call('DEL', KEYS[5])
redis.call('RENAME', KEYS[6], KEYS[2])
redis.call('HSET', KEYS[1], 'seq', ARGV[9] + ARGV[15], 'call', ARGV[6])
${isOurs('ARGV[1]', 'ARGV[11]', 'ARGV[12]')}
if is_ours or ARGV[5] == 'batch' then
  local receivers = redis.call('PUBLISH', ARGV[5] == 'batch' and ARGV[1] or ARGV[11], ARGV[13])
  return { receivers, is_ours and 1 or 0 }
end
local begins, receivers = 2, 0
for length in string.gmatch(ARGV[14], '%d+') do
  receivers = redis.call('PUBLISH', ARGV[1], string.sub(ARGV[13], begins, begins + length - 1))
  begins = begins + length + 1
end
return { receivers, 0 }
`;

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
