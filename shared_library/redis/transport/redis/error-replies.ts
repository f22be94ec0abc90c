// Parses the text of error replies: a command that the server does not have, a slot that a node does not serve, and
// where a script failed.

import { ErrorReply } from 'redis';

/** The name of a command that the server does not have, or has renamed; undefined for other errors. */
export function unknownCommand(error: unknown): string | undefined {
  if (!(error instanceof ErrorReply)) return undefined;
  return /^ERR unknown (?:sub)?command ['`"]?([\w|-]+)/i.exec(error.message)?.[1];
}

/** An error of a script without the place in the script, which the server appends. */
export function withoutScript(text: string): string {
  return text.replace(/ script: [0-9a-f]{40}, on @user_script:\d+\.?$/, '');
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
