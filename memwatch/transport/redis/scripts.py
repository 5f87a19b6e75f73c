"""What the hub has Redis do in one step, in Lua."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from memwatch.transport.schema import MAX_REPORT_BYTES

LARGEST_ENTRY = MAX_REPORT_BYTES + 64 * 1024
"""Bytes of an entry with a report and its marks."""


def as_fields(flat: Sequence[bytes]) -> Mapping[bytes, bytes]:
    """The fields of an entry as a script hands them out: names and values in turn."""
    return dict(zip(flat[::2], flat[1::2], strict=False))


_BOUNDED = """
-- An entry larger than any report stays where it is: only its size is handed out. One entry at a time is read, for only
-- then its size is known before the next.
local function bounded(entry, largest)
  local size = 0
  for _, part in ipairs(entry[2]) do size = size + #part end
  if size <= largest then return entry, size end
  return {entry[1], {'oversized', tostring(size)}}, 0
end
"""

READ = (
    _BOUNDED
    + """
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
local found, bytes = {}, 0
while #found < tonumber(ARGV[3]) and bytes < tonumber(ARGV[5]) do
  local one = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'STREAMS', KEYS[1], '>')
  if not one then break end
  local entry, size = bounded(one[1][2][1], tonumber(ARGV[6]))
  found[#found + 1], bytes = entry, bytes + size
end
if #found > 0 then redis.call('HINCRBY', KEYS[2], 'read', #found) end
return found
"""
)

CLAIM = (
    _BOUNDED
    + """
-- Take over what a dead reader holds, until so many entries or bytes are there. Redis 6.2 hands out trimmed entries as
-- nothing, Redis 7 says which they were.
local found, bytes, trimmed, nothing, cursor = {}, 0, 0, 0, '0-0'
for _ = 1, tonumber(ARGV[4]) do
  local got = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], cursor, 'COUNT', 1)
  cursor = got[1]
  for _, each in ipairs(got[2]) do
    if each then
      local entry, size = bounded(each, tonumber(ARGV[6]))
      found[#found + 1], bytes = entry, bytes + size
    else
      nothing = nothing + 1
    end
  end
  if got[3] then trimmed = trimmed + #got[3] end
  if cursor == '0-0' or bytes >= tonumber(ARGV[5]) then break end
end
return {found, trimmed, nothing}
"""
)

ANSWERS = (
    _BOUNDED
    + """
-- The answers to commands behind a position, and the new position: nothing else is handed out.
local found, position, bytes = {}, ARGV[1], 0
for _ = 1, tonumber(ARGV[2]) do
  local one = redis.call('XRANGE', KEYS[1], '(' .. position, '+', 'COUNT', 1)[1]
  if not one then break end
  local entry, size = bounded(one, tonumber(ARGV[4]))
  position = entry[1]
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'c' then
      found[#found + 1], bytes = entry, bytes + size
      break
    end
  end
  if bytes >= tonumber(ARGV[3]) then break end
end
return {position, found}
"""
)

PEEK = (
    _BOUNDED
    + """
-- Entries behind a position, oldest first, or without one the newest; until so many entries or bytes are there.
local found, bytes, position = {}, 0, ARGV[1]
while #found < tonumber(ARGV[2]) and bytes < tonumber(ARGV[3]) do
  local one
  if ARGV[5] == 'newest' then
    one = redis.call('XREVRANGE', KEYS[1], position == '' and '+' or '(' .. position, '-', 'COUNT', 1)[1]
  else
    one = redis.call('XRANGE', KEYS[1], '(' .. position, '+', 'COUNT', 1)[1]
  end
  if not one then break end
  local entry, size = bounded(one, tonumber(ARGV[4]))
  position = entry[1]
  found[#found + 1], bytes = entry, bytes + size
end
return found
"""
)

ABOUT = """
-- What the stream says of itself, without the two entries that XINFO hands out whole: of the first one its id.
local stream, said = redis.call('XINFO', 'STREAM', KEYS[1]), {}
for i = 1, #stream, 2 do
  local name, value = stream[i], stream[i + 1]
  if name == 'first-entry' then value = value and value[1] or '' end
  if name ~= 'last-entry' then said[#said + 1], said[#said + 2] = name, value end
end
return said
"""

ID = """
-- The id of the first entry of a range, by XRANGE or XREVRANGE, or nothing: the entry may be of any size.
local one = redis.call(ARGV[1], KEYS[1], ARGV[2], ARGV[3], 'COUNT', 1)[1]
return one and one[1] or ''
"""

SET_BACK = """
-- The last id of the stream lies in the future: a sender chose it, or the clock was set back. Behind the highest of all
-- no client could append any more. Once everything is read and acknowledged, the ids start again.
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
