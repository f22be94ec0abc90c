// The shared writer: anybody may publish on a channel whose lease nobody holds. One script numbers, keeps and publishes a batch.

import type { ChannelSpec } from '../../../channel/channel.ts';
import { TickbusError } from '../../../errors.ts';
import type { Position } from '../../../wire/position.ts';
import { LUA_POSITIONED } from '../../../wire/position-prefix.ts';
import type { EarlierPublish, FenceToken, Outgoing, Receipt } from '../../port.ts';
import { channelKeys } from '../keys.ts';
import { LUA_DIGITS, LUA_REQUIRE_BRANCH, LUA_TRY } from '../lua.ts';

/**
 * Publishes a batch: all of it or none. Whatever can be refused is refused before anything is written.
 *
 * KEYS head, last, history, lease, the fences without their epoch, then for each command the key of its id. ARGV channel, kind, history length, fence token or
 * '', framing, epoch and seq that the caller knows to have been reached, then for each message two: its key (a command: for how many
 * milliseconds its id is remembered, and behind a colon the epoch in which it was sent for the first time, if this is a retry) and
 * its JSON. Returns { epoch, first seq, receivers, time in microseconds }, with 0 for what a plain channel lacks; then for each
 * command that was not published { index, epoch, seq, receivers } of its first time, the epoch 0 if that cannot be known any more.
 *
 * A new epoch begins if the head is missing, of another branch of the server, or below what the caller has seen.
 */
export const PUBLISH_BATCH = `${LUA_TRY}${LUA_DIGITS}${LUA_POSITIONED}
local channel, kind, history, token, framing, seen_epoch, seen_seq = unpack(ARGV, 1, 7)
local function need(...)
  if not redis.acl_check_cmd(...) then refuse({ err = 'NOPERM the user may not use ' .. (...) }) end
end
local function fenced(why) return redis.error_reply('FENCED ' .. why) end
local function publish(frames)
  if framing == 'batch' then frames = { '[' .. table.concat(frames, ',') .. ']' } end
  local receivers
  for _, frame in ipairs(frames) do receivers = redis.call('PUBLISH', channel, frame) end
  return receivers
end

if (try('GET', KEYS[4]) or '') ~= token then return fenced('the lease of this channel is held by somebody else, or the caller has lost it') end
need('PUBLISH', channel, '')
if kind == 'plain' then
  local frames = {}
  for i = 9, #ARGV, 2 do frames[#frames + 1] = ARGV[i] end
  return { 0, 0, publish(frames), 0 }
end

local head = try('HMGET', KEYS[1], 'epoch', 'seq', 'branch', 'writer', 'until')
${LUA_REQUIRE_BRANCH}
local is_same_branch = head[3] == branch
if head[4] == 'plain' and head[5] ~= '0' and is_same_branch then
  return fenced('the holder of the lease of this channel has not released it and may still be publishing')
end
local time = try('TIME')
local at_us = time[1] * 1000000 + time[2]
local at = digits(math.floor(at_us / 1000))
local epoch, seq = tonumber(head[1] or 0), tonumber(head[2] or 0)
if not epoch or not seq or seq % 1 ~= 0 or seq < 0 or seq > 2 ^ 52 then
  refuse({ err = 'WRONGVALUE epoch or seq of ' .. KEYS[1] .. ' is not a number to count on from' })
end
local reached_epoch, reached_seq = tonumber(seen_epoch), tonumber(seen_seq)
local is_new = not head[1] or not is_same_branch or epoch < reached_epoch or (epoch == reached_epoch and seq < reached_seq)
if is_new then epoch, seq = math.max(epoch + 1, reached_epoch + 1, tonumber(at)), 0 end
local epoch_text = digits(epoch)

-- What is known of each id, as 'epoch seq receivers'; which messages repeat one; which ids are new.
local known, repeats, fresh, texts, kept = {}, {}, {}, {}, {}
for i = 9, #ARGV, 2 do
  local index = (i - 9) / 2
  local id = KEYS[6 + index]
  if id and not known[id] then
    local first_epoch = string.match(ARGV[i - 1], ':(%d+)$')
    known[id] = try('GET', id) or first_epoch and first_epoch ~= epoch_text and '0 0 0'
  end
  if id and known[id] then
    repeats[#repeats + 1] = { index, id }
  else
    texts[#texts + 1] = positioned(ARGV[i], epoch_text, seq + #texts + 1, at)
    kept[#kept + 1] = ARGV[i - 1]
    kept[#kept + 1] = texts[#texts]
    if id then
      known[id] = epoch_text .. ' ' .. digits(seq + #texts) .. ' '
      fresh[#fresh + 1] = { id, string.match(ARGV[i - 1], '^%d+') }
    end
  end
end

local receivers = 0
if #texts > 0 then
  need('HSET', KEYS[1], '', '')
  need('DEL', KEYS[5] .. '0')
  if fresh[1] then need('SET', fresh[1][1], '', 'PX', '1') end
  if kind == 'state' then
    try('HSET', KEYS[2], unpack(kept))
  elseif history ~= '0' then
    for i, message in ipairs(texts) do
      try('XADD', KEYS[3], 'MAXLEN', history, epoch_text .. '-' .. digits(seq + i), 'm', message)
    end
  end
  if is_new and head[1] then
    -- Whatever an exclusive writer of the old epoch still has under way ends at its fence.
    redis.call('DEL', KEYS[5] .. head[1])
    redis.call('HDEL', KEYS[1], 'writer')
  end
  redis.call('HSET', KEYS[1], 'epoch', epoch_text, 'seq', digits(seq + #texts), 'branch', branch)
  receivers = publish(texts)
  for _, id in ipairs(fresh) do
    known[id[1]] = known[id[1]] .. receivers
    redis.call('SET', id[1], known[id[1]], 'PX', id[2])
  end
end
local not_published = {}
for _, one in ipairs(repeats) do
  for word in string.gmatch(one[1] .. ' ' .. known[one[2]], '%S+') do not_published[#not_published + 1] = word end
end
return { epoch_text, #texts > 0 and digits(seq + 1) or 0, receivers, at_us, unpack(not_published) }
`;

/** @param seen the position that the caller knows the channel to have reached */
export function publishArguments(
  channel: ChannelSpec,
  batch: readonly Outgoing[],
  token: FenceToken | undefined,
  seen: Position,
): { keys: string[]; args: string[] } {
  const { head, last, history, lease, fence, id } = channelKeys(channel);
  const args = [
    channel.name,
    channel.kind,
    String(channel.history),
    token === undefined ? '' : String(token),
    channel.framing ?? 'message',
    String(seen.epoch),
    String(seen.seq),
  ];
  for (const { key = '', idempotency, json } of batch) {
    if (idempotency === undefined) args.push(key, json);
    else
      args.push(
        `${idempotency.rememberMs}${idempotency.firstEpoch === undefined ? '' : `:${idempotency.firstEpoch}`}`,
        json,
      );
  }
  const ids = batch.flatMap(({ idempotency }) => (idempotency === undefined ? [] : id(idempotency.id)));
  return { keys: [head, last, history, lease, fence(''), ...ids], args };
}

/** What the script answered. Any other reply leaves open what was done. */
export function parseReceipt(reply: unknown, { kind, name }: ChannelSpec): Receipt {
  const [epoch, seq, receivers, , ...more] = Array.isArray(reply) ? reply.map(Number) : [];
  if (![epoch, seq, receivers, ...more].every(Number.isSafeInteger)) {
    const text = `The reply to a publish on ${name} is not one of Redis: whether the messages were published is unknown.`;
    throw new TickbusError('TICKBUS_OUTCOME_UNKNOWN', text);
  }
  const first = kind === 'plain' ? undefined : { epoch: Number(epoch), seq: Number(seq) };
  const receipt = { first, receivers: Number(receivers) };
  return more.length === 0 ? receipt : { ...receipt, repeated: parseRepeated(more) };
}

/** Four numbers for each message: index, epoch, seq, receivers. */
function parseRepeated(numbers: readonly number[]): ReadonlyMap<number, EarlierPublish | 'forgotten'> {
  const repeated = new Map<number, EarlierPublish | 'forgotten'>();
  for (let i = 0; i + 3 < numbers.length; i += 4) {
    const [index = 0, epoch = 0, seq = 0, receivers = 0] = numbers.slice(i, i + 4);
    repeated.set(index, epoch === 0 ? 'forgotten' : { position: { epoch, seq }, receivers });
  }
  return repeated;
}
