// The script that keeps messages of plain clients as last values.

import type { ChannelSpec } from '../../../channel/channel.ts';
import { MAX_ADOPTED_KEYS } from '../../../channel/limits.ts';
import { LUA_ADOPTED } from '../../../wire/adopted-prefix.ts';
import { LUA_POSITION_PATTERN } from '../../../wire/position-prefix.ts';
import { type Adoption, CLOCK_TRUST_MS, type PlainMessage } from '../../adoption-port.ts';
import { channelKeys } from '../keys.ts';
import { LUA_DEFINITION, LUA_DIGITS, LUA_PARTITIONS, LUA_TRY } from '../lua.ts';

/**
 * Stores each message unless the key has a newer value. It neither numbers nor publishes, and leaves the head alone, so
 * live subscribers notice nothing.
 *
 * - KEYS head, last, lease.
 * - ARGV the number of partitions for which the messages were routed, the definition of the adopter or '', then for
 *   each message: key, timestamp, tail of its text, milliseconds since it arrived, epoch and seq that the channel had
 *   reached then.
 * - Returns an `Adoption` for each message. If the channel has another number of partitions, it replies with the error
 *   PARTITIONS and that number.
 *
 * A numbered value is newer if it is above that position: it arrived after the message. An adopted value is newer by
 * the timestamp of its publisher. Of two different messages with one timestamp, the one that comes last stays.
 */
export const ADOPT = `${LUA_TRY}${LUA_PARTITIONS}${LUA_DIGITS}${LUA_DEFINITION}${LUA_ADOPTED}
local head, definition = try('HMGET', KEYS[1], 'partitions', 'definition'), ARGV[2]
local partitions = recorded_partitions(KEYS[1], head[1])
if partitions and partitions ~= ARGV[1] then return redis.error_reply('PARTITIONS ' .. partitions) end
local recorded = definition ~= '' and usable_definition(head[2])
local is_other = recorded and is_known_other_storage(definition, recorded)
local is_leased = try('GET', KEYS[3])
local time = try('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local size = try('HLEN', KEYS[2])
need('HSET', KEYS[2], '', '')

local function is_older(stored, timestamp, tail, epoch, seq)
  local stored_seq, stored_epoch = string.match(stored, '${LUA_POSITION_PATTERN}')
  if stored_seq then
    stored_seq, stored_epoch = tonumber(stored_seq), tonumber(stored_epoch)
    return stored_epoch > epoch or (stored_epoch == epoch and stored_seq > seq)
  end
  local at, stored_timestamp = adoption_of(stored)
  return at and now - at <= ${CLOCK_TRUST_MS} and stored_timestamp > timestamp
end

local function adopt(key, timestamp, tail, ago, epoch, seq)
  if is_leased then return 'leased' end
  if is_other then return 'redefined' end
  local stored = try('HMGET', KEYS[2], key)[1]
  if stored then
    local _, _, stored_tail = adoption_of(stored)
    if stored_tail == tail then return 'present' end
    if is_older(stored, timestamp, tail, epoch, seq) then return 'older' end
  elseif size >= ${MAX_ADOPTED_KEYS} then
    return 'full'
  else
    size = size + 1
  end
  -- The same reason would have made the first one fail.
  try('HSET', KEYS[2], key, adopted(digits(now - ago), tail))
  return 'stored'
end

local adoptions = {}
for i = 3, #ARGV, 6 do
  adoptions[#adoptions + 1] = adopt(
    ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5])
  )
end
return adoptions
`;

export function adoptArguments(
  channel: ChannelSpec,
  messages: readonly PlainMessage[],
): { keys: string[]; args: string[] } {
  const { head, last, lease } = channelKeys(channel);
  const args = [String(channel.layout ?? 1), channel.definition ?? ''];
  for (const { key, timestamp, tail, agoMs, after } of messages)
    args.push(
      key,
      String(timestamp),
      tail,
      String(Math.floor(agoMs)),
      String(after.epoch),
      String(after.seq),
    );
  return { keys: [head, last, lease], args };
}

export function parseAdoptions(reply: unknown): Adoption[] {
  return (reply as unknown[]).map((each) => String(each) as Adoption);
}
