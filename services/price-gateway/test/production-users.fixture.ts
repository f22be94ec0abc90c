// A separate Redis server with the users of docs/production.md.

import { readFile } from 'node:fs/promises';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { SILENT } from './gateway.fixture.ts';

const PAGE = await readFile(new URL('../../../docs/production.md', import.meta.url), 'utf8');
const LINES = PAGE.split('\n');

/** The `user` lines of the page without the word `user`, with the password `secret`. */
export const USER_RULES: readonly string[] = LINES.flatMap(
  (line) => /^user (\S+ on .*)/.exec(line)?.[1]?.replace('PASSWORD', 'secret') ?? [],
);

export const USER_NAMES: readonly string[] = USER_RULES.map((rules) => rules.split(' ')[0] ?? '');

/** The page's settings that limit what a client can cost the server. */
const LIMITS = LINES.filter((line) => /^(lazyfree-|proto-max-bulk-len |maxmemory)/.test(line));

/** Starts a server with the users and limits of the page. The default user stays enabled for the tests. */
export function startProductionRedis(): Promise<LocalRedis> {
  const users = USER_RULES.flatMap((rules) => ['--user', ...rules.split(' ')]);
  const limits = LIMITS.flatMap((line) => `--${line}`.split(' '));
  return startLocalRedis({ args: [...limits, ...users] });
}

/** The connection options of a user of the page. */
export const as = (redis: LocalRedis, user: string) => ({
  url: redis.url.replace('//', `//${user}:secret@`),
  logger: SILENT,
});
