// The script that publishes batches as frames.

import type { PublishCommand } from '../keys.ts';

/** A batch as one JSON array. */
export interface Frame {
  readonly channel: string;
  /** The Redis channel that carries frames; see `ChannelKeys.frames`. */
  readonly frames: string;
  readonly text: string;
  /** The byte lengths of its messages, separated by spaces. */
  readonly lengths: string;
}

/**
 * Publishes each batch as one frame if only tickbus subscribers can be listening. Publishes single messages if there
 * may be a plain client, a pattern subscription, a replica, or another node of a cluster that forwards the message.
 *
 * - ARGV for each batch: channel, its frames channel, the frame, the byte lengths of its messages.
 * - Returns for each batch the number of receivers, or an error.
 *
 * The check never fails: a denied command counts as a possible plain client. Patterns never match sharded channels, and
 * only the owner and its replicas deliver them.
 */
const script = (publish: PublishCommand) => `
local info = redis.pcall('INFO', 'server', 'replication')
local function has(text) return type(info) == 'string' and string.find(info, text, 1, true) end
local is_alone = ${publish === 'PUBLISH' ? "redis.pcall('PUBSUB', 'NUMPAT') == 0 and has('_mode:standalone')" : 'true'}
  and has('role:master') and has('connected_slaves:0') and has('repl_backlog_active:0')
local function publish(channel, frames, frame, lengths)
  local listeners = redis.pcall('PUBSUB', '${publish === 'PUBLISH' ? 'NUMSUB' : 'SHARDNUMSUB'}', channel, frames)
  if is_alone and listeners[2] and listeners[2] == listeners[4] and redis.acl_check_cmd('${publish}', frames, '') then
    return redis.pcall('${publish}', frames, frame)
  end
  local from, reply = 2, 0
  for length in string.gmatch(lengths, '%d+') do
    reply = redis.pcall('${publish}', channel, string.sub(frame, from, from + length - 1))
    if type(reply) == 'table' then return reply end
    from = from + length + 1
  end
  return reply
end
local replies = {}
for i = 1, #ARGV, 4 do replies[#replies + 1] = publish(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]) end
return replies
`;

const SCRIPTS = { PUBLISH: script('PUBLISH'), SPUBLISH: script('SPUBLISH') };

export function publishFramesScript(publish: PublishCommand, batches: readonly Frame[]): string[] {
  const args = batches.flatMap(({ channel, frames, text, lengths }) => [channel, frames, text, lengths]);
  return ['EVAL', SCRIPTS[publish], '0', ...args];
}
