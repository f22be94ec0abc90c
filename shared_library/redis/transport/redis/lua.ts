// Lua fragments that several scripts begin with.

/**
 * `try` runs a command that is the first to need a permission, a type or memory: if the server refuses it, nothing has been
 * done yet, and the error says REFUSED before the server's own words, so that it cannot be mistaken for a failure half-way.
 */
export const LUA_TRY = `
local function refuse(reply) error({ err = 'REFUSED ' .. reply.err }) end
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then refuse(reply) end
  return reply
end
`;

/** `digits(number)`: all digits of a whole number. Lua's own conversion is exact up to 10^14 only. */
export const LUA_DIGITS = `
local function digits(number) return string.format('%.0f', number) end
`;

/**
 * `branch_of_server()`: which memory this is. run_id is new at every process start, master_replid at every promotion, so a
 * server that may have forgotten what it once knew is on another branch. nil if the user may not use INFO.
 */
export const LUA_BRANCH = `
local function branch_of_server()
  -- Asked first: a refused command would be written to the server's log each time.
  local is_known, may = pcall(redis.acl_check_cmd, 'INFO')
  if not is_known or not may then return nil end
  local info = redis.call('INFO', 'server', 'replication')
  return string.match(info, 'run_id:(%x+)') .. ':' .. string.match(info, 'master_replid:(%x+)')
end
`;

/** `branch`, for a script that numbers messages or grants a lease: it refuses a user who may not use INFO. */
export const LUA_REQUIRE_BRANCH = `${LUA_BRANCH}
local branch = branch_of_server()
if not branch then
  refuse({ err = 'NOPERM the user may not use INFO, without which a server that forgot cannot be recognised' })
end
`;
