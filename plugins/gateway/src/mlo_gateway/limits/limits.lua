-- All limits of a batch of requests in one step: either every limit of a request takes it, or none does.
--
-- KEYS[1]  a key with the hash tag of all others, so that a cluster knows where to go
-- ARGV[1]  JSON: a list of requests
-- ARGV[2]  the time in microseconds; "" for the server's own
-- Returns  one line per request:
--   {"enter", lease, milliseconds, {{key, limit}…}, {{key, limit, burst, cost}…}}
--              → "1 LEVEL…", or "0 INDEX WAIT": which limit refused, counted from 0 over both lists; WAIT in
--                microseconds, -1 where nobody knows
--   {"leave", lease, {key…}, {{key, limit, units}…}}     → "1"
--   {"renew", milliseconds, {{key, {lease…}}…}}          → "1"
--
-- The arithmetic is that of gcra.py: whole numbers below 2^53.
local PERIOD = 60000000
local now = tonumber(ARGV[2])
if not now then
  local time = redis.call("TIME")
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local milliseconds = math.floor(now / 1000)
-- keys expire by the server's clock, whatever clock we were given
local spare = ARGV[2] == "" and 1 or 3600000

local function store(key, level, limit)
  -- a level that has run down is as good as none
  local ttl = math.ceil(level / limit / 1000) + spare
  redis.call("SET", key, string.format("%.0f %.0f", level, now), "PX", string.format("%.0f", ttl))
end

local function level_of(key, limit)
  local kept = redis.call("GET", key)
  if not kept then return 0 end
  local level, at = string.match(kept, "^(%d+) (%d+)$")
  level, at = tonumber(level), tonumber(at)
  if now < at then
    store(key, level, limit)
    return level
  end
  return math.max(0, level - (now - at) * limit)
end

local function enter(request)
  local lease, keep, gauges, meters = request[2], request[3], request[4], request[5]
  for index, gauge in ipairs(gauges) do
    redis.call("ZREMRANGEBYSCORE", gauge[1], "-inf", milliseconds)
    if redis.call("ZCARD", gauge[1]) >= gauge[2] then
      return string.format("0 %d -1", index - 1)
    end
  end
  local levels = {}
  for index, meter in ipairs(meters) do
    local limit, burst, cost = meter[2], meter[3], math.min(meter[4], meter[3])
    local level = level_of(meter[1], limit) + cost * PERIOD
    local over = level - burst * PERIOD
    if over > 0 then
      return string.format("0 %d %.0f", #gauges + index - 1, math.ceil(over / limit))
    end
    levels[index] = level
  end
  local answer = {"1"}
  for index, meter in ipairs(meters) do
    store(meter[1], levels[index], meter[2])
    answer[index + 1] = string.format("%.0f", levels[index])
  end
  for _, gauge in ipairs(gauges) do
    redis.call("ZADD", gauge[1], milliseconds + keep, lease)
    redis.call("PEXPIRE", gauge[1], keep + spare)
  end
  return table.concat(answer, " ")
end

local function leave(request)
  local lease, gauges, meters = request[2], request[3], request[4]
  for _, key in ipairs(gauges) do
    redis.call("ZREM", key, lease)
  end
  for _, meter in ipairs(meters) do
    local level = math.max(0, level_of(meter[1], meter[2]) + meter[3] * PERIOD)
    if level > 0 then
      store(meter[1], level, meter[2])
    else
      redis.call("DEL", meter[1])
    end
  end
  return "1"
end

local function renew(request)
  local keep = request[2]
  for _, gauge in ipairs(request[3]) do
    for _, lease in ipairs(gauge[2]) do
      redis.call("ZADD", gauge[1], milliseconds + keep, lease)
    end
    redis.call("PEXPIRE", gauge[1], keep + spare)
  end
  return "1"
end

local actions = {enter = enter, leave = leave, renew = renew}
local answers = {}
for index, request in ipairs(cjson.decode(ARGV[1])) do
  answers[index] = actions[request[1]](request)
end
return table.concat(answers, "\n")
