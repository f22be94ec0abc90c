// The plain commands of one batch of the exclusive writer.

import type { ChannelSpec } from '../../../channel/channel.ts';
import type { Position } from '../../../wire/position.ts';
import { positionedAll } from '../../../wire/position-prefix.ts';
import type { Outgoing } from '../../port.ts';
import { type ChannelKeys, channelKeys, type PublishCommand } from '../keys.ts';
import { KeyHistory } from './key-history.ts';
import type { Frame } from './publish-frames-script.ts';
import type { BatchCommands } from './transaction.ts';

/** Above this mean message size, in UTF-16 units, a frame costs a subscriber more than it saves. */
const LARGE_MEAN_SIZE = 512;
/**
 * Number of mark fields b0, b1, ... in the head. A mark is the last sequence number of a recent batch. There must be
 * more marks than batches in flight.
 */
export const MARK_COUNT = 8;

/** The position and timestamp of a batch. */
export interface BatchPosition {
  readonly first: Position;
  /** Timestamp of its messages: server time, Unix milliseconds. */
  readonly at: number;
  /** The key that must exist when the batch is executed; see `WriterConnection.fence`. */
  readonly fence: string;
  /** Counter of batches, which selects the mark field. */
  readonly ordinal: number;
}

export function lastSeq({ first }: BatchPosition, batch: readonly Outgoing[]): number {
  return first.seq + batch.length - 1;
}

/** A channel, its keys, and the command that publishes on it. */
export interface BatchTarget {
  readonly channel: ChannelSpec;
  readonly keys: ChannelKeys;
  readonly publish: PublishCommand;
  /** Undefined if the channel has no history by key. */
  readonly keyHistory: KeyHistory | undefined;
}

/** @param isSharded see `LinkSettings.isSharded` */
export function batchTarget(channel: ChannelSpec, isSharded: boolean): BatchTarget {
  const keys = channelKeys(channel);
  const keyHistory = channel.historyPerKey === undefined ? undefined : new KeyHistory(channel, keys);
  return { channel, keys, publish: isSharded ? 'SPUBLISH' : 'PUBLISH', keyHistory };
}

export function batchCommands(
  target: BatchTarget,
  batch: readonly Outgoing[],
  placed: BatchPosition,
): BatchCommands {
  const { head } = target.keys;
  const { first, at, ordinal, fence } = placed;
  const texts = positionedAll(batch, first, at);
  const end = String(lastSeq(placed, batch));
  let size = 0;
  for (const text of texts) size += text.length;
  return {
    keeping: keepingCommands(target, batch, texts, placed),
    ...publishingCommands(target, texts, size),
    advance: ['HSET', head, 'seq', end, `b${ordinal % MARK_COUNT}`, end],
    count: batch.length,
    size,
    fence,
  };
}

function keepingCommands(
  { channel, keys, keyHistory }: BatchTarget,
  batch: readonly Outgoing[],
  texts: readonly string[],
  { first, at }: BatchPosition,
): string[][] {
  const { last, history } = keys;
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
  const ofKeys = keyHistory?.commands(batch, texts, first, at) ?? [];
  if (channel.history === 0) return ofKeys;
  const kept = String(channel.history);
  const idOf = (index: number) => `${first.epoch}-${first.seq + index}`;
  const ofChannel = texts.map((text, index) => ['XADD', history, 'MAXLEN', kept, idOf(index), 'm', text]);
  return ofKeys.length === 0 ? ofChannel : [...ofChannel, ...ofKeys];
}

function publishingCommands(
  { channel, keys, publish }: BatchTarget,
  texts: readonly string[],
  size: number,
): Pick<BatchCommands, 'publishing' | 'frame'> {
  const { name, framing } = channel;
  if (framing === 'batch') return { publishing: () => [[publish, name, frameOf(texts)]], frame: undefined };
  const publishing = () => texts.map((text) => [publish, name, text]);
  if (texts.length === 1 || size > LARGE_MEAN_SIZE * texts.length) return { publishing, frame: undefined };
  const frame = (): Frame => {
    const text = frameOf(texts);
    return { channel: name, frames: keys.frames, text, lengths: lengthsOf(texts, text, size) };
  };
  return { publishing, frame };
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
