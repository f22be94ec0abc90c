// Parses the text of error replies: a command that the server does not have, and where a script failed.

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
