// What is said to a publish script, and what it answers. Messages go out ready where their place and time can be told beforehand.

import type { ChannelSpec } from '../../core/channel.ts';
import type { Chained, FenceToken, Outgoing, PublishedBefore, Receipt } from '../../core/ports.ts';
import type { Position } from '../../core/sequence.ts';
import { TickbusError } from '../../errors.ts';
import { channelKeys } from './scripts.ts';

export interface PublishCall {
  readonly script: 'publishBatch' | 'publishFrame' | 'publishOnce';
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

/** What applies to a batch as a whole. */
interface Terms extends Partial<Chained> {
  readonly fence: FenceToken | undefined;
  /** The server's time when it will do this, in Unix milliseconds; undefined: that cannot be told. */
  readonly stamp: number | undefined;
}

/** Whether the messages can be made ready for the place they will have. */
export function canBeReady({ kind }: ChannelSpec, { after }: Partial<Chained>): boolean {
  return after !== undefined && kind !== 'plain' && kind !== 'command';
}

export function publishCall(
  channel: ChannelSpec,
  batch: readonly Outgoing[],
  { fence, call = '', after, stamp }: Terms,
): PublishCall {
  const { head, last, history, lease, id } = channelKeys(channel);
  const keys = [head, last, history, lease];
  const framing = channel.framing ?? 'message';
  const args = [
    channel.name,
    channel.kind,
    String(channel.history),
    fence === undefined ? '' : String(fence),
    framing,
    call,
    after?.isRequired ? after.call : '',
    after === undefined ? '' : String(after.end.epoch),
    after === undefined ? '' : String(after.end.seq),
    stamp === undefined ? '' : String(stamp),
  ];
  // All of a batch have ids, or none.
  if (batch[0]?.once !== undefined) {
    for (const { once, json } of batch) {
      if (once === undefined) continue;
      keys.push(id(once.id));
      args.push(String(once.rememberMs), json.slice(1));
    }
    return { script: 'publishOnce', keys, args };
  }
  const texts = textsOf(channel, batch, after?.end, stamp);
  if (framing === 'batch' && stamp !== undefined) {
    let frame = '';
    for (const text of texts) frame += `${frame === '' ? '[' : ','}${text}`;
    frame += ']';
    // Asked for the whole first: most are nothing but ASCII.
    const isAscii = Buffer.byteLength(frame) === frame.length;
    args.push(frame);
    for (const [index, { key = '' }] of batch.entries()) {
      const text = texts[index] ?? '';
      args.push(key, String(isAscii ? text.length : Buffer.byteLength(text)));
    }
    return { script: 'publishFrame', keys, args };
  }
  for (const [index, { key = '' }] of batch.entries()) args.push(key, texts[index] ?? '');
  return { script: 'publishBatch', keys, args };
}

/** What the script PUBLISH takes for the messages. */
function textsOf(
  { kind }: ChannelSpec,
  batch: readonly Outgoing[],
  end: Position | undefined,
  stamp: number | undefined,
): readonly string[] {
  if (kind === 'plain') return batch.map(({ json }) => json);
  if (end === undefined || stamp === undefined) return batch.map(({ json }) => json.slice(1));
  const rest = `,"epoch":${end.epoch},"at":${stamp},`;
  return batch.map(({ json }, index) => `{"seq":${end.seq + 1 + index}${rest}${json.slice(1)}`);
}

/** What a script answers that found the channel further than the call expects. */
const OVERTAKEN = 'overtaken';

/** A receipt, and the server's time in milliseconds, 0 where it was not told; anything else leaves open what was done. */
export function answerFrom(
  reply: unknown,
  { kind, name }: ChannelSpec,
): { readonly receipt: Receipt; readonly at: number } {
  if (Array.isArray(reply) && reply[0] === OVERTAKEN)
    return { receipt: { isOvertaken: true, first: undefined, receivers: 0 }, at: 0 };
  const [epoch, seq, receivers, micros, ...before] = Array.isArray(reply) ? reply.map(Number) : [];
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
  return { receipt: before.length === 0 ? receipt : { ...receipt, repeated: repeatedFrom(before) }, at };
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
