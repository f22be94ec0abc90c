// The fence by connection: disconnects other writers, watches the fence key, and checks whether a user may do either.

import type { RedisClient } from '../client.ts';
import { retryWhileBusy } from './retry-while-busy.ts';

/**
 * Names this connection `writerName` and disconnects all others of that name. Retries for `ttlMs` while the server is
 * busy.
 */
export function disconnectOtherWriters(
  client: RedisClient,
  writerName: string,
  ttlMs: number,
): Promise<void> {
  return retryWhileBusy(ttlMs, async () => {
    const ownId = String(await client.sendCommand(['CLIENT', 'ID']));
    await client.sendCommand(['CLIENT', 'SETNAME', writerName]);
    const list = String(await client.sendCommand(['CLIENT', 'LIST']));
    const lines = list.split('\n').filter((line) => line.includes(` name=${writerName} `));
    const ids = lines.map((line) => /^id=(\d+) /.exec(line)?.[1] ?? '').filter((id) => id !== ownId);
    // For a connection that is already gone, the reply is 0 and not an error.
    await Promise.all(ids.map((id) => client.sendCommand(['CLIENT', 'KILL', 'ID', id])));
  });
}

/** After this call the server executes a batch only while the epoch of the fence is current. */
export async function watchFence(client: RedisClient, fence: string): Promise<void> {
  const [, , exists] = await Promise.all([
    client.sendCommand(['UNWATCH']),
    client.sendCommand(['WATCH', fence]),
    client.sendCommand<number>(['EXISTS', fence]),
  ]);
  if (exists !== 1) throw new Error('Another writer has begun a new epoch of the channel.');
}

/**
 * Why a connection cannot write exclusively, as a sentence; undefined if it can. Queries permissions instead of trying
 * the commands, because the server logs every denied command.
 *
 * @param name the name that this connection was given
 */
export async function findFenceObstacle(
  client: RedisClient,
  name: string,
  fence: string,
): Promise<string | undefined> {
  const [mayDisconnect, id, info] = await Promise.allSettled([
    client.sendCommand<number>(['EVAL', MAY_DISCONNECT, '1', fence]),
    client.sendCommand<number>(['CLIENT', 'ID']),
    client.sendCommand<string>(['CLIENT', 'INFO']),
  ]);
  if (mayDisconnect.status === 'rejected' || mayDisconnect.value !== 1)
    return 'The user may not use CLIENT LIST and CLIENT KILL, or MULTI, EXEC and WATCH.';
  const shown = info.status === 'fulfilled' ? String(info.value) : '';
  const isOwn = id.status === 'fulfilled' && shown.startsWith(`id=${id.value} `);
  if (!isOwn || !shown.includes(` name=${name} `))
    return 'CLIENT INFO does not show this connection: a proxy shares connections among clients.';
  return undefined;
}

const MAY_DISCONNECT = `
local commands = {
  { 'CLIENT', 'LIST' }, { 'CLIENT', 'KILL', 'ID', '1' }, { 'CLIENT', 'SETNAME', 'x' },
  { 'MULTI' }, { 'EXEC' }, { 'WATCH', KEYS[1] }, { 'UNWATCH' }, { 'XREAD', 'STREAMS', KEYS[1], '0' },
}
for _, command in ipairs(commands) do
  local known, may = pcall(redis.acl_check_cmd, unpack(command))
  if not known or not may then return 0 end
end
return 1
`;
