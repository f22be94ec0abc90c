// Executes one batch of the exclusive writer as a transaction of plain commands. Only large batches use Lua.

import { ErrorReply } from 'redis';
import type { ChannelSpec } from '../../../channel/channel.ts';
import type { Position } from '../../../wire/position.ts';
import { positionedAll } from '../../../wire/position-prefix.ts';
import type { Outgoing } from '../../port.ts';
import type { RedisClient } from '../client.ts';
import { slotRefusal } from '../error-replies.ts';
import { channelKeys, type PublishCommand } from '../keys.ts';

/** Up to this number, single messages are cheaper than a script that checks for plain clients. */
const MAX_SINGLE_MESSAGES = 8;
/** Above this mean message size, in UTF-16 units, a frame costs a subscriber more than it saves. */
const LARGE_MEAN_SIZE = 512;
/**
 * Number of mark fields b0, b1, ... in the head. A mark is the last sequence number of a recent batch. There must be
 * more marks than batches in flight.
 */
export const MARK_COUNT = 8;

/**
 * Publishes a batch as one frame if only tickbus subscribers can be listening. Publishes single messages if there may
 * be a plain client, a pattern subscription, a replica, or another node of a cluster that forwards the message.
 *
 * - ARGV channel, its frames channel, the frame, the byte lengths of its messages separated by spaces.
 * - Returns the number of receivers.
 *
 * The check never fails: a denied command counts as a possible plain client. Patterns never match sharded channels, and
 * only the owner and its replicas deliver them.
 */
const publishFrameScript = (publish: PublishCommand) => `
local info = redis.pcall('INFO', 'server', 'replication')
local function has(text) return type(info) == 'string' and string.find(info, text, 1, true) end
local listeners = redis.pcall('PUBSUB', '${publish === 'PUBLISH' ? 'NUMSUB' : 'SHARDNUMSUB'}', ARGV[1], ARGV[2])
if listeners[2] and listeners[2] == listeners[4]
  and ${publish === 'PUBLISH' ? "redis.pcall('PUBSUB', 'NUMPAT') == 0 and has('_mode:standalone')" : 'true'}
  and has('role:master') and has('connected_slaves:0') and has('repl_backlog_active:0')
  and redis.acl_check_cmd('${publish}', ARGV[2], '') then
  return redis.call('${publish}', ARGV[2], ARGV[3])
end
local from, receivers = 2, 0
for length in string.gmatch(ARGV[4], '%d+') do
  receivers = redis.call('${publish}', ARGV[1], string.sub(ARGV[3], from, from + length - 1))
  from = from + length + 1
end
return receivers
`;

const PUBLISH_FRAME = { PUBLISH: publishFrameScript('PUBLISH'), SPUBLISH: publishFrameScript('SPUBLISH') };

/** The outcome of a batch. */
export type BatchOutcome =
  | { readonly state: 'published'; readonly receivers: number; readonly serverAt: number }
  /**
   * The fence is gone: the writer was deposed, or the server lost data. Neither this batch nor any later one is
   * executed.
   */
  | { readonly state: 'fenced' }
  /** Nothing was executed: the node does not serve the slot of the channel now. The connection is no longer fenced. */
  | { readonly state: 'elsewhere'; readonly error: unknown }
  /** Nothing was executed. */
  | { readonly state: 'refused'; readonly error: ErrorReply }
  /** A part was executed. `isCounted`: the head includes the batch's numbers, so numbering can continue. */
  | { readonly state: 'partial'; readonly error: ErrorReply; readonly isCounted: boolean }
  /** The link dropped, or the reply was not that of a transaction. The head of the channel decides the outcome. */
  | { readonly state: 'unsettled'; readonly error: unknown };

/** The position and timestamp of a batch. */
export interface BatchPosition {
  readonly first: Position;
  /** Timestamp of its messages: server time, Unix milliseconds. */
  readonly at: number;
  /** Counter of batches, which selects the mark field. */
  readonly ordinal: number;
}

export function lastSeq({ first }: BatchPosition, batch: readonly Outgoing[]): number {
  return first.seq + batch.length - 1;
}

/**
 * The commands between two batches, on the fence of their epoch. WATCH aborts the next transaction if the fence
 * changes. XREAD blocks the connection forever if the fence is already gone, so that no later command is executed.
 */
function fenceGuard(fence: string): string[][] {
  return [
    ['WATCH', fence],
    ['XREAD', 'BLOCK', '0', 'STREAMS', fence, '0'],
  ];
}

export interface BatchOptions {
  /** See `LinkSettings.isSharded`. */
  readonly isSharded: boolean;
  /** The commands that guard the next batch were not executed, because the slot of the channel has moved. */
  readonly onUnguarded: (error: unknown) => void;
}

export async function executeBatch(
  client: RedisClient,
  channel: ChannelSpec,
  batch: readonly Outgoing[],
  placed: BatchPosition,
  { isSharded, onUnguarded }: BatchOptions,
): Promise<BatchOutcome> {
  const { head, fence } = channelKeys(channel);
  const { first, at, ordinal } = placed;
  const texts = positionedAll(batch, first, at);
  const keeping = keepingCommands(channel, batch, texts, first);
  const end = String(lastSeq(placed, batch));
  const publishing = publishingCommands(channel, texts, isSharded ? 'SPUBLISH' : 'PUBLISH');
  const advance = ['HSET', head, 'seq', end, `b${ordinal % MARK_COUNT}`, end];
  const queued: Promise<unknown>[] = [];
  const isElsewhere = (error: unknown) => isSharded && slotRefusal(error) !== undefined;
  const send = (command: string[]) => client.sendCommand(command);
  for (const command of [['MULTI'], ...keeping, ...publishing, advance, ['TIME']]) queued.push(send(command));
  const exec = client.sendCommand<unknown[] | null>(['EXEC']);
  const guards = fenceGuard(fence(first.epoch)).map(send);
  if (isSharded)
    for (const reply of guards) reply.catch((error: unknown) => isElsewhere(error) && onUnguarded(error));
  queued.push(...guards);
  // If a command is rejected while queuing, EXEC fails too, but only the command's own reply has the reason.
  const refusals: unknown[] = [];
  for (const reply of queued) reply.catch((error: unknown) => refusals.push(error));
  try {
    const replies = await exec;
    if (replies === null) return { state: 'fenced' };
    return parseReplies(replies, keeping.length);
  } catch (error) {
    // In a cluster, EXEC itself is refused if the slot of a queued command has moved since.
    if (isElsewhere(error)) return { state: 'elsewhere', error };
    if (!(error instanceof ErrorReply) || !error.message.startsWith('EXECABORT'))
      return { state: 'unsettled', error };
    const reason = refusals.find((refusal) => refusal instanceof ErrorReply);
    if (isElsewhere(reason)) return { state: 'elsewhere', error: reason };
    return { state: 'refused', error: (reason as ErrorReply | undefined) ?? error };
  }
}

/** Replies in order: storing commands, publishing commands, advance of the head, time. */
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
    const stored = ['HSET', last];
    let ended: Set<string> | undefined;
    for (const [index, { key = '', endsKey }] of batch.entries()) {
      if (endsKey) {
        ended ??= new Set();
        ended.add(key);
      } else {
        ended?.delete(key);
        stored.push(key, texts[index] ?? '');
      }
    }
    if (ended === undefined || ended.size === 0) return [stored];
    const removal = ['HDEL', last, ...ended];
    return stored.length > 2 ? [stored, removal] : [removal];
  }
  if (channel.history === 0) return [];
  const kept = String(channel.history);
  return texts.map((text, index) => ['XADD', history, 'MAXLEN', kept, `${epoch}-${seq + index}`, 'm', text]);
}

/** The reply to the first command is the number of receivers. */
function publishingCommands(
  channel: ChannelSpec,
  texts: readonly string[],
  publish: PublishCommand,
): string[][] {
  const { name, framing } = channel;
  if (framing === 'batch') return [[publish, name, frameOf(texts)]];
  let size = 0;
  for (const text of texts) size += text.length;
  if (texts.length <= MAX_SINGLE_MESSAGES || size > LARGE_MEAN_SIZE * texts.length)
    return texts.map((text) => [publish, name, text]);
  const frame = frameOf(texts);
  const { frames } = channelKeys(channel);
  return [['EVAL', PUBLISH_FRAME[publish], '0', name, frames, frame, lengthsOf(texts, frame, size)]];
}

/** Avoids `join`, which would copy the whole text again. */
function frameOf(texts: readonly string[]): string {
  let frame = '';
  for (const text of texts) frame += `${frame === '' ? '[' : ','}${text}`;
  return `${frame}]`;
}

/** Byte lengths of the messages. Most frames are ASCII, which one check of the whole frame detects. */
function lengthsOf(texts: readonly string[], frame: string, size: number): string {
  const isAscii = Buffer.byteLength(frame) === size + texts.length + 1;
  let lengths = '';
  for (const text of texts) lengths += `${isAscii ? text.length : Buffer.byteLength(text)} `;
  return lengths;
}
