// A large batch as one transaction of plain commands: no text of it goes through Lua, which is two thirds of a script's work.

import { ErrorReply } from 'redis';
import { TickbusError } from '../../errors.ts';
import type { RedisClient } from './client.ts';
import type { PublishAnswer, TransactionCall } from './publish-call.ts';
import { OPEN, STILL_OURS } from './publish-scripts.ts';
import { channelKeys } from './scripts.ts';

/** What OPEN answered, and whether everything before the transaction was done as it must be. */
interface Opened {
  /** undefined: nothing is known. */
  readonly isOpen: boolean | undefined;
  readonly isOurs: boolean | undefined;
  readonly at: number;
  readonly isWatched: boolean;
}

/**
 * A transaction has no condition but that what is watched was left alone. So OPEN looks whether all is in order, and if it is
 * puts the name of the call into the set `open`. Then `open` is watched, and the name is put in once more: that changes `open`, and so
 * ends the transaction, unless the name is in already. Where the script did not run, was refused or found anything wrong, nothing is
 * published. The same command stands in the transaction again, so that where it is refused the transaction is, too. Head and lease are
 * watched from before the script on.
 *
 * All is written together, and no command of another caller comes between on this connection.
 *
 * A plain client may have come since OPEN looked: then the messages are sent one by one, too, and before anything else, as no other
 * call can follow (see STILL_OURS). Our subscribers drop what they have.
 *
 * @throws TickbusError `TICKBUS_OUTCOME_UNKNOWN` when part of it was refused while it was done
 */
export async function publishTransaction(client: RedisClient, call: TransactionCall): Promise<PublishAnswer> {
  const { channel, terms } = call;
  const { head, last, lease, open, frames } = channelKeys(channel);
  const isForAll = channel.framing === 'batch';
  const count = call.texts.length;
  const [epoch, end] = [Number(terms[7]), Number(terms[8])];
  const send = (...command: string[]): Promise<unknown> => client.sendCommand(command);

  const before = Promise.allSettled([
    send('WATCH', head, lease),
    send('EVAL', OPEN, '3', head, lease, open, ...terms, frames),
    send('WATCH', open),
    send('SADD', open, call.call),
    send('MULTI'),
  ]);
  const queued = Promise.allSettled([
    send('SADD', open, call.call),
    send('DEL', open),
    send('HSET', head, 'seq', String(end + count), 'call', call.call),
    send('PUBLISH', isForAll ? channel.name : frames, call.frame),
    ...(call.kept.length > 0 ? [send('HSET', last, ...call.kept)] : []),
    ...(isForAll ? [] : [send('EVAL', STILL_OURS, '1', head, channel.name, frames)]),
  ]);
  const executed = send('EXEC').catch(nothingIfDiscarded);

  const [replies, done] = await Promise.all([before, executed, queued]);
  const opened = openedFrom(replies);
  const { isOurs, at } = opened;
  if (!Array.isArray(done)) {
    // Nothing waits for it, and it is no harm if it stays.
    send('SREM', open, call.call).catch(() => {});
    return { receipt: undefined, at, isOurs, isUnfit: opened.isOpen !== false };
  }
  const receivers = receiversFrom(done, opened, channel.name);
  const first = { epoch, seq: end + 1 };
  if (isForAll || done.at(-1) === 1) return { receipt: { first, receivers }, at, isOurs };
  const singly = await Promise.all(call.texts.map((text) => client.publish(channel.name, text)));
  return { receipt: { first, receivers: singly.at(-1) ?? 0 }, at, isOurs: false };
}

/** The transaction was given up for a command that was refused: nothing of it was done. */
function nothingIfDiscarded(error: unknown): null {
  if (error instanceof ErrorReply && error.message.startsWith('EXECABORT')) return null;
  throw error;
}

function openedFrom(replies: readonly PromiseSettledResult<unknown>[]): Opened {
  const [watched, opened, watchedOpen, added, begun] = replies.map((reply) =>
    reply.status === 'fulfilled' ? reply.value : undefined,
  );
  const [isOpen, isOurs, micros = 0] = Array.isArray(opened) ? opened.map(Number) : [];
  return {
    isOpen: isOpen === undefined ? undefined : isOpen === 1,
    isOurs: isOurs === undefined ? undefined : isOurs === 1,
    at: micros / 1_000,
    isWatched: watched === 'OK' && isOpen === 1 && watchedOpen === 'OK' && added === 0 && begun === 'OK',
  };
}

function receiversFrom(done: readonly unknown[], { isWatched }: Opened, channel: string): number {
  const refused = done.find((reply) => reply instanceof Error);
  const receivers = Number(done[3]);
  if (isWatched && refused === undefined && Number.isSafeInteger(receivers)) return receivers;
  const why = refused instanceof Error ? `: ${refused.message}` : '';
  const text = `Publishing on ${channel} was refused in part${why}: it may or may not have been published.`;
  throw new TickbusError('TICKBUS_OUTCOME_UNKNOWN', text, { cause: refused });
}
