// What is said to a publish script, and what it answers. Messages go out ready where their place and time can be told beforehand.

import type { ChannelSpec } from '../../core/channel.ts';
import type { Chained, FenceToken, Outgoing, PublishedBefore, Receipt } from '../../core/ports.ts';
import { TickbusError } from '../../errors.ts';
import type { Way } from './audience.ts';
import { channelKeys } from './scripts.ts';

export interface ScriptCall {
  readonly script: 'publishBatch' | 'publishFrame' | 'publishOnce';
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

/** A frame that goes out in a transaction: see publish-transaction.ts. */
export interface TransactionCall {
  readonly script: 'transaction';
  readonly channel: ChannelSpec;
  /** The arguments that every publish script begins with. */
  readonly terms: readonly string[];
  readonly frame: string;
  /** The length of each message in the frame, in bytes. */
  readonly lengths: readonly number[];
  /** For each message its key and its text. */
  readonly kept: readonly string[];
}

/** What became of a call. */
export interface PublishAnswer {
  /** undefined: a transaction was given up, and nothing was done. */
  readonly receipt: Receipt | undefined;
  /** The server's time in milliseconds; 0: it was not told. */
  readonly at: number;
  /** Whether only our subscribers listened; undefined: nobody looked. */
  readonly isOurs?: boolean | undefined;
  /** A transaction was not done for a reason that the next one may have, too. */
  readonly isUnfit?: boolean;
}

export type PublishCall = ScriptCall | TransactionCall;

/** From so many messages on a frame is less work than the messages one by one, and a transaction than a script. */
const FRAME_FROM = 4;
const TRANSACTION_FROM = 16;
/** A message of so many UTF-16 units, in the mean of a batch, is large: a frame of them costs a subscriber more than it saves. */
const LARGE = 512;

/** What applies to a batch as a whole. */
interface Terms extends Partial<Chained> {
  readonly fence: FenceToken | undefined;
  /** The server's time when it will do this, in Unix milliseconds; undefined: that cannot be told. */
  readonly stamp: number | undefined;
  readonly way: Way;
}

/** Whether what is published on the channel can be sent as whole batches. */
export function canBeFramed({ kind }: ChannelSpec): boolean {
  return kind !== 'plain' && kind !== 'command';
}

/** Whether the messages can be made ready for the place they will have. */
export function canBeReady(channel: ChannelSpec, { after }: Partial<Chained>): boolean {
  return after !== undefined && canBeFramed(channel);
}

export function publishCall(channel: ChannelSpec, batch: readonly Outgoing[], terms: Terms): PublishCall {
  const { head, last, history, lease, frames, ours, id } = channelKeys(channel);
  const keys = [head, last, history, lease];
  const args = argsOf(channel, terms);
  // All of a batch have ids, or none.
  if (batch[0]?.once !== undefined) {
    const ids = batch.flatMap(({ once }) => (once === undefined ? [] : id(once.id)));
    const commands = batch.flatMap(({ once, json }) => [String(once?.rememberMs), json.slice(1)]);
    return { script: 'publishOnce', keys: [...keys, ...ids], args: [...args, ...commands] };
  }
  const texts = textsOf(channel, batch, terms);
  if (!isFramed(channel, batch, terms))
    return { script: 'publishBatch', keys, args: [...args, ...keysAndTexts(batch, texts)] };
  const frame = frameOf(texts);
  const lengths = lengthsOf(texts, frame);
  if (terms.way === 'transaction' && batch.length >= TRANSACTION_FROM && channel.kind === 'state')
    return { script: 'transaction', channel, terms: args, frame, lengths, kept: keysAndTexts(batch, texts) };
  const parts = batch.flatMap(({ key = '' }, index) => [key, String(lengths[index])]);
  return { script: 'publishFrame', keys, args: [...args, frame, frames, ours, ...parts] };
}

/** What every publish script begins with. */
function argsOf(
  { name, kind, history, framing = 'message' }: ChannelSpec,
  { fence, call = '', after, stamp }: Terms,
): string[] {
  return [
    name,
    kind,
    String(history),
    fence === undefined ? '' : String(fence),
    framing,
    call,
    after?.isRequired ? after.call : '',
    after === undefined ? '' : String(after.end.epoch),
    after === undefined ? '' : String(after.end.seq),
    stamp === undefined ? '' : String(stamp),
  ];
}

/** The messages as they will stand on the wire, if their place and time are known; else without what the server adds. */
function textsOf(
  { kind }: ChannelSpec,
  batch: readonly Outgoing[],
  { after, stamp }: Terms,
): readonly string[] {
  if (kind === 'plain') return batch.map(({ json }) => json);
  if (after === undefined || stamp === undefined) return batch.map(({ json }) => json.slice(1));
  const { epoch, seq } = after.end;
  const rest = `,"epoch":${epoch},"at":${stamp},`;
  return batch.map(({ json }, index) => `{"seq":${seq + 1 + index}${rest}${json.slice(1)}`);
}

function isFramed(
  { framing }: ChannelSpec,
  batch: readonly Outgoing[],
  { after, stamp, way }: Terms,
): boolean {
  if (after === undefined || stamp === undefined) return false;
  if (framing === 'batch') return true;
  if (way === 'messages' || batch.length < FRAME_FROM) return false;
  let size = 0;
  for (const { json } of batch) size += json.length;
  return size <= LARGE * batch.length;
}

/** Not by `join`, which would copy all of it once more. */
function frameOf(texts: readonly string[]): string {
  let frame = '';
  for (const text of texts) frame += `${frame === '' ? '[' : ','}${text}`;
  return `${frame}]`;
}

function keysAndTexts(batch: readonly Outgoing[], texts: readonly string[]): string[] {
  const all: string[] = [];
  for (const [index, { key = '' }] of batch.entries()) all.push(key, texts[index] ?? '');
  return all;
}

/** In bytes. Asked for the whole first: most are nothing but ASCII. */
function lengthsOf(texts: readonly string[], frame: string): readonly number[] {
  const isAscii = Buffer.byteLength(frame) === frame.length;
  return texts.map((text) => (isAscii ? text.length : Buffer.byteLength(text)));
}

/** Of a script that found the channel elsewhere than the call expects. */
const OVERTAKEN: Receipt = { isOvertaken: true, first: undefined, receivers: 0 };

/** What a script answered; anything else leaves open what was done. */
export function answerFrom(
  reply: unknown,
  { kind, name }: ChannelSpec,
  script: ScriptCall['script'],
): PublishAnswer {
  if (Array.isArray(reply) && reply[0] === 'overtaken') return { receipt: OVERTAKEN, at: 0 };
  const [epoch, seq, receivers, micros, ...more] = Array.isArray(reply) ? reply.map(Number) : [];
  if (
    epoch === undefined ||
    seq === undefined ||
    receivers === undefined ||
    micros === undefined ||
    ![epoch, seq, receivers, micros].every(Number.isSafeInteger)
  ) {
    const text = `What answered the publish on ${name} is no Redis: it may or may not have been published.`;
    throw new TickbusError('TICKBUS_OUTCOME_UNKNOWN', text);
  }
  const receipt = { first: kind === 'plain' ? undefined : { epoch, seq }, receivers };
  const at = micros / 1_000;
  const [isOurs] = more;
  if (script === 'publishFrame')
    return { receipt, at, isOurs: isOurs === undefined ? undefined : isOurs === 1 };
  return { receipt: more.length === 0 ? receipt : { ...receipt, repeated: repeatedFrom(more) }, at };
}

/** Four numbers for each message: index, epoch, seq, receivers. */
function repeatedFrom(numbers: readonly number[]): ReadonlyMap<number, PublishedBefore> {
  const repeated = new Map<number, PublishedBefore>();
  for (let i = 0; i + 3 < numbers.length; i += 4) {
    const [index = 0, epoch = 0, seq = 0, receivers = 0] = numbers.slice(i, i + 4);
    repeated.set(index, { position: { epoch, seq }, receivers });
  }
  return repeated;
}
