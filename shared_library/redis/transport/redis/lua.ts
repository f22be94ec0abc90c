// Lua fragments that scripts share.

/**
 * `try` runs a command. If the server rejects it (permission, key type, memory), the error gets the prefix REFUSED,
 * which means that the script has changed nothing. So use `try` only if no earlier command of the script has changed
 * data, or if the same reason would have made an earlier command fail. Use `redis.call` otherwise: its errors may mean
 * a partial execution.
 */
export const LUA_TRY = `
local function refuse(reply) error({ err = 'REFUSED ' .. reply.err }) end
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then refuse(reply) end
  return reply
end
`;

/** `digits(number)`: all digits of a whole number. Lua's `tostring` is exact only up to 10^14. */
export const LUA_DIGITS = `
local function digits(number) return string.format('%.0f', number) end
`;

/**
 * `branch_of_server()` returns the branch of the server, which identifies the history of its data. `run_id` changes
 * with every process start and `master_replid` with every promotion. So a server that may have lost data is on another
 * branch. Returns nil if the user may not use INFO.
 */
export const LUA_BRANCH = `
local function branch_of_server()
  -- Check first, because the server logs every denied command.
  local is_known, may = pcall(redis.acl_check_cmd, 'INFO')
  if not is_known or not may then return nil end
  local info = redis.call('INFO', 'server', 'replication')
  return string.match(info, 'run_id:(%x+)') .. ':' .. string.match(info, 'master_replid:(%x+)')
end
`;

/** Defines `branch` in scripts that assign positions or grant leases. Rejects users who may not use INFO. */
export const LUA_REQUIRE_BRANCH = `${LUA_BRANCH}
local branch = branch_of_server()
if not branch then
  refuse({ err = 'NOPERM the user may not use INFO, which is needed to detect data loss' })
end
`;
