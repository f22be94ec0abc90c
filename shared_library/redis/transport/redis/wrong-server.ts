// Recognises replies of a server that is not, or no longer, the one that accepts writes.

import { ErrorReply } from 'redis';

/** Behind the prefix that scripts and transactions put before the error of a command. */
const WRONG_SERVER = /^(?:REFUSED |EXECABORT .*?: ?)?-?(?:READONLY|MASTERDOWN|LOADING)\b/;
const WITHOUT_REPLICAS = /^(?:REFUSED |EXECABORT .*?: ?)?-?NOREPLICAS\b/;

/** The server is a replica, or is loading its data: another one may be the master by now. It executed nothing. */
export function isWrongServer(error: unknown): boolean {
  return error instanceof ErrorReply && WRONG_SERVER.test(error.message);
}

/** The server has too few replicas (`min-replicas-to-write`), as a master that is cut off has. It executed nothing. */
export function isWithoutReplicas(error: unknown): boolean {
  return error instanceof ErrorReply && WITHOUT_REPLICAS.test(error.message);
}
