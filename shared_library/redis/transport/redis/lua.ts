// Lua fragments that scripts share.

import { MAX_DEFINITION_LENGTH } from '../../channel/definition.ts';
import { MAX_PARTITIONS } from '../../channel/partitions.ts';

/**
 * `try` runs a command on the key that follows its name. If the server rejects it (permission, key type, memory), the
 * error gets the prefix REFUSED, which means that the script has changed nothing. So use `try` only if no earlier
 * command of the script has changed data, or if the same reason would have made an earlier command fail. Use
 * `redis.call` otherwise: its errors may mean a partial execution.
 *
 * `need` rejects in the same way if the user may not run a command, or the server does not have it. Before the first
 * change, use `need` to check the commands of every `redis.call`.
 *
 * REFUSED FOREIGN means that another program has written to a key of tickbus: `foreignDataError` parses it.
 */
export const LUA_TRY = `
local function refuse(reply) error({ err = 'REFUSED ' .. reply.err }) end
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  local command, key = ...
  local function has(text) return string.find(reply.err, text, 1, true) end
  if has('WRONGTYPE') then refuse({ err = 'FOREIGN type ' .. key }) end
  if has('target stream top item') then refuse({ err = 'FOREIGN last-id ' .. key }) end
  if has('Unknown Redis command') then refuse({ err = 'NOCOMMAND the server does not have ' .. command }) end
  if has('NOPERM') or has('user executing the script') then
    refuse({ err = 'NOPERM the user may not use ' .. command .. (key and ' on ' .. key or '') })
  end
  refuse(reply)
end
local function need(...)
  local command, key = ...
  local is_known, may = pcall(redis.acl_check_cmd, ...)
  if not is_known then refuse({ err = 'NOCOMMAND the server does not have ' .. command }) end
  if not may then refuse({ err = 'NOPERM the user may not use ' .. command .. (key and ' on ' .. key or '') }) end
end
`;

/**
 * `whole(key, field, value)`: the value of a field as a number, 0 if it is absent. Rejects what tickbus never writes:
 * text, fractions, negative numbers, and numbers beyond 2^52.
 */
export const LUA_WHOLE = `
local function whole(key, field, value)
  if value and not (string.find(value, '^%d+$') and tonumber(value) <= 2 ^ 52) then
    refuse({ err = 'FOREIGN ' .. field .. ' ' .. key })
  end
  return tonumber(value or 0)
end
`;

/**
 * `recorded_partitions(key, value)`: the recorded number of partitions as text, or false if there is none. Rejects what
 * tickbus never writes. See `parsePartitions`.
 */
export const LUA_PARTITIONS = `
local function recorded_partitions(key, value)
  if value and not (string.find(value, '^[1-9]%d?%d?$') and tonumber(value) <= ${MAX_PARTITIONS}) then
    refuse({ err = 'FOREIGN partitions ' .. key })
  end
  return value
end
`;

/**
 * `usable_definition(text)`: the recorded definition, or false if there is none, or a text that tickbus never writes.
 * `without_author(text)`: see `withoutAuthor`. `storage_of(text)`: its kind and key. `is_known_other_storage(own,
 * recorded)`: see `isKnownOtherStorage`.
 */
export const LUA_DEFINITION = `
local function usable_definition(text)
  return text and #text <= ${MAX_DEFINITION_LENGTH} and string.find(text, '^kind=%l+ key=[%w%p ]*$') and text
end
local function without_author(text) return (string.gsub(text, ' by=%S*$', '')) end
local function storage_of(text) return string.match(text, '^kind=%S+ key=%S*') end
local function is_known_other_storage(own, recorded)
  local a, b = storage_of(own) or '', storage_of(recorded) or ''
  local is_function = string.find(a, 'function()', 1, true) or string.find(b, 'function()', 1, true)
  if is_function then return string.match(a, '^%S+') ~= string.match(b, '^%S+') end
  return a ~= b
end
`;

/**
 * `fenced(why, head_key)`: the error of a caller who may not publish. If the token of the head is still that of the
 * recorded holder, it names that program and the time of its claim, which `fencedText` formats. It reads them only for
 * the error. `not_holder(lease, name, head_key)`: the same for a caller whose token is not that of the lease.
 */
export const LUA_FENCED = `
local function fenced(why, head_key)
  local head = redis.pcall('HMGET', head_key, 'token', 'holder')
  local token, since, program = string.match(not head.err and head[2] or '', '^(%d+) (%d+) ([%w%p]+)$')
  local holder = token and token == head[1] and ': ' .. program .. ', since=' .. since or ''
  return redis.error_reply('FENCED ' .. why .. holder)
end
local function not_holder(lease, name, head_key)
  if not lease then return redis.error_reply('FENCED this process has lost the lease of ' .. name) end
  if not string.find(lease, '^%d+$') then
    return redis.error_reply('FENCED the lease of ' .. name .. ' is about to be granted: its last holder may still publish')
  end
  return fenced('another process holds the lease of ' .. name, head_key)
end
`;

/**
 * `in_steps(count, step)` reads up to `count` elements, by calls of `step(size)`. Each call reads about `size` more.
 * The first reads one, and none follows beyond 1 MiB: elements of another program can be of any size, and a script
 * blocks the server while it reads. `step` returns how many elements and bytes it read, and whether more are left.
 */
export const LUA_IN_STEPS = `
local function in_steps(count, step)
  local size, read, bytes, is_more = 1, 0, 0, true
  while is_more and read < count and bytes <= 1048576 do
    local some, some_bytes
    some, some_bytes, is_more = step(math.min(size, count - read))
    read, bytes, size = read + some, bytes + some_bytes, size * 2
  end
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
-- Without INFO, a loss of data cannot be detected.
need('INFO')
local branch = branch_of_server()
`;
