// Parses the text of error replies: a command that the server does not have, a slot that a node does not serve, and
// where a script failed.

import { ErrorReply } from 'redis';

/** The name of a command that the server does not have, or has renamed; undefined for other errors. */
export function unknownCommand(error: unknown): string | undefined {
  if (!(error instanceof ErrorReply)) return undefined;
  return /^ERR unknown (?:sub)?command ['`"]?([\w|-]+)/i.exec(error.message)?.[1];
}

/** In characters. */
const MAX_PROGRAM = 128;
const MOVING = 'The slot of the channel is being moved to another node. Retry when the move is complete.';
const NO_MASTER = 'The server is a replica now. The link looks for the master: retry.';

/** What to do after replies of a server that does not serve the channel now. */
const NOT_SERVING: Readonly<Record<string, string>> = {
  MOVED:
    'Another node of the cluster serves the channel: retry, or if the address is redis://, use redis+cluster://.',
  ASK: MOVING,
  TRYAGAIN: MOVING,
  CLUSTERDOWN: 'A part of the cluster has failed. Retry later; `redis-cli --cluster check` shows the state.',
  READONLY: NO_MASTER,
  MASTERDOWN: NO_MASTER,
  LOADING: 'The server is loading its data. Retry when it is done.',
};

/**
 * What to do if a server executed nothing because it does not serve the channel now, and the same call can succeed
 * later; undefined for other errors.
 *
 * @param word the first word of the reply, after REFUSED
 * @param isLocated whether the link looks for another server. At a fixed address only a server that loads its data
 *   comes back by itself
 */
export function notServingAdvice(word: string | undefined, isLocated: boolean): string | undefined {
  const name = word?.replace(/^REFUSED /, '') ?? '';
  return isLocated || name === 'LOADING' ? NOT_SERVING[name] : undefined;
}

/**
 * An error reply as a person reads it: without the place in a script, which the server appends; a `FENCED` reply with
 * the name of the holder and the time of its claim; and what the long text of `NOAUTH` means.
 */
export function readableReply(reply: string): string {
  const text = reply.replace(/ script: [0-9a-f]{40}, on @user_script:\d+\.?$/, '');
  if (text.startsWith('NOAUTH ')) return 'NOAUTH it requires a password';
  if (!text.startsWith('FENCED ')) return text;
  return text.replace(/: (\S+), since=(\d{1,15})$/, (_, program: string, since: string) => {
    const claimed = new Date(Number(since)).toISOString();
    return `: ${decoded(program).slice(0, MAX_PROGRAM)}, since ${claimed}`;
  });
}

/** Anybody who may write to the head of a channel can write any text there. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Why a node of a cluster did not execute a command; undefined for other errors.
 *
 * - `moved`: it is not the master of the slot now, or cannot know whether it still is. Look again where the master is.
 * - `unserved`: nobody serves the slot now, or it is being moved. Ask again; the node stays the right one. The
 *   redirection of ASK is never followed for a publish, because the subscribers are still at the old node.
 */
export function slotRefusal(error: unknown): 'moved' | 'unserved' | undefined {
  if (!(error instanceof ErrorReply)) return undefined;
  const [word = ''] = error.message.split(' ', 1);
  if (['MOVED', 'READONLY', 'MASTERDOWN', 'LOADING'].includes(word)) return 'moved';
  return ['ASK', 'TRYAGAIN', 'CLUSTERDOWN'].includes(word) ? 'unserved' : undefined;
}
