-- The world that scripts see. It is run once per interpreter, with what Rust brings in `host`; what scripts are given is
-- what it says here and nothing else.
--
-- Lua 5.1 has no readonly tables. A table that scripts may read only is *veiled*: they hold an empty proxy in its place,
-- and whatever goes around metatables (rawset, next, table.insert, ...) is told of it.

local host = ...
local error, type, tostring, setmetatable, getmetatable = error, type, tostring, setmetatable, getmetatable
local rawget, rawset, next, setfenv, xpcall, select = rawget, rawset, next, setfenv, xpcall, select
local raw_pcall, raw_loadstring, raw_pairs, raw_ipairs = pcall, loadstring, pairs, ipairs
local resume = coroutine.resume
local byte, format, concat, insert, remove = string.byte, string.format, table.concat, table.insert, table.remove
local floor, ceil = math.floor, math.ceil

local caught = host.caught

-- More elements than these are not unpacked.
local UNPACK_MAX = 8000
local READONLY = "Attempt to modify a readonly table"
-- Weak both ways: the proxy keeps what it veils, and nothing else needs to.
local unveiled = setmetatable({}, { __mode = "kv" })

local function deny()
    error(READONLY, 2)
end

local function veil(real)
    local proxy = {}
    unveiled[proxy] = real
    return setmetatable(proxy, { __index = real, __newindex = deny })
end

-- Raises an error of the server, which says nothing of where it was raised.
local function fail(text)
    host.fail("ERR " .. text)
end

-- Refuses an argument as Lua does, where the function that was given it was called. What may be anything has no `want`.
local function refuse_argument(number, name, want, count, value)
    local given = number > count and "no value" or type(value)
    local why = want and format("%s expected, got %s", want, given) or "value expected"
    error(format("bad argument #%d to '%s' (%s)", number, name, why), 3)
end

local world = {}
for _, name in raw_ipairs {
    "assert", "collectgarbage", "error", "gcinfo", "ipairs", "rawequal", "select", "tonumber", "tostring", "type",
    "_VERSION",
} do
    world[name] = _G[name]
end
setmetatable(world, {
    __index = function(_, name)
        error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
    end,
})
local globals = veil(world)
world._G = globals
-- A function library is loaded into a world of its own, which knows `register_function` and no commands.

function world.next(...)
    local t, key = ...
    if type(t) ~= "table" then
        refuse_argument(1, "next", "table", select("#", ...), t)
    end
    return next(unveiled[t] or t, key)
end

function world.pairs(...)
    local t = ...
    if type(t) ~= "table" then
        refuse_argument(1, "pairs", "table", select("#", ...), t)
    end
    local real = unveiled[t]
    if real then
        return next, real, nil
    end
    return raw_pairs(t)
end

function world.rawget(...)
    local t, key = ...
    local count = select("#", ...)
    if type(t) ~= "table" then
        refuse_argument(1, "rawget", "table", count, t)
    elseif count < 2 then
        refuse_argument(2, "rawget", nil, count)
    end
    return rawget(unveiled[t] or t, key)
end

function world.rawset(...)
    local t, key, value = ...
    if unveiled[t] then
        fail(READONLY)
    end
    local count = select("#", ...)
    if type(t) ~= "table" then
        refuse_argument(1, "rawset", "table", count, t)
    elseif count < 3 then
        refuse_argument(count + 1, "rawset", nil, count)
    end
    return rawset(t, key, value)
end

function world.setmetatable(...)
    local t, meta = ...
    if unveiled[t] then
        fail(READONLY)
    end
    local count = select("#", ...)
    if type(t) ~= "table" then
        refuse_argument(1, "setmetatable", "table", count, t)
    elseif count < 2 or (meta ~= nil and type(meta) ~= "table") then
        error("bad argument #2 to 'setmetatable' (nil or table expected)", 2)
    end
    return setmetatable(t, meta)
end

local metatables = setmetatable({ [host.array_metatable] = veil(host.array_metatable) }, { __mode = "k" })
function world.getmetatable(...)
    local t = ...
    if select("#", ...) == 0 then
        refuse_argument(1, "getmetatable", nil, 0)
    end
    local meta = getmetatable(t)
    if type(meta) ~= "table" or (type(t) == "table" and not unveiled[t] and meta ~= host.array_metatable) then
        return meta
    end
    -- Those of the veiled tables and of the basic types are everybody's.
    local veiled = metatables[meta]
    if not veiled then
        veiled = veil { __index = meta.__index }
        metatables[meta] = veiled
    end
    return veiled
end

-- A table that was raised is an error of the server: who catches it is given its text.
local function outcome(ok, failure, ...)
    if ok then
        return ok, failure, ...
    end
    failure = caught(failure)
    if type(failure) == "table" then
        return false, failure.err
    end
    return false, failure
end

function world.pcall(...)
    return outcome(raw_pcall(...))
end

function world.xpcall(...)
    local f, handler = ...
    local count = select("#", ...)
    if count < 2 then
        refuse_argument(2, "xpcall", nil, count)
    end
    return xpcall(f, function(failure)
        return handler(caught(failure))
    end)
end

-- Text only: bytecode can break out of any sandbox.
local function load_text(text, name)
    if type(text) == "string" and byte(text) == 27 then
        return nil, "bytecode is not loaded"
    end
    local chunk, failure = raw_loadstring(text, name)
    return chunk and setfenv(chunk, globals), failure
end

function world.loadstring(...)
    local text, name = ...
    if type(text) ~= "string" and type(text) ~= "number" then
        refuse_argument(1, "loadstring", "string", select("#", ...), text)
    end
    return load_text(text, name)
end

function world.load(...)
    local reader, name = ...
    if type(reader) ~= "function" then
        refuse_argument(1, "load", "function", select("#", ...), reader)
    end
    local pieces = {}
    while true do
        local piece = reader()
        if piece == nil or piece == "" then
            break
        end
        pieces[#pieces + 1] = piece
    end
    return load_text(concat(pieces), name or "=(load)")
end

-- A call in tail position loses the line of a caller of Lua's functions; those that are called seldom keep it.
for _, name in raw_ipairs { "getmetatable", "load", "loadstring", "rawget", "rawset", "setmetatable" } do
    world[name] = host.outside(world[name])
end

-- The interpreter counts what it is to unpack in 32 bits, and writes beyond its stack when the count passes them.
local raw_unpack = unpack
function world.unpack(...)
    local t, from, to = ...
    if type(t) ~= "table" then
        refuse_argument(1, "unpack", "table", select("#", ...), t)
    end
    local count = (tonumber(to) or #t) - (tonumber(from) or 1)
    if not (count < UNPACK_MAX) then
        error("too many results to unpack", 2)
    end
    -- What it is given and what it answers share the stack.
    if from == nil and to == nil then
        return raw_unpack(t)
    end
    return raw_unpack(t, from, to)
end

-- The interpreter's own functions for patterns cannot be ended.
string.find, string.match, string.gsub = host.strings.find, host.strings.match, host.strings.gsub
local advance = host.strings.advance
string.gmatch = host.strings.gmatch_by(function(text, pattern)
    local at = 0
    local function found(behind, ...)
        at = behind or #text + 1
        return ...
    end
    return function()
        return found(advance(text, pattern, at))
    end
end)
string.gfind = string.gmatch

string.rep = host.strings.rep

-- A number as a C function that wants an `int` takes it.
local function int(n)
    n = tonumber(n)
    if not n then
        return nil
    end
    if not (n > -2 ^ 63 and n < 2 ^ 63) then
        return 0
    end
    n = (n < 0 and ceil(n) or floor(n)) % 2 ^ 32
    return n < 2 ^ 31 and n or n - 2 ^ 32
end

-- More elements than these are moved here and not in C, so that the interpreter looks at the time meanwhile. (A position
-- before the first element moves all places from there on.)
local FAR = 10000
local tables = {}
for name, fn in raw_pairs(table) do
    tables[name] = fn
end
function tables.insert(...)
    local t, at, value = ...
    local count = select("#", ...)
    if unveiled[t] then
        error(READONLY, 2)
    elseif type(t) ~= "table" then
        refuse_argument(1, "insert", "table", count, t)
    elseif count ~= 2 and count ~= 3 then
        error("wrong number of arguments to 'insert'", 2)
    end
    local position = count == 3 and int(at)
    if not position or #t + 1 - position <= FAR then
        return insert(...)
    end
    for n = #t + 1, position + 1, -1 do
        rawset(t, n, rawget(t, n - 1))
    end
    rawset(t, position, value)
end

function tables.remove(...)
    local t, at = ...
    if type(t) ~= "table" then
        refuse_argument(1, "remove", "table", select("#", ...), t)
    end
    local position = int(at)
    if not position or position < 1 or #t - position <= FAR then
        return remove(...)
    end
    local last, value = #t, rawget(t, position)
    for n = position, last - 1 do
        rawset(t, n, rawget(t, n + 1))
    end
    rawset(t, last, nil)
    return value
end

local maths = {}
for name, fn in raw_pairs(math) do
    maths[name] = fn
end
maths.random, maths.randomseed = host.chance.random, host.chance.randomseed

world.string, world.table, world.math = veil(string), veil(tables), veil(maths)
local coroutines = {}
for name, fn in raw_pairs(coroutine) do
    coroutines[name] = fn
end
local function resumed(ok, failure, ...)
    if ok then
        return ok, failure, ...
    end
    return false, caught(failure)
end
function coroutines.resume(...)
    if type((...)) ~= "thread" then
        error("bad argument #1 to 'resume' (coroutine expected)", 2)
    end
    return resumed(resume(...))
end
world.coroutine = veil(coroutines)
world.os = veil { clock = os.clock }
for name, library in raw_pairs(host.libraries) do
    world[name] = veil(library)
end

-- Scripts know the server by two names; the errors they get are those of the one they use.
local function api_of(name, call, pcall)
    local api = {
        LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
        REPL_NONE = 0, REPL_AOF = 1, REPL_SLAVE = 2, REPL_REPLICA = 2, REPL_ALL = 3,
        REDIS_VERSION = host.version, REDIS_VERSION_NUM = host.version_number,
        SERVER_NAME = "redis", SERVER_VERSION = host.version, SERVER_VERSION_NUM = host.version_number,
        call = call, pcall = pcall,
    }

    function api.sha1hex(...)
        if select("#", ...) ~= 1 then
            fail "wrong number of arguments"
        end
        local text = ...
        -- What is no text counts as none.
        return host.sha1hex((type(text) == "string" or type(text) == "number") and text or "")
    end

    -- Replies of one field.
    local function is_text(...)
        return select("#", ...) == 1 and type((...)) == "string"
    end

    function api.error_reply(...)
        if not is_text(...) then
            return { err = "ERR wrong number or type of arguments" }
        end
        return { err = host.error_text((...)) }
    end

    function api.status_reply(...)
        if not is_text(...) then
            return { err = "ERR wrong number or type of arguments" }
        end
        return { ok = (...) }
    end

    function api.log(...)
        if select("#", ...) < 2 then
            fail(name .. ".log() requires two arguments or more.")
        end
        local level = ...
        if type(level) ~= "number" then
            fail "First argument must be a number (log level)."
        end
        if level < api.LOG_DEBUG or level > api.LOG_WARNING then
            fail "Invalid log level."
        end
        local words = {}
        for at = 2, select("#", ...) do
            local word = select(at, ...)
            if type(word) == "string" or type(word) == "number" then
                words[#words + 1] = word
            end
        end
        host.log(level, concat(words, " "))
    end

    function api.setresp(...)
        if select("#", ...) ~= 1 then
            fail(name .. ".setresp() requires one argument.")
        end
        local version = ...
        if version ~= 2 and version ~= 3 then
            fail "RESP version must be 2 or 3."
        end
        host.setresp(version)
    end

    function api.set_repl(...)
        if select("#", ...) ~= 1 then
            fail(name .. ".set_repl() requires one argument.")
        end
        local flags = tonumber((...)) or 0
        if flags < 0 or flags > 3 then
            fail "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."
        end
    end

    function api.replicate_commands()
        return true
    end

    function api.breakpoint()
        return false
    end

    function api.debug() end

    function api.acl_check_cmd(...)
        if select("#", ...) == 0 then
            fail("Please specify at least one argument for this " .. name .. ".acl_check_cmd() call")
        end
        return host.acl_check_cmd(name, ...)
    end

    -- A call in tail position would lose the caller's line if these were functions of Lua.
    for field, value in raw_pairs(api) do
        if type(value) == "function" and field ~= "call" and field ~= "pcall" then
            api[field] = host.outside(value)
        end
    end
    return api
end

local apis = {
    redis = api_of("redis", host.call, host.pcall),
    server = api_of("server", host.server_call, host.server_pcall),
}
for name, api in raw_pairs(apis) do
    world[name] = veil(api)
end

-- What is raised reaches Rust as a table that says where it was raised.
local function locate(failure)
    failure = host.seen(failure)
    if type(failure) ~= "table" then
        failure = { err = "ERR " .. tostring(failure) }
    end
    local source, line = host.where()
    if source then
        failure.source, failure.line = source, line
    end
    return failure
end

function host.run(script, keys, arguments)
    world.KEYS, world.ARGV = keys, arguments
    return xpcall(script, locate)
end

function host.run_function(callback, keys, arguments)
    return xpcall(function()
        return callback(keys, arguments)
    end, locate)
end

-- Loading a library: it sees no commands, and `register_function` instead. Afterwards it is a library like any script.
local while_loading = {
    "call", "pcall", "setresp", "set_repl", "replicate_commands", "breakpoint", "debug", "acl_check_cmd",
}

-- What scripts set in `cjson` holds for scripts, what libraries and their functions set, for these.
local cjson_of_functions = veil(host.libraries.cjson.new())

function host.run_library(chunk)
    local scope = {}
    for name, value in raw_pairs(world) do
        scope[name] = value
    end
    scope.cjson = cjson_of_functions
    scope.KEYS, scope.ARGV, scope.math, scope.getmetatable = nil, nil, nil, nil
    for name, api in raw_pairs(apis) do
        local loading = {}
        for field, value in raw_pairs(api) do
            loading[field] = value
        end
        for _, field in raw_ipairs(while_loading) do
            loading[field] = nil
        end
        loading.register_function = host.registrars[name]
        scope[name] = veil(setmetatable(loading, getmetatable(world)))
    end
    setmetatable(scope, getmetatable(world))
    local during = veil(scope)
    scope._G = during
    setfenv(chunk, during)
    local ok, failure = xpcall(chunk, locate)
    for name in raw_pairs(apis) do
        scope[name] = world[name]
    end
    scope.math, scope.getmetatable = world.math, world.getmetatable
    return ok, failure
end

host.globals, host.world = globals, world
