// One batch of the exclusive writer, as plain commands of one transaction, and what their replies mean. No Lua up to a few messages.

import { ErrorReply } from 'redis';
import type { ChannelSpec } from '../../../channel/channel.ts';
import type { Position } from '../../../wire/position.ts';
import { positionedAll } from '../../../wire/position-prefix.ts';
import type { Outgoing } from '../../port.ts';
import type { RedisClient } from '../client.ts';
import { channelKeys } from '../keys.ts';

/** Up to so many messages are cheaper one by one than a script that asks who listens. */
const MAX_SINGLE_MESSAGES = 8;
/** Above this mean size, in UTF-16 units, a frame costs a subscriber more than it saves. */
const LARGE_MEAN_SIZE = 512;
/** The head has so many fields b0, b1, ... for marks of the last batches: more than can be under way. */
export const MARK_COUNT = 8;

/**
 * Publishes a batch as one frame to our subscribers, or each message by itself if anybody else may be listening: a plain client, a
 * pattern, a replica or another node of a cluster.
 *
 * ARGV channel, its channel of frames, the frame, the lengths of its messages in bytes separated by blanks. Returns the receivers. The
 * look cannot fail: whatever is refused means that anybody may be listening.
 */
const PUBLISH_FRAME = `
local info = redis.pcall('INFO', 'server', 'replication')
local function has(text) return type(info) == 'string' and string.find(info, text, 1, true) end
local listeners = redis.pcall('PUBSUB', 'NUMSUB', ARGV[1], ARGV[2])
if listeners[2] and listeners[2] == listeners[4] and redis.pcall('PUBSUB', 'NUMPAT') == 0
  and has('_mode:standalone') and has('role:master') and has('connected_slaves:0') and has('repl_backlog_active:0')
  and redis.acl_check_cmd('PUBLISH', ARGV[2], '') then
  return redis.call('PUBLISH', ARGV[2], ARGV[3])
end
local from, receivers = 2, 0
for length in string.gmatch(ARGV[4], '%d+') do
  receivers = redis.call('PUBLISH', ARGV[1], string.sub(ARGV[3], from, from + length - 1))
  from = from + length + 1
end
return receivers
`;

/** What the server made of a batch. */
export type BatchOutcome =
  | { readonly state: 'published'; readonly receivers: number; readonly serverAt: number }
  /** The fence is gone: nothing was executed, nor is anything that was sent behind it. The writer was deposed, or the server forgot. */
  | { readonly state: 'fenced' }
  /** Nothing was executed. */
  | { readonly state: 'refused'; readonly error: ErrorReply }
  /** A part was executed. `isCounted`: the head has moved, so that numbering can go on. */
  | { readonly state: 'partial'; readonly error: ErrorReply; readonly isCounted: boolean }
  /** The link is gone, or the transaction was none. The head tells. */
  | { readonly state: 'unsettled'; readonly error: unknown };

/** Where a batch is to stand. */
export interface BatchPosition {
  readonly first: Position;
  /** The server's time, Unix milliseconds. */
  readonly at: number;
  /** Counts batches: decides which mark is theirs. */
  readonly ordinal: number;
}

export function lastSeq({ first }: BatchPosition, batch: readonly Outgoing[]): number {
  return first.seq + batch.length - 1;
}

/**
 * The commands that stand between two batches, for the fence of their epoch. WATCH: the next transaction is executed only if the fence is
 * not touched meanwhile. XREAD: if it is gone already, the connection blocks for good, and nothing behind it is executed.
 */
function fenceGuard(fence: string): string[][] {
  return [
    ['WATCH', fence],
    ['XREAD', 'BLOCK', '0', 'STREAMS', fence, '0'],
  ];
}

export async function executeBatch(
  client: RedisClient,
  channel: ChannelSpec,
  batch: readonly Outgoing[],
  placed: BatchPosition,
): Promise<BatchOutcome> {
  const { head, fence } = channelKeys(channel);
  const { first, at, ordinal } = placed;
  const texts = positionedAll(batch, first, at);
  const keeping = keepingCommands(channel, batch, texts, first);
  const end = String(lastSeq(placed, batch));
  const publishing = publishingCommands(channel, texts);
  const move = ['HSET', head, 'seq', end, `b${ordinal % MARK_COUNT}`, end];
  const queued: Promise<unknown>[] = [];
  const send = (command: string[]) => client.sendCommand(command);
  for (const command of [['MULTI'], ...keeping, ...publishing, move, ['TIME']]) queued.push(send(command));
  const exec = client.sendCommand<unknown[] | null>(['EXEC']);
  for (const command of fenceGuard(fence(first.epoch))) queued.push(send(command));
  // What is refused while it is queued is in the reply to EXEC too; the reason is in its own.
  const refusals: unknown[] = [];
  for (const reply of queued) reply.catch((error: unknown) => refusals.push(error));
  try {
    const replies = await exec;
    if (replies === null) return { state: 'fenced' };
    return parseReplies(replies, keeping.length);
  } catch (error) {
    if (!(error instanceof ErrorReply) || !error.message.startsWith('EXECABORT'))
      return { state: 'unsettled', error };
    const reason = refusals.find((refusal) => refusal instanceof ErrorReply);
    return { state: 'refused', error: (reason as ErrorReply | undefined) ?? error };
  }
}

/** Behind what is kept stand the publishing commands, then the one that moves the head, then the time. */
function parseReplies(replies: readonly unknown[], keeping: number): BatchOutcome {
  const error = replies.find((reply): reply is ErrorReply => reply instanceof ErrorReply);
  if (error !== undefined) {
    const isCounted = !(replies.at(-2) instanceof ErrorReply);
    return { state: 'partial', error, isCounted };
  }
  const [seconds, micros] = replies.at(-1) as [string, string];
  const serverAt = Number(seconds) * 1_000 + Number(micros) / 1_000;
  return { state: 'published', receivers: Number(replies[keeping]), serverAt };
}

function keepingCommands(
  channel: ChannelSpec,
  batch: readonly Outgoing[],
  texts: readonly string[],
  { epoch, seq }: Position,
): string[][] {
  const { last, history } = channelKeys(channel);
  if (channel.kind === 'state') {
    const command = ['HSET', last];
    for (const [index, { key = '' }] of batch.entries()) command.push(key, texts[index] ?? '');
    return [command];
  }
  if (channel.history === 0) return [];
  const kept = String(channel.history);
  return texts.map((text, index) => ['XADD', history, 'MAXLEN', kept, `${epoch}-${seq + index}`, 'm', text]);
}

/** The first one replies with the receivers. */
function publishingCommands(channel: ChannelSpec, texts: readonly string[]): string[][] {
  const { name, framing } = channel;
  if (framing === 'batch') return [['PUBLISH', name, frameOf(texts)]];
  let size = 0;
  for (const text of texts) size += text.length;
  if (texts.length <= MAX_SINGLE_MESSAGES || size > LARGE_MEAN_SIZE * texts.length)
    return texts.map((text) => ['PUBLISH', name, text]);
  const frame = frameOf(texts);
  const { frames } = channelKeys(channel);
  return [['EVAL', PUBLISH_FRAME, '0', name, frames, frame, lengthsOf(texts, frame, size)]];
}

/** Not by `join`, which would copy all of it once more. */
function frameOf(texts: readonly string[]): string {
  let frame = '';
  for (const text of texts) frame += `${frame === '' ? '[' : ','}${text}`;
  return `${frame}]`;
}

/** In bytes. Most frames are nothing but ASCII, which one look at the whole tells. */
function lengthsOf(texts: readonly string[], frame: string, size: number): string {
  const isAscii = Buffer.byteLength(frame) === size + texts.length + 1;
  let lengths = '';
  for (const text of texts) lengths += `${isAscii ? text.length : Buffer.byteLength(text)} `;
  return lengths;
}
