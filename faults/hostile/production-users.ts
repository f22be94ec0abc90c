// The Redis users and limits of docs/production.md, applied to a running server.

import { readFile } from 'node:fs/promises';

const PAGE = new URL('../../docs/production.md', import.meta.url);
/** Replaces PASSWORD in the page. */
const PASSWORD = 'secret';
const LIMITS = ['maxmemory', 'maxmemory-policy', 'maxmemory-clients', 'client-output-buffer-limit'];

export type UserName = 'gateway' | 'bot' | 'reader' | 'operator';

/** @param command runs one Redis command as a user with all rights */
export async function applyProductionSettings(
  command: (...args: string[]) => Promise<unknown>,
): Promise<void> {
  const lines = (await readFile(PAGE, 'utf8')).split('\n');
  for (const line of lines) {
    const [name = '', ...rest] = line.split(' ');
    if (name === 'user' && rest[0] !== 'default')
      await command('ACL', 'SETUSER', ...aclArguments(line.replaceAll('PASSWORD', PASSWORD)));
    else if (LIMITS.includes(name)) await command('CONFIG', 'SET', name, rest.join(' '));
  }
}

export function urlOf(user: UserName, port: number): string {
  return `redis://${user}:${PASSWORD}@127.0.0.1:${port}/0`;
}

/** The arguments of ACL SETUSER: a selector in parentheses is one argument. */
function aclArguments(line: string): string[] {
  return line.slice('user '.length).match(/\([^)]*\)|\S+/g) ?? [];
}
