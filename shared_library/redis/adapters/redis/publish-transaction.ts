// A large batch of last values as one transaction: they go to their place by a plain command, past Lua, which is half of a script's work.

import { ErrorReply } from 'redis';
import { TickbusError } from '../../errors.ts';
import type { RedisClient } from './client.ts';
import type { PublishAnswer, TransactionCall } from './publish-call.ts';
import { PUBLISH_TAKEN, TAKE } from './publish-scripts.ts';
import { channelKeys } from './scripts.ts';

/**
 * In a transaction every command is done, whatever came of those before. So the one that writes the values does not write them to their
 * place: TAKE looks whether all is in order, and if it is moves the last values to where that command writes, and PUBLISH_TAKEN moves them back,
 * with the new ones, and publishes. Where TAKE did not run, was refused or found anything wrong, what the command wrote is removed in the
 * end. To everybody else all of it is one moment.
 *
 * @throws TickbusError `TICKBUS_OUTCOME_UNKNOWN` when part of it was refused while it was done
 */
export async function publishTransaction(
  client: RedisClient,
  { channel, terms, frame, lengths, kept }: TransactionCall,
): Promise<PublishAnswer> {
  const { head, last, history, lease, taken, work, frames, ours } = channelKeys(channel);
  const keysAndTerms = ['6', head, last, history, lease, taken, work, ...terms, frames, ours];
  const send = (...command: string[]): Promise<unknown> => client.sendCommand(command);
  const [multi, , , , , exec] = await Promise.allSettled([
    send('MULTI'),
    send('EVAL', TAKE, ...keysAndTerms),
    send('HSET', work, ...kept),
    send('EVAL', PUBLISH_TAKEN, ...keysAndTerms, frame, lengths.join(' '), String(lengths.length)),
    send('DEL', work),
    send('EXEC'),
  ]);
  if (exec.status === 'rejected' && !isDiscarded(exec.reason))
    throw multi.status === 'rejected' ? unknown(channel.name, multi.reason) : exec.reason;
  const done = exec.status === 'fulfilled' ? exec.value : undefined;
  if (!Array.isArray(done)) return { receipt: undefined, at: 0, isUnfit: true };

  const [micros, , published] = done;
  const refused = done.find((reply) => reply instanceof Error);
  const at = Number(micros) / 1_000 || 0;
  if (published === null) return { receipt: undefined, at, isUnfit: refused !== undefined };
  if (refused !== undefined || !Array.isArray(published)) throw unknown(channel.name, refused);
  const [receivers, isOurs] = published.map(Number);
  const [epoch, end] = [Number(terms[7]), Number(terms[8])];
  return {
    receipt: { first: { epoch, seq: end + 1 }, receivers: receivers ?? 0 },
    at,
    isOurs: isOurs === 1,
  };
}

/** A command was not taken up, so nothing of the transaction was done. */
function isDiscarded(error: unknown): boolean {
  return error instanceof ErrorReply && error.message.startsWith('EXECABORT');
}

function unknown(channel: string, cause: unknown): TickbusError {
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  const text = `Publishing on ${channel} was refused in part${why}: it may or may not have been published.`;
  return new TickbusError('TICKBUS_OUTCOME_UNKNOWN', text, { cause });
}
