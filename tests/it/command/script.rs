//! EVAL and its like, SCRIPT.

use crate::{
    harness::{Session, check},
    instance::{Instance, Local, Server},
    process::Process,
    tree::{Tree, split_words},
};
use flagstone::command::Protocol;
use rustix::process::Signal;

#[test]
fn values_and_replies() {
    check(
        r#"
        > EVAL "return {KEYS[1], ARGV[1], 3.99, true, false}" 1 k a
        1) "k"
        2) "a"
        3) (integer) 3
        4) (integer) 1
        5) (nil)
        > EVAL "return redis.status_reply('FINE')" 0
        FINE
        > EVAL "return redis.error_reply('oops')" 0
        (error) ERR oops
        > EVAL "return redis.call('set', KEYS[1], 10 / 4)" 1 k
        OK
        > EVAL "return redis.call('get', KEYS[1])" 1 k
        "2.5"
        > EVAL "return redis.call('mget', KEYS[1], 'none')" 1 k
        1) "2.5"
        2) (nil)
        > EVAL "return {1, nil, 3}" 0
        1) (integer) 1
        > EVAL "local a = {} a[1] = 1 a.ok = 5 return a" 0
        1) (integer) 1
        "#,
    );
}

#[test]
fn loaded_scripts() {
    check(
        r#"
        > SCRIPT LOAD "return 1"
        "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
        > EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
        (integer) 1
        > EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0
        (integer) 1
        > EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
        (integer) 1
        > SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db abc
        1) (integer) 1
        2) (integer) 0
        > SCRIPT SHOW e0e1f9fabfc9d4800c877a703b823ac0578ff8db
        "return 1"
        > SCRIPT FLUSH
        OK
        > EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
        (error) NOSCRIPT No matching script. Please use EVAL.
        > SCRIPT LOAD "return ("
        (error) ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'
        > SCRIPT KILL
        (error) NOTBUSY No scripts in execution right now.
        "#,
    );
}

#[test]
fn errors_say_where() {
    check(
        r#"
        > EVAL "return foo" 0
        (error) ERR user_script:1: Script attempted to access nonexistent global variable 'foo' script: 47e30a5d10d5694f99208f9adc4fe3bf2450edbd, on @user_script:1.
        > EVAL "foo=1" 0
        (error) ERR user_script:1: Attempt to modify a readonly table script: 5bddd8336e5f711bfa499383fc73c17560c6250b, on @user_script:1.
        > EVAL "return redis.call('nope')" 0
        (error) ERR Unknown Redis command called from script script: f01f0776df71cc5b400c2268135aa7f30dce2e53, on @user_script:1.
        > EVAL "return {pcall(redis.call, 'nope')}" 0
        1) (nil)
        2) "ERR Unknown Redis command called from script"
        > EVAL "return redis.pcall('subscribe', 'a')" 0
        (error) ERR This Redis command is not allowed from script
        > EVAL "return 1" 2 a
        (error) ERR Number of keys can't be greater than number of args
        > EVAL "return 1" -1 a
        (error) ERR Number of keys can't be negative
        > EVAL_RO "return redis.call('set', 'a', 'b')" 0
        (error) ERR Write commands are not allowed from read-only scripts. script: 1ec5c8569e0cb2caa15ae94d564a56e22a60ce3e, on @user_script:1.
        "#,
    );
}

#[test]
fn undeclared_keys_and_other_databases() {
    check(
        r#"
        > SCRIPT LOAD "for i = 1, 50 do redis.call('incr', ARGV[1] .. i) end return redis.call('dbsize')"
        "9953954fb56398a69b1156e2c14c94566dee7020"
        > EVAL "for i = 1, 50 do redis.call('incr', 'k' .. i) end return redis.call('dbsize')" 0
        (integer) 50
        > EVAL "redis.call('select', 1) return redis.call('set', KEYS[1], 'v')" 1 k
        OK
        > EXISTS k
        (integer) 0
        > SELECT 1
        OK
        > GET k
        "v"
        "#,
    );
}

#[test]
fn a_script_never_waits() {
    check(
        r#"
        > EVAL "return redis.call('blpop', KEYS[1], 0)" 1 l
        (nil)
        "#,
    );
}

#[test]
fn inside_a_transaction() {
    check(
        r#"
        > MULTI
        OK
        > EVAL "return redis.call('incr', KEYS[1])" 1 n
        QUEUED
        > EVAL "return redis.call('incr', 'n')" 0
        QUEUED
        > EXEC
        1) (integer) 1
        2) (integer) 2
        "#,
    );
}

#[test]
fn tables_are_changed_as_by_lua() {
    check(
        r#"
        > EVAL "local t = {1, 2, 3} table.insert(t, 2, 'a') table.insert(t, 9, 'b') table.insert(t, 0, 'c') return {t[0], t[1] == nil, t[2], t[3], t[4], t[5], t[9]}" 0
        1) "c"
        2) (integer) 1
        3) (integer) 1
        4) "a"
        5) (integer) 2
        6) (integer) 3
        7) "b"
        > EVAL "local t = {} for n = 1, 20000 do t[n] = n end table.insert(t, '3.9', 'a') local gone = table.remove(t, 2) return {#t, gone, t[1], t[2], t[3], t[20000]}" 0
        1) (integer) 20000
        2) (integer) 2
        3) (integer) 1
        4) "a"
        5) (integer) 3
        6) (integer) 20000
        > EVAL "local t = {5} table.insert(t, -20000, 'a') return {t[-20000], tostring(t[1]), t[2]}" 0
        1) "a"
        2) "nil"
        3) (integer) 5
        > EVAL "local t = {1, 2} return {table.remove(t), table.remove(t, 7) == nil, table.remove(t, 1), #t}" 0
        1) (integer) 2
        2) (integer) 1
        3) (integer) 1
        4) (integer) 0
        > EVAL "local t = {} for n = 1, 7999 do t[n] = n end return redis.call('RPUSH', KEYS[1], unpack(t))" 1 l
        (integer) 7999
        > EVAL "return {string.rep('', 2^31 - 1), string.rep('ab', '2'), string.rep(1, 2)}" 0
        1) ""
        2) "abab"
        3) "11"
        > EVAL "return {select(2, pcall(string.rep)), select(2, pcall(string.rep, 'a', {}))}" 0
        1) "bad argument #1 to 'rep' (string expected, got no value)"
        2) "bad argument #2 to 'rep' (number expected, got table)"
        "#,
    );
}

#[test]
fn json() {
    check(
        r##"
        > EVAL "return cjson.encode({1, 'a/b', {x = 1.5}, cjson.null, true, {}})" 0
        "[1,\"a\\/b\",{\"x\":1.5},null,true,{}]"
        > EVAL "return cjson.encode({['1'] = 'a\\n\\001\\127'})" 0
        "{\"1\":\"a\\n\\u0001\\u007f\"}"
        > EVAL "local d = cjson.decode(ARGV[1]) return {d.a[2], d.b.c, d.e == cjson.null, #d.a}" 0 '{"a": [1, "two", 3e2], "b": {"c": "\u00e9\ud83d\ude00"}, "e": null}'
        1) "two"
        2) "\xc3\xa9\xf0\x9f\x98\x80"
        3) (integer) 1
        4) (integer) 3
        > EVAL "local _, text = pcall(cjson.decode, '[1,') return text" 0
        "Expected value but found T_END at character 4"
        > EVAL "return cjson.decode('{1:2}')" 0
        > EVAL "return cjson.encode({[1] = 1, [1000] = 2})" 0
        > EVAL "local t = {} t.t = t return cjson.encode(t)" 0
        > EVAL "return pcall(cjson.decode, string.rep('[', 100000))" 0
        (nil)
        > EVAL "return cjson.encode(cjson.decode('{\"a\":[]}'))" 0
        "{\"a\":{}}"
        > EVAL "cjson.decode_array_with_array_mt(true) return cjson.encode(cjson.decode('[[],{},[[1]]]'))" 0
        "[[],{},[[1]]]"
        > EVAL "local t = cjson.decode('[1,2]') t[1], t[2] = nil, nil return cjson.encode(t)" 0
        "[]"
        > EVAL "return cjson.encode(setmetatable({}, {__is_cjson_array = true}))" 0
        "[]"
        > EVAL "local meta = getmetatable(cjson.decode('[]')) return {tostring(meta.__is_cjson_array), select(2, pcall(function() meta.x = 1 end))}" 0
        1) "true"
        2) "user_script:1: Attempt to modify a readonly table"
        > EVAL "return tostring(cjson.decode_array_with_array_mt(false)) .. tostring(getmetatable(cjson.decode('[]')))" 0
        "falsenil"
        # Functions have settings of their own.
        > EVAL "return cjson.encode_number_precision(3)" 0
        (integer) 3
        > FUNCTION LOAD "#!lua name=json\n redis.register_function('precision', function() return cjson.encode_number_precision() end)"
        "json"
        > FCALL precision 0
        (integer) 14
        > FUNCTION DELETE json
        OK
        > EVAL "return cjson.encode_number_precision(14)" 0
        (integer) 14
        > EVAL "return cjson.encode(1/0)" 0
        > EVAL "return cjson.encode(0.1) .. cjson.encode(1e15) .. cjson.encode(-7)" 0
        "0.11e+15-7"
        "##,
    );
}

#[test]
fn message_pack() {
    check(
        r#"
        > EVAL "return cmsgpack.pack({1, -2, 'abc', true, {a = 300}})" 0
        "\x95\x01\xfe\xa3abc\xc3\x81\xa1a\xcd\x01,"
        > EVAL "return cmsgpack.unpack(ARGV[1])" 0 "\x95\x01\xfe\xa3abc\xc3\x81\xa1a\xcd\x01,"
        1) (integer) 1
        2) (integer) -2
        3) "abc"
        4) (integer) 1
        5) (empty array)
        > EVAL "return {cmsgpack.unpack_one(cmsgpack.pack(1, 2, 3))}" 0
        1) (integer) 1
        2) (integer) 1
        > EVAL "return {cmsgpack.unpack_limit(cmsgpack.pack(1, 2, 3), 5, 1)}" 0
        1) (integer) -1
        2) (integer) 2
        3) (integer) 3
        > EVAL "return pcall(cmsgpack.unpack, '\\221')" 0
        (nil)
        > EVAL "return pcall(cmsgpack.unpack, '\\221' .. '\\219\\255\\255\\255\\255')" 0
        (nil)
        > EVAL "return cmsgpack.pack(1.5, 2^40, 0.1)" 0
        "\xca?\xc0\x00\x00\xcf\x00\x00\x01\x00\x00\x00\x00\x00\xcb?\xb9\x99\x99\x99\x99\x99\x9a"
        "#,
    );
}

#[test]
fn structs_and_bits() {
    check(
        r#"
        > EVAL "return {struct.unpack('>hBs', struct.pack('>hBs', -2, 200, 'abc'))}" 0
        1) (integer) -2
        2) (integer) 200
        3) "abc"
        4) (integer) 8
        > EVAL "return struct.pack('<I3bc2', 66051, -1, 'xyz')" 0
        "\x03\x02\x01\xffxy"
        > EVAL "return {struct.unpack('Bc0', struct.pack('Bc0', 3, 'abc'))}" 0
        1) "abc"
        2) (integer) 5
        > EVAL "return struct.size('!8 b i8 d')" 0
        (integer) 24
        > EVAL "return pcall(struct.unpack, 'i100', 'a')" 0
        (nil)
        > EVAL "return pcall(struct.pack, '!3 i', 1)" 0
        (nil)
        > EVAL "return {bit.band(0xff, 0x0f, 7), bit.bor(1, 2), bit.bxor(5, 1), bit.bnot(0), bit.lshift(1, 31), bit.rshift(-1, 28), bit.arshift(-8, 1), bit.rol(0x12345678, 12), bit.bswap(1), bit.tobit(2^40 + 5)}" 0
        1) (integer) 7
        2) (integer) 3
        3) (integer) 4
        4) (integer) -1
        5) (integer) -2147483648
        6) (integer) 15
        7) (integer) -4
        8) (integer) 1164411171
        9) (integer) 16777216
        10) (integer) 5
        > EVAL "return bit.tohex(255) .. bit.tohex(-1, -4)" 0
        "000000ffFFFF"
        "#,
    );
}

#[test]
fn libraries_of_functions() {
    check(
        r##"
        > FUNCTION LOAD "#!lua name=mylib\nredis.register_function('put', function(keys, args) return redis.call('set', keys[1], args[1]) end)\nredis.register_function{function_name='get', callback=function(keys) return redis.call('get', keys[1]) end, description='reads', flags={'no-writes'}}"
        "mylib"
        > FCALL put 1 k v
        OK
        > FCALL_RO get 1 k
        "v"
        > FCALL_RO put 1 k v
        (error) ERR Can not execute a script with write flag using *_ro command.
        > FCALL none 0
        (error) ERR Function not found
        > FCALL get x
        (error) ERR Bad number of keys provided
        > FCALL get 2 a
        (error) ERR Number of keys can't be greater than number of args
        > FCALL get -1
        (error) ERR Number of keys can't be negative
        > FUNCTION LIST LIBRARYNAME my*
        1) 1# "library_name" => "mylib"
           2# "engine" => "LUA"
           3# "functions" =>
              1) 1# "name" => "get"
                 2# "description" => "reads"
                 3# "flags" =>
                    1~ no-writes
              2) 1# "name" => "put"
                 2# "description" => (nil)
                 3# "flags" => (empty set)
        > FUNCTION LIST LIBRARYNAME other
        (empty array)
        > FUNCTION LOAD "#!lua name=mylib\nredis.register_function('put', function() end)"
        (error) ERR Library 'mylib' already exists
        > FUNCTION LOAD "#!lua name=other\nredis.register_function('put', function() end)"
        (error) ERR Function put already exists
        > FUNCTION LOAD REPLACE "#!lua name=mylib\nredis.register_function('one', function() return 1 end)"
        "mylib"
        > FCALL one 0
        (integer) 1
        > FCALL put 1 k v
        (error) ERR Function not found
        > FUNCTION LOAD "return 1"
        (error) ERR Missing library metadata
        > FUNCTION LOAD "#!lua name='bad name'\n"
        (error) ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long
        > FUNCTION LOAD "#!lua name='open\n"
        (error) ERR Invalid library metadata
        > FUNCTION LOAD "#!lua\nreturn 1"
        (error) ERR Library name was not given
        > FUNCTION LOAD "#!lua name=bad-name\nreturn 1"
        (error) ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long
        > FUNCTION LOAD "#!js name=x\nreturn 1"
        (error) ERR Engine 'js' not found
        > FUNCTION LOAD "#!lua name=x\nreturn 1"
        (error) ERR No functions registered
        > FUNCTION LOAD "#!lua name=x\nreturn ("
        (like) "ERR Error compiling function: user_function:2: unexpected symbol*"
        > FUNCTION LOAD "#!lua name=x\nredis.call('ping')"
        (like) "ERR Error registering functions: ERR user_function:2: *attempted to access nonexistent global variable 'call'"
        > FUNCTION LOAD "#!lua name=x\nredis.register_function('a')"
        (like) "ERR Error registering functions: ERR calling redis.register_function with a single argument*"
        > FUNCTION STATS
        1# "running_script" => (nil)
        2# "engines" =>
           1# "LUA" =>
              1# "libraries_count" => (integer) 1
              2# "functions_count" => (integer) 1
        > FUNCTION DELETE mylib
        OK
        > FUNCTION DELETE mylib
        (error) ERR Library not found
        > FUNCTION DUMP
        "\n\x00]\x9b\\@\x0f\x7f\xa2\xda"
        > FUNCTION RESTORE abc
        (error) ERR DUMP payload version or checksum are wrong
        > FUNCTION FLUSH
        OK
        > FUNCTION KILL
        (error) NOTBUSY No scripts in execution right now.
        "##,
    );
}

#[test]
fn a_script_without_end_is_ended() {
    let server = Server::start();
    let words = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
    let (mut runner, mut other) = (server.connect(Protocol::Resp2), server.connect(Protocol::Resp2));
    let mut ask = |request: &[&str]| {
        other.send(&words(request));
        other.try_receive().expect("a reply")
    };
    let begins = |reply: &Tree, text: &str| matches!(reply, Tree::Error(error) if error.starts_with(text));
    assert_eq!(ask(&["CONFIG", "SET", "busy-reply-threshold", "1"]), Tree::Simple("OK".into()));
    for n in 0..10_000 {
        ask(&["SET", &format!("key:{n}"), "v"]);
    }
    for (script, killable) in [
        ("while true do pcall(function() while true do end end) end", true),
        ("table.insert({}, 2^31, 1)", true),
        // What takes its time here are the calls: all of it is less than a look's instructions.
        ("for i = 1, 5000 do redis.call('keys', '*') end", true),
        ("return string.find(string.rep('a', 60), string.rep('a*', 30) .. 'b')", true),
        ("for _ in string.gmatch(string.rep('a', 60), string.rep('a?', 60) .. 'b') do end", true),
        ("pcall(string.gsub, string.rep('a', 60), string.rep('a-', 30) .. 'b', '') return 1", true),
        ("redis.call('set', KEYS[1], 'v') for i = 1, 100000000 do end return 'done'", false),
    ] {
        runner.send(&words(&["EVAL", script, "1", "k"]));
        while !begins(&ask(&["PING"]), "BUSY") {}
        assert!(begins(&ask(&["GET", "k"]), "BUSY"));
        assert!(begins(&ask(&["FUNCTION", "KILL"]), "BUSY"));
        let killed = ask(&["SCRIPT", "KILL"]);
        let reply = runner.try_receive().expect("a reply");
        if killable {
            assert_eq!(killed, Tree::Simple("OK".into()));
            assert!(begins(&reply, "ERR Script killed by user with SCRIPT KILL"), "{reply:?}");
        } else {
            assert!(begins(&killed, "UNKILLABLE") || begins(&killed, "NOTBUSY"), "{killed:?}");
            assert_eq!(reply, Tree::Bulk(b"done".to_vec()));
        }
        assert_eq!(ask(&["PING"]), Tree::Simple("PONG".into()));
    }
}

#[test]
fn libraries_outlive_the_server() {
    let dir = tempfile::tempdir().expect("a folder");
    let words = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
    let ask = |client: &mut crate::client::Client, request: &[&str]| {
        client.send(&words(request));
        client.try_receive().expect("a reply")
    };
    let code = "#!lua name=kept\nredis.register_function('seven', function() return 7 end)";
    let (mut process, mut client) = Process::start(dir.path(), &[]).connected();
    assert_eq!(ask(&mut client, &["FUNCTION", "LOAD", code]), Tree::Bulk(b"kept".to_vec()));
    process.signal(Signal::KILL);
    process.child.wait().expect("it has ended");
    let (mut process, mut client) = Process::start(dir.path(), &[]).connected();
    assert_eq!(ask(&mut client, &["FCALL", "seven", "0"]), Tree::Integer(7));
    assert_eq!(ask(&mut client, &["FUNCTION", "FLUSH"]), Tree::Simple("OK".into()));
    process.signal(Signal::KILL);
    process.child.wait().expect("it has ended");
    let (process, mut client) = Process::start(dir.path(), &[]).connected();
    assert_eq!(ask(&mut client, &["FUNCTION", "LIST"]), Tree::Array(Vec::new()));
    process.signal(Signal::KILL);
}

/// An interpreter lends out a few thousand values at a time.
#[test]
fn large_values() {
    check(
        r#"
        > EVAL "local t = {} for i = 1, 20000 do t[i] = 'x' .. i end return #cjson.decode(cjson.encode(t)) + #cmsgpack.unpack(cmsgpack.pack(t))" 0
        (integer) 40000
        > EVAL "local t = {} for i = 1, 20000 do t['x' .. i] = i end cjson.decode(cjson.encode(t)) cmsgpack.unpack(cmsgpack.pack(t)) return 1" 0
        (integer) 1
        > EVAL "for i = 1, 9000 do redis.call('rpush', KEYS[1], 'x' .. i) end return #redis.call('lrange', KEYS[1], 0, -1)" 1 l
        (integer) 9000
        > EVAL "local t = {} for i = 1, 7000 do t[i] = 'x' .. i end return redis.call('rpush', KEYS[1], unpack(t))" 1 l
        (integer) 16000
        > EVAL "local t = {} for i = 1, 9000 do t[i] = {'x' .. i} end redis.call('set', KEYS[1], #t) return t" 1 n
        > GET n
        "9000"
        > EVAL "local t = {} for i = 1, 9000 do t['x' .. i] = 'y' end redis.call('incr', KEYS[1]) return {map = t}" 1 n
        > GET n
        "9001"
        "#,
    );
}

/// Loading a library leaves nothing behind in the interpreter, which has an end: not even until garbage is collected, which
/// is long in coming where another library keeps much.
#[test]
fn libraries_loaded_again_and_again() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    let large = "#!lua name=large\nlocal t = {} for n = 1, 1000000 do t[n] = n end\nredis.register_function('last', function() return t[#t] end)";
    client.call(&["FUNCTION", "LOAD", large]);
    assert_eq!(client.call(&["FCALL", "last", "0"]), Tree::Integer(1_000_000));
    let code = "#!lua name=again\nredis.register_function('f', function() return 1 end)";
    for _ in 0..2400 {
        assert_eq!(client.call(&["FUNCTION", "LOAD", "REPLACE", code]), Tree::Bulk(b"again".to_vec()));
    }
    assert_eq!(client.call(&["FCALL", "f", "0"]), Tree::Integer(1));
}

/// One that says that it writes nothing goes on while writes are paused, known or not, in a transaction too.
#[test]
fn a_pause_of_writes_lets_scripts_that_only_read_go_on() {
    check(
        r##"
        > SET x y
        OK
        > CLIENT PAUSE 60000 WRITE
        OK
        > EVAL "#!lua flags=no-writes\n return redis.call('GET', KEYS[1])" 1 x
        "y"
        > MULTI
        OK
        > EVAL "#!lua flags=no-writes\n return 2" 0
        QUEUED
        > EXEC
        1) (integer) 2
        > CLIENT UNPAUSE
        OK
        "##,
    );
}

/// What a script publishes to its own client comes after its reply, also when a thread of its own has run it.
#[test]
fn a_script_is_answered_before_what_it_publishes() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp3);
    client.line("SUBSCRIBE c");
    for n in 0..20 {
        let script = format!("redis.call('PUBLISH', 'c', 'one') redis.call('PUBLISH', 'c', 'two') return {n}");
        assert_eq!(client.call(&["EVAL", &script, "0"]), Tree::Integer(n));
        for text in ["one", "two"] {
            let message = ["message", "c", text].map(|part| Tree::Bulk(part.into()));
            assert_eq!(client.receive(), Tree::Push(message.to_vec()));
        }
    }
}

#[test]
fn monitors_see_a_script_before_what_it_calls() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    let mut monitor = server.connect(Protocol::Resp2);
    monitor.line("MONITOR");
    client.line("EVAL \"return redis.call('SET', KEYS[1], 'v')\" 1 k");
    let line = |monitor: &mut crate::client::Client| match monitor.receive() {
        Tree::Simple(line) => line,
        other => panic!("no line: {other}"),
    };
    assert!(line(&mut monitor).contains("\"EVAL\""));
    assert!(line(&mut monitor).contains("lua] \"SET\" \"k\" \"v\""));
}

#[test]
fn a_function_that_uses_other_keys_than_it_declares_works() {
    check(
        r##"
        > FUNCTION LOAD "#!lua name=l\nredis.register_function('f', function(keys, args) redis.call('set', keys[1], 1) redis.call('set', 'b', 2) redis.call('set', args[1], 3) return redis.call('mget', keys[1], 'b', args[1]) end)"
        "l"
        > FCALL f 1 a c
        1) "1"
        2) "2"
        3) "3"
        > FUNCTION LOAD "#!lua name=m\nlocal function g(keys) local key = keys[1] return redis.call('incr', key) end redis.register_function('g', g)"
        "m"
        > FCALL g 1 a
        (integer) 2
        > fcall G 1 a
        (integer) 3
        "##,
    );
}

/// What the interpreter does not survive is kept from it.
#[test]
fn scripts_that_would_break_the_interpreter() {
    check(
        r#"
        > EVAL "return {unpack({1, 2, 3}, -2, 2147483647)}" 0
        (error) ERR user_script:1: too many results to unpack script: dccea1b531c7f3f9974a79a987da29d2cbed395c, on @user_script:1.
        > EVAL "return ({pcall(unpack, {1, 2, 3}, -2147483648, -2)})[2]" 0
        "too many results to unpack"
        > EVAL "return ({pcall(unpack, {}, 0/0, 5)})[2]" 0
        "too many results to unpack"
        > EVAL "local n = unpack(nil) return n" 0
        (error) ERR user_script:1: bad argument #1 to 'unpack' (table expected, got nil) script: 0166a007e49060679c76326c3d48eeb4bcf079f0, on @user_script:1.
        > EVAL "return {unpack({1, 2, 3}, 2)}" 0
        1) (integer) 2
        2) (integer) 3
        > EVAL "return {unpack({1, 2, 3}, '2', 2)}" 0
        1) (integer) 2
        > EVAL "return select('#', unpack({1, 2, 3}, -1, 5))" 0
        (integer) 7
        > EVAL "return select('#', unpack({1}, -2147483648, -2147483646))" 0
        (integer) 3
        > EVAL "return ({pcall(string.find, string.rep('a', 300000), string.rep('a?', 300000))})[2]" 0
        "pattern too complex"
        > EVAL "return ({pcall(string.gsub, 'a', string.rep('a-', 300000), '')})[2]" 0
        "pattern too complex"
        > EVAL "for word in string.gmatch('a') do end" 0
        (error) ERR user_script:1: bad argument #2 to 'gmatch' (string expected, got no value) script: d5d309fb6f67d7398f9f796ab17dac80b6f1b0b3, on @user_script:1.
        > EVAL "return {string.find('say (it)', '%((%a+)()', -6)}" 0
        1) (integer) 5
        2) (integer) 7
        3) "it"
        4) (integer) 8
        > EVAL "return string.gsub('hello', '(l)(l)', {l = '%1'}) .. string.gsub('ab', '%w', '%0%0-')" 0
        "he%1oaa-bb-"
        > EVAL "return string.match('x', '(x')" 0
        (error) ERR user_script:1: unfinished capture script: 1198991edaec5dd6d3bed90cfb299d35e4df3dfd, on @user_script:1.
        > EVAL "local at = string.find(nil, 'x') return at" 0
        (error) ERR user_script:1: bad argument #1 to 'find' (string expected, got nil) script: bd88074a1c65c44860c73343fe542446afd659b1, on @user_script:1.
        > EVAL "local text = 'a,b' return {text:match('(%a),(%a)')}" 0
        1) "a"
        2) "b"
        > EVAL "return {string.gsub('hello', 'l', 'L', 1)}" 0
        1) "heLlo"
        2) (integer) 1
        > EVAL "local words = {} for word in string.gmatch('one two', '%a+') do words[#words + 1] = word end return words" 0
        1) "one"
        2) "two"
        "#,
    );
}

/// Without the replicas that are asked for, scripts write as little as commands do; one that says that it may write does not run.
#[test]
fn scripts_need_the_replicas_that_writes_need() {
    check(
        r##"
        > SET x some
        OK
        > CONFIG SET min-replicas-to-write 1
        OK
        > EVAL "return redis.call('GET', KEYS[1])" 1 x
        "some"
        > EVAL "#!lua flags=no-writes\n return redis.call('GET', KEYS[1])" 1 x
        "some"
        > EVAL "#!lua\n return redis.call('GET', KEYS[1])" 1 x
        (error) NOREPLICAS Not enough good replicas to write.
        > EVAL "return redis.call('SET', KEYS[1], 'other')" 1 x
        (error) NOREPLICAS Not enough good replicas to write. script: e7b4f46f1d2c3d0ff1d3b58060270a7e539c7b35, on @user_script:1.
        > CONFIG SET min-replicas-to-write 0
        OK
        > GET x
        "some"
        "##,
    );
}

/// What a script's commands answer is counted when they answer it, whether the script makes something of it or not.
#[test]
fn errors_of_scripts_are_counted_once() {
    check(
        r##"
        ~only resp3
        > SET text x
        OK
        > CONFIG RESETSTAT
        OK
        > EVAL "return redis.call('INCR', KEYS[1])" 1 text
        (error) ERR value is not an integer or out of range script: 61636018f4e6b5817b89791bbed242f93fa089e3, on @user_script:1.
        > EVAL "return redis.pcall('INCR', KEYS[1])" 1 text
        (error) ERR value is not an integer or out of range
        > EVAL "redis.pcall('INCR', KEYS[1]) return 1" 1 text
        (integer) 1
        > INFO errorstats
        (verbatim txt) "# Errorstats\r\nerrorstat_ERR:count=3\r\n"
        > EVAL_RO "redis.pcall('SET', KEYS[1], 'y') redis.pcall('HGET') redis.pcall('NOSUCH') return 1" 1 text
        (integer) 1
        > EVAL "pcall(redis.call, 'LPUSH', KEYS[1], 'y') return 1" 1 text
        (integer) 1
        > EVAL "return redis.error_reply('MINE it is')" 0
        (error) MINE it is
        > EVAL "redis.error_reply('MINE it is not') return 1" 0
        (integer) 1
        > INFO errorstats
        (verbatim txt) "# Errorstats\r\nerrorstat_ERR:count=6\r\nerrorstat_MINE:count=1\r\nerrorstat_WRONGTYPE:count=1\r\n"
        "##,
    );
}

#[test]
fn what_scripts_take() {
    check(
        r##"
        > EVAL "return 1" 0
        (integer) 1
        > FUNCTION LOAD "#!lua name=lib\nredis.register_function('f', function() end)"
        "lib"
        > INFO memory
        (like) "*used_memory_lua_human:*K\r*number_of_functions:1*number_of_libraries:1*"
        "##,
    );
}

/// TIME stands still in a script, and in a transaction.
#[test]
fn a_script_sees_one_time() {
    let server = Server::start_on_the_wall_clock();
    let mut client = server.connect(Protocol::Resp2);
    let script = "local before = redis.call('TIME') \
                  for i = 1, 10000 do redis.call('PING') end \
                  local after = redis.call('TIME') \
                  return before[1] == after[1] and before[2] == after[2]";
    for _ in 0..3 {
        assert_eq!(client.call(&["EVAL", script, "0"]), Tree::Integer(1));
    }
    for line in ["MULTI", "TIME", "KEYS *", "TIME"] {
        client.line(line);
    }
    let Tree::Array(replies) = client.line("EXEC") else { panic!("no replies") };
    assert_eq!(replies[0], replies[2]);
    assert_ne!(client.line("TIME"), replies[0]);
}

/// But for one that takes long, it passes.
#[test]
fn a_script_can_wait_for_time_to_pass() {
    let server = Server::start_on_the_wall_clock();
    let mut client = server.connect(Protocol::Resp2);
    client.line("CONFIG SET busy-reply-threshold 1");
    let script = "local function now() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end \
                  local start = now() \
                  while now() < start + 3000 do end \
                  return now() - start >= 3000";
    assert_eq!(client.call(&["EVAL", script, "0"]), Tree::Integer(1));
}

/// A script that seeds its random numbers leaves those of the commands alone.
#[test]
fn a_seed_is_the_scripts_own() {
    let instance = Instance::new();
    let mut client = Local::new(&instance, Protocol::Resp2);
    let mut call = |line: &str| client.call("", &split_words(line)).to_string();
    let members: String = (0..1000).map(|n| format!(" {n}")).collect();
    call(&format!("SADD s{members}"));
    let draw = |call: &mut dyn FnMut(&str) -> String| {
        let number = call("EVAL \"math.randomseed(7) return tostring(math.random())\" 0");
        (number, call("SRANDMEMBER s"))
    };
    let first = draw(&mut call);
    let others: Vec<_> = (0..20).map(|_| draw(&mut call)).collect();
    assert!(others.iter().all(|(number, _)| *number == first.0));
    assert!(others.iter().any(|(_, member)| *member != first.1), "{first:?}");
}

#[test]
fn arguments_of_functions() {
    check(
        r#"
        > EVAL "return math.random(0)" 0
        (error) ERR user_script:1: bad argument #1 to 'random' (interval is empty) script: 008bcb60f86ee36d26c67b641b46674578d9cba0, on @user_script:1.
        > EVAL "return {math.random(7, 7), math.random('1', 1), math.random() < 1}" 0
        1) (integer) 7
        2) (integer) 1
        3) (integer) 1
        > EVAL "return math.random(2, 1)" 0
        (like) "ERR user_script:1: bad argument #2 to 'random' (interval is empty) script: *"
        > EVAL "return math.random('x')" 0
        (like) "ERR user_script:1: bad argument #1 to 'random' (number expected, got string) script: *"
        > EVAL "return math.randomseed()" 0
        (like) "ERR user_script:1: bad argument #1 to 'randomseed' (number expected, got no value) script: *"
        > EVAL "return bit.band('x', 1)" 0
        (like) "ERR user_script:1: bad argument #1 to 'band' (number expected, got string) script: *"
        > EVAL "return bit.lshift(1, {})" 0
        (like) "ERR user_script:1: bad argument #2 to 'lshift' (number expected, got table) script: *"
        > EVAL "return bit.tohex()" 0
        (like) "ERR user_script:1: bad argument #1 to 'tohex' (number expected, got no value) script: *"
        > EVAL "return string.rep()" 0
        (like) "ERR user_script:1: bad argument #1 to 'rep' (string expected, got no value) script: *"
        > EVAL "return ('x'):rep({})" 0
        (like) "ERR user_script:1: bad argument #2 to 'rep' (number expected, got table) script: *"
        > EVAL "return {('ab'):rep('2'), ('').rep('', 1e15), ('x'):rep(-1)}" 0
        1) "abab"
        2) ""
        3) ""
        "#,
    );
}

/// Each is called in tail position, where Lua itself would lose the line.
#[test]
fn bad_arguments_are_refused_as_lua_refuses_them() {
    let refused = [
        ("struct.pack()", "bad argument #1 to 'pack' (string expected, got no value)"),
        ("struct.pack({})", "bad argument #1 to 'pack' (string expected, got table)"),
        ("struct.pack('i')", "bad argument #2 to 'pack' (number expected, got nil)"),
        ("struct.pack('q', 1)", "bad argument #1 to 'pack' (invalid format option 'q')"),
        ("struct.pack('c5', 'a')", "bad argument #3 to 'pack' (string too short)"),
        ("struct.unpack('i')", "bad argument #2 to 'unpack' (string expected, got no value)"),
        ("struct.unpack('i', 'a')", "bad argument #2 to 'unpack' (data string too short)"),
        ("struct.unpack('i', 'aaaa', -1)", "bad argument #2 to 'unpack' (data string too short)"),
        ("struct.unpack('c0', 'a')", "format 'c0' needs a previous size"),
        ("struct.size('s')", "bad argument #1 to 'size' (option 's' has no fixed size)"),
        ("cjson.encode()", "bad argument #1 to 'encode' (expected 1 argument)"),
        ("cjson.encode(1, 2)", "bad argument #1 to 'encode' (expected 1 argument)"),
        ("cjson.decode()", "bad argument #1 to 'decode' (expected 1 argument)"),
        ("cjson.decode({})", "bad argument #1 to 'decode' (string expected, got table)"),
        ("cjson.decode_max_depth('x')", "bad argument #1 to 'decode_max_depth' (number expected, got string)"),
        (
            "cjson.encode_number_precision(15)",
            "bad argument #1 to 'encode_number_precision' (expected integer between 1 and 14)",
        ),
        ("cmsgpack.unpack()", "bad argument #1 to 'unpack' (string expected, got no value)"),
        ("cmsgpack.unpack_limit('a')", "bad argument #2 to 'unpack_limit' (number expected, got no value)"),
        ("setmetatable()", "bad argument #1 to 'setmetatable' (table expected, got no value)"),
        ("setmetatable(1)", "bad argument #1 to 'setmetatable' (table expected, got number)"),
        ("setmetatable({})", "bad argument #2 to 'setmetatable' (nil or table expected)"),
        ("getmetatable()", "bad argument #1 to 'getmetatable' (value expected)"),
        ("loadstring()", "bad argument #1 to 'loadstring' (string expected, got no value)"),
        ("load(1)", "bad argument #1 to 'load' (function expected, got number)"),
        ("rawget()", "bad argument #1 to 'rawget' (table expected, got no value)"),
        ("rawset({})", "bad argument #2 to 'rawset' (value expected)"),
        ("rawset({}, nil, 1)", "table index is nil"),
        ("(next())", "bad argument #1 to 'next' (table expected, got no value)"),
        ("(pairs(nil))", "bad argument #1 to 'pairs' (table expected, got nil)"),
        ("(unpack(1))", "bad argument #1 to 'unpack' (table expected, got number)"),
        ("(table.insert({}))", "wrong number of arguments to 'insert'"),
        ("(table.remove())", "bad argument #1 to 'remove' (table expected, got no value)"),
    ];
    let lines = refused.map(|(call, why)| {
        format!("> EVAL \"return {call}\" 0\n(like) \"ERR user_script:1: {why} script: *, on @user_script:1.\"\n")
    });
    check(&lines.concat());
    check(
        r#"
        > EVAL "return setmetatable(redis, {})" 0
        (like) "ERR Attempt to modify a readonly table script: *, on @user_script:1."
        > EVAL "return {redis.sha1hex({}), redis.sha1hex(nil), redis.sha1hex(12), redis.sha1hex('12')}" 0
        1) "da39a3ee5e6b4b0d3255bfef95601890afd80709"
        2) "da39a3ee5e6b4b0d3255bfef95601890afd80709"
        3) "7b52009b64fd0a2a49e6d8a939753077792b0554"
        4) "7b52009b64fd0a2a49e6d8a939753077792b0554"
        "#,
    );
}

#[test]
fn debug() {
    check(
        r#"
        > SCRIPT DEBUG NO
        OK
        > SCRIPT DEBUG YES
        (error) ERR Scripts cannot be debugged
        > SCRIPT DEBUG MAYBE
        (error) ERR Use SCRIPT DEBUG YES/SYNC/NO
        "#,
    );
}
