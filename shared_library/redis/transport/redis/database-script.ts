// The script that finds the databases of a server in which channels are used.

import { LUA_BRANCH } from './lua.ts';

/**
 * Finds the databases in which channels are used, other than the caller's. A channel counts as used if the present
 * process of the server has numbered a message of it, or granted its lease: the head then has the branch of the server.
 *
 * - KEYS heads. ARGV database of the caller.
 * - Returns for each key the number of such a database, or -1. Returns nil if the user may not use INFO or SELECT.
 *
 * `SELECT` within a script does not change the database of the connection.
 */
export const FIND_DATABASES = `${LUA_BRANCH}
local function may(...)
  local is_known, allowed = pcall(redis.acl_check_cmd, ...)
  return is_known and allowed
end
local branch = branch_of_server()
if not branch or not may('SELECT', '0') then return nil end
local found = {}
for i = 1, #KEYS do found[i] = -1 end
for database in string.gmatch(redis.call('INFO', 'keyspace'), 'db(%d+):keys') do
  local selected = database ~= ARGV[1] and redis.pcall('SELECT', database)
  if selected and not selected.err then
    for i, key in ipairs(KEYS) do
      local head = may('HMGET', key, 'branch') and redis.pcall('HMGET', key, 'branch', 'lease_branch') or {}
      if not head.err and (head[1] == branch or head[2] == branch) then found[i] = tonumber(database) end
    end
  end
end
return found
`;
