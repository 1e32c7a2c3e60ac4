-- One budget that several gateways share. Run with the name of the budget as its only key; every
-- other key is made from it and lies in the same slot of a cluster.
--
--   KEYS[1]:state          hash: epoch, born, paced_at, and what each priority was granted lately
--   KEYS[1]:nodes          hash: node -> seen;paused_until;allowed;waiting by priority
--   KEYS[1]:held:<node>    sorted set: place -> the time from which it counts no more
--
-- Times are in microseconds of this server's clock; what comes from gateways are spans.

local base = KEYS[1]
local node, verb = ARGV[1], ARGV[2]
local limit, span, bound, round = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local kept, floor, replicas = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local shares = { tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13]) }
local own_allowed, own_pause, own_epoch, from = tonumber(ARGV[14]), tonumber(ARGV[15]), ARGV[16], tonumber(ARGV[17])
local rest = 18

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local state, nodes = base .. ':state', base .. ':nodes'
local own = base .. ':held:' .. node

-- So much may any priority take without a pause, in percent of the limit; see UNPACED in the gateway.
local unpaced = { 100, 75, 50, 25 }
-- Most places in one answer.
local most = 256

local epoch = redis.call('HGET', state, 'epoch')
if not epoch then
    epoch = string.format('%.0f', now)
    redis.call('HSET', state, 'epoch', epoch, 'born', epoch)
end

-- As SILENT_ROUNDS in the gateway.
local silent_after = round * 4

-- Nobody was heard for a while: then it was this server that was away, and all of them may be there
-- and go on with their parts.
local heard = tonumber(redis.call('HGET', state, 'heard') or now)
if now - heard >= silent_after then
    local all = redis.call('HGETALL', nodes)
    for i = 1, #all, 2 do
        local seen, others = string.match(all[i + 1], '^(%d+)(;.*)$')
        seen = math.min(tonumber(seen) + now - heard, now - silent_after)
        redis.call('HSET', nodes, all[i], string.format('%.0f', seen) .. others)
    end
end
redis.call('HSET', state, 'heard', string.format('%.0f', now))

local function keep(key)
    redis.call('PEXPIRE', key, math.ceil(bound * 2 / 1000))
end

local waiting, wanted = { 0, 0, 0, 0 }, 0
local adopted, leaves, ceiling = 0, false, 0
if verb == 'adopt' then
    -- own: open, then in how long each of the others counts no more
    redis.call('DEL', own)
    adopted = tonumber(ARGV[rest])
    for i = 0, adopted - 1 do
        redis.call('ZADD', own, now + bound, from + i)
    end
    for i = rest + 1, #ARGV do
        redis.call('ZADD', own, now + tonumber(ARGV[i]), 'c' .. (i - rest))
    end
elseif own_epoch ~= epoch then
    return { epoch, 0, 0, 0, 0, 1 }
else
    -- own: waiting by priority, whether it goes, ceiling, wanted, how many are settled, pairs of number and age, returned
    for p = 1, 4 do
        waiting[p] = tonumber(ARGV[rest + p - 1])
    end
    leaves = ARGV[rest + 4] == '1'
    ceiling = tonumber(ARGV[rest + 5])
    wanted = tonumber(ARGV[rest + 6])
    local settled = tonumber(ARGV[rest + 7])
    local at = rest + 8
    for _ = 1, settled do
        redis.call('ZADD', own, 'XX', now - tonumber(ARGV[at + 1]) + span, ARGV[at])
        at = at + 2
    end
    for i = at, #ARGV do
        redis.call('ZREM', own, ARGV[i])
    end
end

-- What all have.
local total, reserve, live, silent = 0, 0, 1, 0
local own_held, first = 0, nil
local allowed, paused_until = math.min(limit, own_allowed), now + own_pause
local queue = { waiting[1], waiting[2], waiting[3], waiting[4] }
local unheard = {}
local all = redis.call('HGETALL', nodes)
local seen_own = false
for i = 1, #all, 2 do
    local name = all[i]
    local held = base .. ':held:' .. name
    redis.call('ZREMRANGEBYSCORE', held, '-inf', now)
    local count = redis.call('ZCARD', held)
    local soonest = redis.call('ZRANGE', held, 0, 0, 'WITHSCORES')
    if soonest[2] and (not first or tonumber(soonest[2]) < first) then
        first = tonumber(soonest[2])
    end
    if name == node then
        seen_own = true
        own_held = count
        total = total + count
    else
        local fields = {}
        for field in string.gmatch(all[i + 1], '[^;]+') do
            fields[#fields + 1] = tonumber(field)
        end
        local quiet = now - fields[1]
        if quiet < silent_after then
            live = live + 1
            total = total + count
            reserve = reserve + math.max(0, floor - count)
            allowed = math.min(allowed, fields[3])
            paused_until = math.max(paused_until, fields[2])
            if quiet < round * 2 then
                for p = 1, 4 do
                    queue[p] = queue[p] + fields[3 + p]
                end
            end
        elseif quiet < bound then
            silent = silent + 1
            unheard[#unheard + 1] = count
        elseif count == 0 then
            redis.call('HDEL', nodes, name)
        else
            total = total + count
        end
    end
end
if not seen_own then
    redis.call('ZREMRANGEBYSCORE', own, '-inf', now)
    own_held = redis.call('ZCARD', own)
    total = total + own_held
end
-- Who has fallen silent may be cut off, and goes on with its part.
local share = math.max(1, math.floor(limit / math.max(replicas, live + silent)))
for _, count in ipairs(unheard) do
    total = total + math.max(count, share)
end

-- While this server may not know all that was used before it began, each has its part, and no more
-- than it had before.
local born = tonumber(redis.call('HGET', state, 'born'))
local is_young = now < born + bound

local turns = redis.call('HMGET', state, 'g1', 'g2', 'g3', 'g4', 'paced_at')
local granted = {}
for p = 1, 4 do
    granted[p] = tonumber(turns[p] or '0') or 0
end
local paced_at = tonumber(turns[5] or '0') or 0

local function free_for(p)
    local ceiling = allowed
    if p > 1 then
        ceiling = math.max(1, allowed - kept)
    end
    return ceiling - total - reserve
end

local function may_go(p)
    return free_for(p) > 0
        and (now >= paced_at or total < math.floor(math.max(1, allowed - (p > 1 and kept or 0)) * unpaced[p] / 100))
end

local function turn()
    local sum = granted[1] + granted[2] + granted[3] + granted[4]
    local urgent
    for p = 1, 4 do
        if queue[p] > 0 and may_go(p) then
            if granted[p] * 100 < sum * shares[p] then
                return p
            end
            urgent = urgent or p
        end
    end
    return urgent
end

local function lease(count)
    for i = 0, count - 1 do
        redis.call('ZADD', own, now + bound, from + i)
    end
end

local leased = 0
if verb == 'round' and now >= paused_until then
    while leased < most and not (is_young and own_held >= ceiling) do
        local p = turn()
        if not p or waiting[p] == 0 then
            break
        end
        waiting[p] = waiting[p] - 1
        queue[p] = queue[p] - 1
        leased = leased + 1
        total = total + 1
        own_held = own_held + 1
        for q = 1, 4 do
            granted[q] = granted[q] - math.floor(granted[q] / 64)
        end
        granted[p] = granted[p] + 65536
        local pace = span / allowed
        local free = allowed - total
        if first and first > now and free > 0 then
            pace = math.max(pace, (first - now) / free)
        end
        paced_at = math.min(math.max(paced_at + pace, now), now + pace)
    end
    if wanted > 0 and queue[1] + queue[2] + queue[3] + queue[4] == 0 then
        local room = math.floor(allowed / 2) - total - reserve
        local stock = math.min(wanted, math.floor(room / (2 * live)), most - leased)
        if is_young then
            stock = math.min(stock, ceiling - own_held)
        end
        if stock > 0 then
            leased = leased + stock
            total = total + stock
        end
    end
    lease(leased)
    redis.call('HSET', state, 'g1', granted[1], 'g2', granted[2], 'g3', granted[3], 'g4', granted[4],
        'paced_at', string.format('%.0f', paced_at))
end

if leaves then
    -- It has nothing, and will have nothing until it is heard again.
    redis.call('HDEL', nodes, node)
else
    redis.call('HSET', nodes, node, string.format('%.0f;%.0f;%.0f;%d;%d;%d;%d', now, now + own_pause,
        own_allowed, waiting[1], waiting[2], waiting[3], waiting[4]))
end
keep(state)
keep(nodes)
keep(own)

-- When to ask again.
local again = round
if waiting[1] + waiting[2] + waiting[3] + waiting[4] > 0 then
    local at
    if now < paused_until then
        at = paused_until
    elseif allowed - total - reserve <= 0 then
        at = first or now
    elseif now < paced_at then
        at = paced_at
    else
        -- It is another gateway's turn.
        at = now + round / 4
    end
    again = math.max(0, math.min(at - now, round))
end
return { epoch, 1, leased + adopted, total, math.ceil(again), live }
