//! EVAL and its like, SCRIPT.

use crate::harness::check;

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
