// Where this program runs.

import { hostname } from 'node:os';

/** Containers often share a process id but not a host name. */
export function thisProgram(): { readonly host: string; readonly pid: number } {
  return { host: hostname(), pid: process.pid };
}
