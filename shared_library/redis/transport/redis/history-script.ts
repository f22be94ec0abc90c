// The script that reads one page of a history, newest message first. It needs Redis 7 or newer.

import type { ChannelSpec } from '../../channel/channel.ts';
import { MAX_MESSAGE_BYTES } from '../../channel/limits.ts';
import { ORIGIN } from '../../wire/position.ts';
import type { HistoryPage, HistoryQuery } from '../history-port.ts';
import { channelKeys } from './keys.ts';
import { LUA_BRANCH, LUA_IN_STEPS, LUA_PARTITIONS, LUA_TRY, LUA_WHOLE } from './lua.ts';

/**
 * - KEYS head, the stream.
 * - ARGV ID before which to read ('' from the newest entry), epoch and seq after which to read, count.
 * - Returns { epoch, top seq, number of partitions or '', branch flag, extent, { ID, message, ID, message... } }. The
 *   epoch is 0 if the channel has no head. The flag is that of `READ_CHANNEL`.
 *
 * A message above the size limit is cut off, so that the reader rejects it.
 */
export const READ_HISTORY = `${LUA_TRY}${LUA_WHOLE}${LUA_PARTITIONS}${LUA_BRANCH}${LUA_IN_STEPS}
local before, after_epoch, after_seq, count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local head = try('HMGET', KEYS[1], 'epoch', 'seq', 'branch', 'partitions')
local epoch = head[1] or '0'
local top = head[1] and head[2] or '0'
whole(KEYS[1], 'epoch', epoch)
whole(KEYS[1], 'seq', top)
local branch = before == '' and head[3] and branch_of_server()
local is_other_branch = branch and branch ~= head[3] and 1 or 0
local entries, extent, till = {}, 'more', before == '' and '+' or '(' .. before
in_steps(count, function(size)
  local chunk, bytes = try('XREVRANGE', KEYS[2], till, '-', 'COUNT', size), 0
  for _, entry in ipairs(chunk) do
    local id, text = entry[1], entry[2][2]
    local of, seq = string.match(id, '^(%d+)-(%d+)$')
    of, seq = tonumber(of), tonumber(seq)
    if of < after_epoch or (of == after_epoch and seq <= after_seq) then
      extent = 'covered'
      return #chunk, bytes, false
    end
    for _, part in ipairs(entry[2]) do bytes = bytes + #part end
    if #text > ${MAX_MESSAGE_BYTES} then text = string.sub(text, 1, ${MAX_MESSAGE_BYTES + 1}) end
    entries[#entries + 1] = id
    entries[#entries + 1] = text
    till = '(' .. id
  end
  if #chunk < size then extent = 'end' end
  return #chunk, bytes, #chunk == size
end)
return { epoch, top, recorded_partitions(KEYS[1], head[4]) or '', is_other_branch, extent, entries }
`;

export function historyArguments(
  channel: ChannelSpec,
  { key, before, after = ORIGIN, count }: HistoryQuery,
): { keys: string[]; args: string[] } {
  const { head, history, historyOf } = channelKeys(channel);
  const args = [
    before === undefined ? '' : `${before.epoch}-${before.seq}`,
    String(after.epoch),
    String(after.seq),
    String(count),
  ];
  return { keys: [head, key === undefined ? history : historyOf(key)], args };
}

/** @param reply strings of the script as bytes */
export function parseHistory(reply: unknown): HistoryPage {
  const [epoch, seq, partitions, isForgotten, extent, found] = reply as Reply;
  const entries = [];
  for (let i = 0; i + 1 < found.length; i += 2) {
    const [ofEntry, seqOfEntry] = String(found[i]).split('-');
    const position = { epoch: Number(ofEntry), seq: Number(seqOfEntry) };
    entries.push({ position, frame: found[i + 1] as Buffer });
  }
  return {
    position: { epoch: Number(epoch), seq: Number(seq) },
    partitions: partitions.length === 0 ? undefined : Number(partitions),
    isForgotten: isForgotten === 1,
    extent: String(extent) as HistoryPage['extent'],
    entries,
  };
}

type Reply = [
  epoch: Buffer,
  seq: Buffer,
  partitions: Buffer,
  isForgotten: number,
  extent: Buffer,
  entries: Buffer[],
];
