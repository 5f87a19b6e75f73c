"""What the hub has Redis do in one step, in Lua."""

READ = """
-- Read new entries for the group, and count those that were trimmed before anybody had read them, in one step:
-- entries added = read + still there + trimmed. Redis before 7 does not say how many were added: estimated there,
-- from the time that the missing ones span, at the rate of those that are there.
local function fields(list)
  local map = {}
  for i = 1, #list, 2 do map[list[i]] = list[i + 1] end
  return map
end
local function order(id)
  local ms, number = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(number)
end
local function is_after(a, b)
  local a_ms, a_number = order(a)
  local b_ms, b_number = order(b)
  return a_ms > b_ms or (a_ms == b_ms and a_number > b_number)
end
local stream = fields(redis.call('XINFO', 'STREAM', KEYS[1]))
local last
for _, item in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = fields(item)
  if group['name'] == ARGV[1] then last = group['last-delivered-id'] end
end
if not last then return redis.error_reply('NOGROUP of the hub') end
local first = stream['first-entry']
if first and is_after(first[1], last) then
  local read = tonumber(redis.call('HGET', KEYS[2], 'read') or '0')
  local known = tonumber(redis.call('HGET', KEYS[2], 'trimmed') or '0')
  local trimmed = known
  if stream['entries-added'] and ARGV[4] == '' then
    trimmed = stream['entries-added'] - stream['length'] - read
  elseif read > 0 then
    local from, to = order(first[1]), order(stream['last-generated-id'])
    trimmed = known + math.max(1, math.floor(stream['length'] * (from - order(last)) / math.max(1, to - from)))
  end
  if trimmed > known then redis.call('HSET', KEYS[2], 'trimmed', trimmed) end
end
local found = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[3], 'STREAMS', KEYS[1], '>')
if not found then return {} end
redis.call('HINCRBY', KEYS[2], 'read', #found[1][2])
return found[1][2]
"""

SET_BACK = """
-- The last id of the stream lies in the future: a sender chose it, or the clock was set back. Behind the highest of all
-- nobody could append any more. Once everything is read and acknowledged, the ids begin anew.
local stream = redis.call('XINFO', 'STREAM', KEYS[1])
local last
for i = 1, #stream, 2 do
  if stream[i] == 'last-generated-id' then last = stream[i + 1] end
end
if tonumber(string.match(last, '^%d+')) < tonumber(ARGV[3]) then return 0 end
if redis.call('XPENDING', KEYS[1], ARGV[1])[1] > 0 then return 0 end
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  for i = 1, #group, 2 do
    if group[i] == 'last-delivered-id' and group[i + 1] ~= last then return 0 end
  end
end
redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
redis.call('XSETID', KEYS[1], ARGV[2])
redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], ARGV[2])
return 1
"""
