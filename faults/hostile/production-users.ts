// The Redis users and limits of docs/production.md, applied to a running server.

import { readFile } from 'node:fs/promises';

const PAGE = new URL('../../docs/production.md', import.meta.url);
/** Replaces the placeholder PASSWORD of the page. */
const PASSWORD = 'secret';
const LIMITS = /^(maxmemory|client-output-buffer-limit|lazyfree|proto-max-bulk-len)/;

export type UserName = 'gateway' | 'bot' | 'reader' | 'monitor' | 'operator';

/**
 * @param command runs one Redis command as a user with all rights
 * @returns the names of the users
 */
export async function applyProductionSettings(
  command: (...args: string[]) => Promise<unknown>,
): Promise<ReadonlySet<string>> {
  const users = new Set<string>();
  const lines = (await readFile(PAGE, 'utf8')).split('\n');
  for (const line of lines) {
    const [name = '', ...rest] = line.split(' ');
    if (name === 'user' && rest[1] === 'on') {
      users.add(rest[0] ?? '');
      await command('ACL', 'SETUSER', ...aclArguments(line.replaceAll('PASSWORD', PASSWORD)));
    } else if (LIMITS.test(name)) await command('CONFIG', 'SET', name, rest.join(' '));
  }
  return users;
}

export function urlOf(user: UserName, port: number): string {
  return `redis://${user}:${PASSWORD}@127.0.0.1:${port}/0`;
}

/** The arguments of ACL SETUSER: a selector in parentheses is one argument. */
function aclArguments(line: string): string[] {
  return line.slice('user '.length).match(/\([^)]*\)|\S+/g) ?? [];
}
