// The Lua scripts of the lease. A claim or a resume runs two scripts. Between them an exclusive writer disconnects all
// others; exclusive-lease.ts describes the protocol. Jobs, and users who may not disconnect others, run the same
// scripts without that step.

import {
  LUA_DEFINITION,
  LUA_DIGITS,
  LUA_PARTITIONS,
  LUA_REQUIRE_BRANCH,
  LUA_TRY,
  LUA_WHOLE,
} from '../lua.ts';

/** Milliseconds by which a lease may end early, because the server rounds. */
const ROUNDING_MS = 10;

/**
 * `is_ours(holder, token, head_token, head_until)`: whether the caller holds the lease, or its lease has expired and
 * nobody else has held it since.
 */
const LUA_IS_OURS = `
local function is_ours(holder, token, head_token, head_until)
  if holder == token then return true end
  return (not holder or holder == 'nobody') and head_token == token and head_until ~= '0'
end
`;

/** Rejects a caller who may not use a command that changes the keys of a lease. KEYS head, lease. */
const LUA_NEED_WRITES = `
need('SET', KEYS[2], '', 'PX', '1')
need('PEXPIRE', KEYS[2], '1')
need('PTTL', KEYS[2])
need('HSET', KEYS[1], '', '')
need('HDEL', KEYS[1], '')
`;

/** Defines `time` and `now`, in milliseconds. */
const LUA_NOW = `
local time = try('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/**
 * The first script. A claim (without token) reserves a free lease under a nonce for one TTL and increases the token. A
 * resume writes its nonce if the caller still holds the lease. A call that fails with REFUSED changes nothing.
 *
 * - KEYS head, lease.
 * - ARGV nonce, TTL in ms, token or '', 'plain' or 'token' (how the caller will publish).
 * - Returns { 'reserved', token } | { 'taken' or 'holding_off' or 'barred', ms left } | { 'lost', past epochs }.
 *
 * The head records the branch of the server that granted the last lease (`lease_branch`) and the end of that lease
 * (`until`; 0 after a release). The server may have lost the record of a holder if there is no token, the branch
 * differs, or the lease ended early. Then `nobody` holds the lease for one TTL (the hold-off). By then, a former
 * holder's lease has expired by that holder's own clock.
 *
 * There is also a hold-off if the lease seems to have ended more than one TTL ago. The server's clock may have been set
 * forward, so the holder may still renew. If a lease would outlast its TTL, the clock was set back. The script then
 * shortens the lease to its TTL.
 *
 * A caller that publishes by script is 'barred' if the last holder publishes with plain commands and let its lease
 * expire without a release. The caller cannot stop that holder's batches in flight.
 */
export const RESERVE_LEASE = `${LUA_TRY}${LUA_WHOLE}${LUA_PARTITIONS}${LUA_DIGITS}${LUA_IS_OURS}
local nonce, ttl, token, writer = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local holder = try('GET', KEYS[2])
local head = try('HMGET', KEYS[1], 'token', 'lease_branch', 'until', 'ttl', 'writer', 'past', 'epoch', 'seq',
  'partitions')
local last_token = whole(KEYS[1], 'token', head[1])
local ended = whole(KEYS[1], 'until', head[3])
local last_ttl = whole(KEYS[1], 'ttl', head[4])
-- The second script needs them. A reservation that cannot be activated would keep others out.
whole(KEYS[1], 'epoch', head[7])
whole(KEYS[1], 'seq', head[8])
recorded_partitions(KEYS[1], head[9])
${LUA_NEED_WRITES}if token ~= '' then
  if not is_ours(holder, token, head[1], head[3]) then return { 'lost', head[6] or '' } end
  try('HSET', KEYS[1], 'nonce', nonce)
  return { 'reserved', token }
end
${LUA_NOW}${LUA_REQUIRE_BRANCH}
local longest = math.max(ttl, last_ttl)
if holder and holder ~= nonce then
  local left = redis.call('PTTL', KEYS[2])
  if left < 0 or left > longest then
    left = longest
    try('PEXPIRE', KEYS[2], left)
    redis.call('HSET', KEYS[1], 'until', digits(now + left))
  end
  return { holder == 'nobody' and 'holding_off' or 'taken', digits(left) }
end
if not holder and writer == 'token' and head[5] == 'plain' and head[3] ~= '0' and head[2] == branch then
  return { 'barred', digits(longest) }
end
local raised = digits(math.max(last_token + 1, now))
local is_known = head[1] and branch == head[2] and ended <= now + ${ROUNDING_MS}
local is_late = is_known and ended > 0 and now - ended > longest
if not holder and (not is_known or is_late) then
  try('SET', KEYS[2], 'nobody', 'PX', longest)
  redis.call('HSET', KEYS[1], 'token', is_late and head[1] or raised, 'until', digits(now + longest),
    'ttl', longest, 'lease_branch', branch)
  -- Connections end with their server process.
  if string.sub(head[2] or '', 1, 40) ~= string.sub(branch, 1, 40) then redis.call('HDEL', KEYS[1], 'writer') end
  return { 'holding_off', digits(longest) }
end
try('SET', KEYS[2], nonce, 'PX', ttl)
-- After a release no former holder can still be publishing, even if this reservation is never activated.
if head[3] == '0' then redis.call('HDEL', KEYS[1], 'writer') end
redis.call('HSET', KEYS[1], 'token', raised, 'until', digits(now + ttl), 'ttl', ttl)
return { 'reserved', raised }
`;

/**
 * Fields of the head hash, called marks. Each holds the last sequence number of one of the eight most recent batches.
 */
const MARK_FIELDS = "'b0', 'b1', 'b2', 'b3', 'b4', 'b5', 'b6', 'b7'";
/**
 * Maximum number of ended epochs in the head. A disconnected writer can still settle its batches after up to this many
 * takeovers.
 */
const MAX_PAST_EPOCHS = 8;

/**
 * The second script. Requires the nonce of the first, grants or extends the lease, and returns the head of the channel.
 *
 * - KEYS head, lease, prefix of the fence keys.
 * - ARGV nonce, TTL in ms, token, 'plain' or 'token', epoch of the caller or '' (a claim), the highest seq that the
 *   caller knows to be published, the definition to record or '', the name of the caller's program, the keys of what
 *   is stored.
 * - Returns { 'same', epoch, time in microseconds, partitions or '', replaced definition or '', seq, mark... } |
 *   { 'new', epoch, time, partitions or '', replaced definition or '' } | { 'lost', past epochs }.
 *
 * The holder decides how the channel is defined. If its kind or key differs from the recorded one, what is stored under
 * that is deleted. Only then its user needs permission for those keys, which are therefore no KEYS.
 *
 * A claim records who holds the lease, as `token since program`, and begins a new epoch. A resume begins one if the
 * server is on another branch, the epoch is no longer the caller's, or the head is below what the caller has published.
 * `past` lists ended epochs as `epoch:seq:is_same_branch:mark,...;`, the latest first.
 */
export const ACTIVATE_LEASE = `${LUA_TRY}${LUA_WHOLE}${LUA_PARTITIONS}${LUA_DIGITS}${LUA_DEFINITION}${LUA_IS_OURS}
local nonce, ttl, token, writer, epoch, published, definition, program = unpack(ARGV)
local holder = try('GET', KEYS[2])
local head = try('HMGET', KEYS[1], 'epoch', 'seq', 'token', 'branch', 'until', 'nonce', 'past',
  'partitions', 'definition')
local is_resume = epoch ~= ''
if is_resume and not is_ours(holder, token, head[3], head[5]) or not is_resume and holder ~= nonce then
  return { 'lost', head[7] or '' }
end
if is_resume and head[6] ~= nonce then
  return redis.error_reply('BUSY another connection of this writer is resuming')
end
local last_epoch, last_seq = whole(KEYS[1], 'epoch', head[1]), whole(KEYS[1], 'seq', head[2])
local partitions = recorded_partitions(KEYS[1], head[8]) or ''
local replaced = definition ~= '' and usable_definition(head[9]) or ''
if without_author(replaced) == without_author(definition) then replaced = '' end
local is_useless = replaced ~= '' and is_known_other_storage(definition, replaced)
${LUA_NEED_WRITES}
need('DEL', KEYS[3])
if is_useless then for i = 9, #ARGV do need('DEL', ARGV[i]) end end
if writer == 'plain' then need('XADD', KEYS[3], '1-1', 'epoch', '') end
${LUA_NOW}${LUA_REQUIRE_BRANCH}
local micros = time[1] * 1000000 + time[2]
local marks = try('HMGET', KEYS[1], ${MARK_FIELDS})
try('SET', KEYS[2], token, 'PX', ttl)
redis.call('HSET', KEYS[1], 'until', digits(now + ttl), 'ttl', ttl, 'writer', writer)
redis.call('HDEL', KEYS[1], 'nonce')
if not is_resume then
  redis.call('HSET', KEYS[1], 'holder', table.concat({ token, digits(now), program }, ' '))
end
if definition ~= '' then redis.call('HSET', KEYS[1], 'definition', definition) end
if is_useless then redis.call('DEL', unpack(ARGV, 9)) end
local is_same_branch = head[4] == branch
local function renew_fence(of_epoch)
  if head[1] then redis.call('DEL', KEYS[3] .. head[1]) end
  if is_resume then redis.call('DEL', KEYS[3] .. epoch) end
  if writer == 'plain' then redis.call('XADD', KEYS[3] .. of_epoch, '1-1', 'epoch', of_epoch) end
end
for i = 1, 8 do marks[i] = marks[i] or '' end
if is_resume and is_same_branch and head[1] == epoch and head[2] and last_seq >= tonumber(published) then
  renew_fence(epoch)
  return { 'same', epoch, micros, partitions, replaced, head[2], unpack(marks) }
end
local past = {}
if head[1] then
  local flag = is_same_branch and '1' or '0'
  past[1] = head[1] .. ':' .. (head[2] or '0') .. ':' .. flag .. ':' .. table.concat(marks, ',')
end
for ended in string.gmatch(head[7] or '', '[^;]+') do
  if #past < ${MAX_PAST_EPOCHS} then past[#past + 1] = ended end
end
local next_epoch = digits(math.max(last_epoch + 1, tonumber(is_resume and epoch or 0) + 1, now))
redis.call('HDEL', KEYS[1], ${MARK_FIELDS})
redis.call('HSET', KEYS[1], 'epoch', next_epoch, 'seq', '0', 'token', token, 'branch', branch,
  'lease_branch', branch, 'past', table.concat(past, ';'))
renew_fence(next_epoch)
return { 'new', next_epoch, micros, partitions, replaced }
`;

/**
 * Extends the lease if the caller holds it.
 *
 * - KEYS head, lease.
 * - ARGV token, TTL in ms, epoch of a writer with plain commands or '', the highest seq that the writer knows to be
 *   published.
 * - Returns 1 if extended, 0 if lost, 2 if extended but the server has lost data, so that the writer must resume.
 */
export const RENEW_LEASE = `${LUA_TRY}${LUA_DIGITS}${LUA_IS_OURS}
local token, ttl, epoch, published = unpack(ARGV)
local head = try('HMGET', KEYS[1], 'token', 'until', 'epoch', 'branch', 'seq')
if not is_ours(try('GET', KEYS[2]), token, head[1], head[2]) then return 0 end
${LUA_NOW}
need('SET', KEYS[2], '', 'PX', '1')
if epoch ~= '' then need('INFO') end
try('HSET', KEYS[1], 'until', digits(now + ttl), 'ttl', ttl)
redis.call('SET', KEYS[2], token, 'PX', ttl)
if epoch == '' then return 1 end
${LUA_REQUIRE_BRANCH}
local is_known = head[3] == epoch and head[4] == branch and (tonumber(head[5] or '') or -1) >= tonumber(published)
return is_known and 1 or 2
`;

/** Ends the lease if the caller holds it. KEYS head, lease. ARGV token. Returns 1 or 0. */
export const RELEASE_LEASE = `${LUA_TRY}
if try('GET', KEYS[2]) ~= ARGV[1] then return 0 end
need('DEL', KEYS[2])
try('HSET', KEYS[1], 'until', '0')
return redis.call('DEL', KEYS[2])
`;
