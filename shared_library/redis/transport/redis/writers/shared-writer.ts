// The shared writer, for channels without a lease holder, or whose holder has no exclusive writer. One script numbers,
// stores and publishes a batch.

import { ErrorReply } from 'redis';
import type { ChannelSpec } from '../../../channel/channel.ts';
import { maxHistoryKeys } from '../../../channel/history.ts';
import { MAX_CHANNEL_KEYS } from '../../../channel/limits.ts';
import { PartitionsChangedError } from '../../../channel/partitions.ts';
import { TickbusError } from '../../../errors.ts';
import type { Position } from '../../../wire/position.ts';
import { LUA_POSITIONED } from '../../../wire/position-prefix.ts';
import type { DefinitionEntry } from '../../definition-records.ts';
import type { EarlierPublish, FenceToken, Outgoing, Receipt } from '../../port.ts';
import { TOO_MANY_KEYS } from '../../too-many-keys.ts';
import { channelKeys, type PublishCommand } from '../keys.ts';
import {
  LUA_DEFINITION,
  LUA_DIGITS,
  LUA_FENCED,
  LUA_PARTITIONS,
  LUA_REQUIRE_BRANCH,
  LUA_TRY,
  LUA_WHOLE,
} from '../lua.ts';
import { keyStreamLength, LUA_EVICT_HISTORIES } from './key-history.ts';

/**
 * Publishes all messages of a batch or none: everything that the server can reject is checked before the first write.
 *
 * - KEYS head, last, history, lease, prefix of the fence keys, prefix of the histories of keys, the index of those
 *   histories, then the id key of each command.
 * - ARGV channel, kind, history length, fence token or '', framing, known epoch, known seq, the indexes of messages
 *   that end their key (' 0 3 ', or ''), the number of partitions for which the batch was routed, the length of the
 *   history of each key and how many keys have one, the definition to record or '', a recorded definition that it may
 *   replace or '', then key and JSON of each message. In place of the key, a command has the milliseconds for which its
 *   id is remembered. A retry adds a colon and the epoch of its first attempt.
 * - Returns epoch, first seq, receivers, time in microseconds (0 where a plain channel has no value), then four values
 *   for each command that was not published: index, and epoch, seq, receivers of its first publish. The epoch is 0 if
 *   the server cannot know whether the command was published.
 *
 * If the channel has another number of partitions, and the batch has a message to publish, it replies with the error
 * PARTITIONS and that number.
 *
 * If the head has another definition than the given one, it replies with the error DEFINITION and the recorded one. A
 * `plain` channel keeps nothing on the server, so its definition is compared only, and only if the user may read it.
 *
 * A new epoch begins if the channel has no head, or if its head is of another branch of the server or below the known
 * position.
 *
 * @param publish the command that publishes; `SPUBLISH` on a cluster
 */
export const publishScript = (
  publish: PublishCommand,
) => `${LUA_TRY}${LUA_WHOLE}${LUA_PARTITIONS}${LUA_DIGITS}${LUA_POSITIONED}${LUA_EVICT_HISTORIES}
local channel, kind, history, token, framing, known_epoch, known_seq, ends, layout = unpack(ARGV, 1, 9)
local per_key, max_keys, definition, replaceable, first_text = ARGV[10], ARGV[11], ARGV[12], ARGV[13], 15
${LUA_DEFINITION}${LUA_FENCED}local function publish(frames)
  if framing == 'batch' then frames = { '[' .. table.concat(frames, ',') .. ']' } end
  local receivers
  for _, frame in ipairs(frames) do receivers = redis.call('${publish}', channel, frame) end
  return receivers
end

local lease = try('GET', KEYS[4])
if (lease or '') ~= token then return not_holder(lease, channel, KEYS[1]) end
need('${publish}', channel, '')
if definition ~= '' then
  local reply = (kind == 'plain' and redis.pcall or try)('HMGET', KEYS[1], 'definition')
  local recorded = not reply.err and usable_definition(reply[1])
  if recorded and recorded ~= replaceable and without_author(recorded) ~= without_author(definition) then
    return redis.error_reply('DEFINITION ' .. recorded)
  end
end
if kind == 'plain' then
  local frames = {}
  for i = first_text, #ARGV, 2 do frames[#frames + 1] = ARGV[i] end
  return { 0, 0, publish(frames), 0 }
end

local head = try('HMGET', KEYS[1], 'epoch', 'seq', 'branch', 'writer', 'until', 'partitions')
${LUA_REQUIRE_BRANCH}
local is_same_branch = head[3] == branch
-- The fence of a partition can be that of its channel, which stays. So its writer ends with the server process only.
local is_same_process = layout ~= '1' and string.sub(head[3] or '', 1, 40) == string.sub(branch, 1, 40)
if head[4] == 'plain' and head[5] ~= '0' and (is_same_branch or is_same_process) then
  return fenced('the last holder of the lease of ' .. channel .. ' did not release it and may still publish', KEYS[1])
end
local time = try('TIME')
local at_us = time[1] * 1000000 + time[2]
local at = digits(math.floor(at_us / 1000))
local epoch, seq = whole(KEYS[1], 'epoch', head[1]), whole(KEYS[1], 'seq', head[2])
known_epoch, known_seq = tonumber(known_epoch), tonumber(known_seq)
local is_below_known = epoch < known_epoch or (epoch == known_epoch and seq < known_seq)
local is_new = not head[1] or not is_same_branch or is_below_known
if is_new then epoch, seq = math.max(epoch + 1, known_epoch + 1, tonumber(at)), 0 end
local epoch_text = digits(epoch)

-- known: 'epoch seq receivers' by id. repeats: messages with a known id. fresh: new ids.
local known, repeats, fresh, texts, kept = {}, {}, {}, {}, {}
for i = first_text, #ARGV, 2 do
  local index = (i - first_text) / 2
  local id = KEYS[8 + index]
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

-- A repeated command is not routed again, so its outcome does not depend on the number of partitions.
if head[6] and head[6] ~= layout and #texts > 0 then
  return redis.error_reply('PARTITIONS ' .. recorded_partitions(KEYS[1], head[6]))
end

-- A message that ends its key undoes earlier ones of the batch, and a later one undoes the end.
local ended = {}
if ends ~= '' then
  local text_of = {}
  for i = 1, #kept, 2 do
    local is_end = string.find(ends, ' ' .. (i - 1) / 2 .. ' ', 1, true)
    text_of[kept[i]] = not is_end and kept[i + 1]
  end
  kept = {}
  for key, text in pairs(text_of) do
    if text then
      kept[#kept + 1] = key
      kept[#kept + 1] = text
    else
      ended[#ended + 1] = key
    end
  end
  need('HDEL', KEYS[2], '')
end
if kind == 'state' then
  local size, has_new = try('HLEN', KEYS[2]), {}
  if size + #kept / 2 > ${MAX_CHANNEL_KEYS} then
    -- Users who may publish may use HMGET, but not always HEXISTS.
    for i = 1, #kept, 2 do
      local key = kept[i]
      if not has_new[key] and not try('HMGET', KEYS[2], key)[1] then
        has_new[key] = true
        size = size + 1
      end
    end
    if next(has_new) and size > ${MAX_CHANNEL_KEYS} then refuse({ err = 'LIMIT ${TOO_MANY_KEYS}' }) end
  end
end

local receivers = 0
if #texts > 0 then
  need('HSET', KEYS[1], '', '')
  need('HDEL', KEYS[1], '')
  need('DEL', KEYS[5] .. '0')
  if fresh[1] then need('SET', fresh[1][1], '', 'PX', '1') end
  if per_key ~= '0' then
    need('XADD', KEYS[6], '*', 'm', '')
    need('ZADD', KEYS[7], '0', '')
  end
  if kind == 'state' then
    if kept[1] then try('HSET', KEYS[2], unpack(kept)) end
    if ended[1] then try('HDEL', KEYS[2], unpack(ended)) end
  elseif history ~= '0' then
    for i, message in ipairs(texts) do
      try('XADD', KEYS[3], 'MAXLEN', history, epoch_text .. '-' .. digits(seq + i), 'm', message)
    end
  end
  if per_key ~= '0' then
    for i = 1, #kept, 2 do
      if kept[i] ~= '' then
        local id = epoch_text .. '-' .. digits(seq + (i + 1) / 2)
        redis.call('XADD', KEYS[6] .. kept[i], 'MAXLEN', per_key, id, 'm', kept[i + 1])
        redis.call('ZADD', KEYS[7], at, kept[i])
      end
    end
    evict_histories(KEYS[7], KEYS[6], max_keys)
  end
  if is_new and head[1] then
    -- Stops batches in flight of an exclusive writer of the old epoch.
    redis.call('DEL', KEYS[5] .. head[1])
    redis.call('HDEL', KEYS[1], 'writer')
  end
  redis.call('HSET', KEYS[1], 'epoch', epoch_text, 'seq', digits(seq + #texts), 'branch', branch)
  if definition ~= '' then redis.call('HSET', KEYS[1], 'definition', definition) end
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

/**
 * @param known a position that the channel is known to have reached
 * @param definition undefined: it has been recorded
 */
export function publishArguments(
  channel: ChannelSpec,
  batch: readonly Outgoing[],
  token: FenceToken | undefined,
  known: Position,
  definition: DefinitionEntry | undefined,
): { keys: string[]; args: string[] } {
  const { head, last, history, historyOf, histories, lease, fence, id } = channelKeys(channel);
  const args = [
    channel.name,
    channel.kind,
    String(channel.history),
    token === undefined ? '' : String(token),
    channel.framing ?? 'message',
    String(known.epoch),
    String(known.seq),
    endedIndexes(batch),
    String(channel.layout ?? 1),
    String(keyStreamLength(channel)),
    String(maxHistoryKeys(channel)),
    definition?.text ?? '',
    definition?.replaceable ?? '',
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
  return { keys: [head, last, history, lease, fence(''), historyOf(''), histories, ...ids], args };
}

/** The error of a batch that was routed for another number of partitions; undefined for other errors. */
export function partitionsChanged(channel: ChannelSpec, error: unknown): PartitionsChangedError | undefined {
  const [, partitions] = (error instanceof ErrorReply && /^PARTITIONS (\d+)/.exec(error.message)) || [];
  return partitions === undefined ? undefined : new PartitionsChangedError(channel, Number(partitions));
}

/** The recorded definition, if the error reports one that differs; undefined for other errors. */
export function recordedDefinition(error: unknown): string | undefined {
  const [, recorded] = (error instanceof ErrorReply && /^DEFINITION (.*)$/s.exec(error.message)) || [];
  return recorded;
}

/** The indexes of the messages that end their key, such as ' 0 3 '; '' if none does. */
function endedIndexes(batch: readonly Outgoing[]): string {
  let indexes = '';
  for (const [index, { endsKey }] of batch.entries()) if (endsKey) indexes += ` ${index} `;
  return indexes;
}

/** @throws TickbusError `TICKBUS_OUTCOME_UNKNOWN` for a reply that the script never gives; it may come from a proxy */
export function parseReceipt(reply: unknown, { kind, name }: ChannelSpec): Receipt {
  const [epoch, seq, receivers, , ...more] = Array.isArray(reply) ? reply.map(Number) : [];
  if (![epoch, seq, receivers, ...more].every(Number.isSafeInteger)) {
    const text = `Unexpected reply to a publish on ${name}: whether the messages were published is unknown.`;
    throw new TickbusError('TICKBUS_OUTCOME_UNKNOWN', text);
  }
  const first = kind === 'plain' ? undefined : { epoch: Number(epoch), seq: Number(seq) };
  const receipt = { first, receivers: Number(receivers) };
  return more.length === 0 ? receipt : { ...receipt, repeated: parseRepeated(more) };
}

/** Four numbers for each command: index, epoch, seq, receivers. */
function parseRepeated(numbers: readonly number[]): ReadonlyMap<number, EarlierPublish | 'forgotten'> {
  const repeated = new Map<number, EarlierPublish | 'forgotten'>();
  for (let i = 0; i + 3 < numbers.length; i += 4) {
    const [index = 0, epoch = 0, seq = 0, receivers = 0] = numbers.slice(i, i + 4);
    repeated.set(index, epoch === 0 ? 'forgotten' : { position: { epoch, seq }, receivers });
  }
  return repeated;
}
