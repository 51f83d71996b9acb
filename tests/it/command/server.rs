//! The server as a whole.

use crate::harness::check;

#[test]
fn commands_known() {
    check(
        r#"
        > COMMAND GETKEYS SET k v
        1) "k"
        > COMMAND GETKEYS MSET a 1 b 2
        1) "a"
        2) "b"
        > COMMAND GETKEYS GET
        (error) ERR Invalid number of arguments specified for command
        > COMMAND GETKEYS NOSUCH a
        (error) ERR Invalid command specified
        > COMMAND GETKEYS PING
        (error) ERR The command has no key arguments
        > COMMAND GETKEYS BITOP AND d a b
        1) "d"
        2) "a"
        3) "b"
        > COMMAND GETKEYSANDFLAGS SET k v
        1) 1) "k"
           2) 1~ OW
              2~ update
        > COMMAND GETKEYSANDFLAGS SET k v IFEQ w
        1) 1) "k"
           2) 1~ RW
              2~ update
        > COMMAND GETKEYSANDFLAGS ZINTERSTORE d 1443677133621497600 a
        (error) ERR Invalid arguments specified for command
        > COMMAND GETKEYSANDFLAGS DELEX k
        1) 1) "k"
           2) 1~ RM
              2~ delete
        > COMMAND GETKEYSANDFLAGS DELEX k IFEQ v
        1) 1) "k"
           2) 1~ RW
              2~ delete
        > COMMAND GETKEYS PFMERGE d
        1) "d"
        > COMMAND GETKEYS SORT k BY w
        1) "k"
        > COMMAND GETKEYSANDFLAGS MSETNX a 1 b 2
        1) 1) "a"
           2) 1~ OW
              2~ insert
        2) 1) "b"
           2) 1~ OW
              2~ insert
        > COMMAND GETKEYS
        (error) ERR wrong number of arguments for 'command|getkeys' command
        > COMMAND COUNT x
        (error) ERR wrong number of arguments for 'command|count' command
        > COMMAND FOO
        (error) ERR unknown subcommand 'FOO'. Try COMMAND HELP.
        > COMMAND LIST FILTERBY PATTERN cl*help
        1) "client|help"
        2) "cluster|help"
        > COMMAND LIST FILTERBY PATTERN pfc*
        1) "pfcount"
        > COMMAND LIST FILTERBY FOO x
        (error) ERR syntax error
        > COMMAND LIST FILTERBY PATTERN pf* x
        (error) ERR syntax error
        > COMMAND DOCS nosuch
        (empty map)
        "#,
    );
}

/// In RESP3 a key specification is a map within a set, which the client of these tests cannot hold.
#[test]
fn commands_described() {
    check(
        r#"
        ~only resp2
        > COMMAND INFO get
        1) 1) "get"
           2) (integer) 2
           3) 1~ readonly
              2~ fast
           4) (integer) 1
           5) (integer) 1
           6) (integer) 1
           7) 1~ @read
              2~ @string
              3~ @fast
           8) (empty set)
           9) 1~ 1# "flags" =>
                    1~ RO
                    2~ access
                 2# "begin_search" =>
                    1# "type" => "index"
                    2# "spec" =>
                       1# "index" => (integer) 1
                 3# "find_keys" =>
                    1# "type" => "range"
                    2# "spec" =>
                       1# "lastkey" => (integer) 0
                       2# "keystep" => (integer) 1
                       3# "limit" => (integer) 0
           10) (empty set)
        > COMMAND INFO nosuch exists
        1) (nil)
        2) 1) "exists"
           2) (integer) -2
           3) 1~ readonly
              2~ fast
           4) (integer) 1
           5) (integer) -1
           6) (integer) 1
           7) 1~ @keyspace
              2~ @read
              3~ @fast
           8) 1~ "request_policy:multi_shard"
              2~ "response_policy:agg_sum"
           9) 1~ 1# "flags" =>
                    1~ RO
                 2# "begin_search" =>
                    1# "type" => "index"
                    2# "spec" =>
                       1# "index" => (integer) 1
                 3# "find_keys" =>
                    1# "type" => "range"
                    2# "spec" =>
                       1# "lastkey" => (integer) -1
                       2# "keystep" => (integer) 1
                       3# "limit" => (integer) 0
           10) (empty set)
        > COMMAND INFO mset
        1) 1) "mset"
           2) (integer) -3
           3) 1~ write
              2~ denyoom
           4) (integer) 1
           5) (integer) -1
           6) (integer) 2
           7) 1~ @write
              2~ @string
              3~ @slow
           8) 1~ "request_policy:multi_shard"
              2~ "response_policy:all_succeeded"
           9) 1~ 1# "flags" =>
                    1~ OW
                    2~ update
                 2# "begin_search" =>
                    1# "type" => "index"
                    2# "spec" =>
                       1# "index" => (integer) 1
                 3# "find_keys" =>
                    1# "type" => "range"
                    2# "spec" =>
                       1# "lastkey" => (integer) -1
                       2# "keystep" => (integer) 2
                       3# "limit" => (integer) 0
           10) (empty set)
        > COMMAND INFO bitop
        1) 1) "bitop"
           2) (integer) -4
           3) 1~ write
              2~ denyoom
           4) (integer) 2
           5) (integer) -1
           6) (integer) 1
           7) 1~ @write
              2~ @bitmap
              3~ @slow
           8) (empty set)
           9) 1~ 1# "flags" =>
                    1~ OW
                    2~ update
                 2# "begin_search" =>
                    1# "type" => "index"
                    2# "spec" =>
                       1# "index" => (integer) 2
                 3# "find_keys" =>
                    1# "type" => "range"
                    2# "spec" =>
                       1# "lastkey" => (integer) 0
                       2# "keystep" => (integer) 1
                       3# "limit" => (integer) 0
              2~ 1# "flags" =>
                    1~ RO
                    2~ access
                 2# "begin_search" =>
                    1# "type" => "index"
                    2# "spec" =>
                       1# "index" => (integer) 3
                 3# "find_keys" =>
                    1# "type" => "range"
                    2# "spec" =>
                       1# "lastkey" => (integer) -1
                       2# "keystep" => (integer) 1
                       3# "limit" => (integer) 0
           10) (empty set)
        > COMMAND INFO ping
        1) 1) "ping"
           2) (integer) -1
           3) 1~ fast
           4) (integer) 0
           5) (integer) 0
           6) (integer) 0
           7) 1~ @fast
              2~ @connection
           8) 1~ "request_policy:all_shards"
              2~ "response_policy:all_succeeded"
           9) (empty set)
           10) (empty set)
        > COMMAND INFO rename
        1) 1) "rename"
           2) (integer) 3
           3) 1~ write
           4) (integer) 1
           5) (integer) 2
           6) (integer) 1
           7) 1~ @keyspace
              2~ @write
              3~ @slow
           8) (empty set)
           9) 1~ 1# "flags" =>
                    1~ RW
                    2~ access
                    3~ delete
                 2# "begin_search" =>
                    1# "type" => "index"
                    2# "spec" =>
                       1# "index" => (integer) 1
                 3# "find_keys" =>
                    1# "type" => "range"
                    2# "spec" =>
                       1# "lastkey" => (integer) 0
                       2# "keystep" => (integer) 1
                       3# "limit" => (integer) 0
              2~ 1# "flags" =>
                    1~ OW
                    2~ update
                 2# "begin_search" =>
                    1# "type" => "index"
                    2# "spec" =>
                       1# "index" => (integer) 2
                 3# "find_keys" =>
                    1# "type" => "range"
                    2# "spec" =>
                       1# "lastkey" => (integer) 0
                       2# "keystep" => (integer) 1
                       3# "limit" => (integer) 0
           10) (empty set)
        > COMMAND INFO expire
        1) 1) "expire"
           2) (integer) -3
           3) 1~ write
              2~ fast
           4) (integer) 1
           5) (integer) 1
           6) (integer) 1
           7) 1~ @keyspace
              2~ @write
              3~ @fast
           8) (empty set)
           9) 1~ 1# "flags" =>
                    1~ RW
                    2~ update
                 2# "begin_search" =>
                    1# "type" => "index"
                    2# "spec" =>
                       1# "index" => (integer) 1
                 3# "find_keys" =>
                    1# "type" => "range"
                    2# "spec" =>
                       1# "lastkey" => (integer) 0
                       2# "keystep" => (integer) 1
                       3# "limit" => (integer) 0
           10) (empty set)
        > COMMAND INFO object|encoding
        1) 1) "object|encoding"
           2) (integer) 3
           3) 1~ readonly
           4) (integer) 2
           5) (integer) 2
           6) (integer) 1
           7) 1~ @keyspace
              2~ @read
              3~ @slow
           8) 1~ "nondeterministic_output"
           9) 1~ 1# "flags" =>
                    1~ RO
                 2# "begin_search" =>
                    1# "type" => "index"
                    2# "spec" =>
                       1# "index" => (integer) 2
                 3# "find_keys" =>
                    1# "type" => "range"
                    2# "spec" =>
                       1# "lastkey" => (integer) 0
                       2# "keystep" => (integer) 1
                       3# "limit" => (integer) 0
           10) (empty set)
        "#,
    );
}

#[test]
fn time_and_lolwut() {
    check(
        r#"
        > TIME
        1) (like) "1*"
        2) (like) "*"
        > TIME x
        (error) ERR wrong number of arguments for 'time' command
        > LOLWUT
        (any)
        > LOLWUT VERSION 5 1 2
        (any)
        > LOLWUT VERSION five
        (error) ERR value is not an integer or out of range
        > LOLWUT VERSION 6 wide
        (error) ERR value is not an integer or out of range
        "#,
    );
}

#[test]
fn config() {
    check(
        r#"
        > CONFIG GET maxmemory
        1# "maxmemory" => "0"
        > CONFIG SET maxmemory 100mb
        OK
        > CONFIG GET maxmemory
        1# "maxmemory" => "104857600"
        > CONFIG SET maxmemory 0
        OK
        > CONFIG GET maxmemory-policy
        1# "maxmemory-policy" => "noeviction"
        > CONFIG SET maxmemory-policy allkeys-lru
        OK
        > CONFIG GET maxmemory-p*
        1# "maxmemory-policy" => "allkeys-lru"
        > CONFIG SET maxmemory-policy foo
        (error) ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-lrm, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-lrm, allkeys-random, noeviction, allkeys-s3fifo, volatile-s3fifo
        > CONFIG SET maxmemory-policy noeviction
        OK
        > CONFIG SET nosuch 1
        (error) ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'
        > CONFIG SET maxmemory
        (error) ERR wrong number of arguments for 'config|set' command
        > CONFIG SET maxmemory abc
        (error) ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value
        > CONFIG GET nosuch
        (empty map)
        > CONFIG GET
        (error) ERR wrong number of arguments for 'config|get' command
        > CONFIG SET
        (error) ERR wrong number of arguments for 'config|set' command
        > CONFIG SET port abc
        (error) ERR CONFIG SET failed (possibly related to argument 'port') - argument couldn't be parsed into an integer
        > CONFIG RESETSTAT
        OK
        > CONFIG RESETSTAT x
        (error) ERR wrong number of arguments for 'config|resetstat' command
        > CONFIG FOO
        (error) ERR unknown subcommand 'FOO'. Try CONFIG HELP.
        "#,
    );
}

#[test]
fn saving() {
    check(
        r#"
        > LASTSAVE
        (integer 1..9999999999999)
        > SHUTDOWN FOO
        (error) ERR syntax error
        > SHUTDOWN NOSAVE SAVE
        (error) ERR syntax error
        > SHUTDOWN ABORT
        (error) ERR No shutdown in progress.
        > BGREWRITEAOF
        Background append only file rewriting started
        "#,
    );
}

/// With save rules, what FLUSHALL deleted is gone from the disk as well; nothing is left to save.
#[test]
fn flushall_saves_that_nothing_is_left() {
    check(
        r#"
        > CONFIG SET save "3600 1"
        OK
        > MSET a 1 b 2
        OK
        > FLUSHALL
        OK
        > INFO persistence
        (like) "*rdb_changes_since_last_save:0\r*rdb_saves:1\r*"
        > MULTI
        OK
        > SET a 1
        QUEUED
        > FLUSHALL
        QUEUED
        > EXEC
        1) OK
        2) OK
        > INFO persistence
        (like) "*rdb_changes_since_last_save:0\r*rdb_saves:2\r*"
        > CONFIG SET save ""
        OK
        > SET a 1
        OK
        > FLUSHALL ASYNC
        OK
        > INFO persistence
        (like) "*rdb_changes_since_last_save:2\r*rdb_saves:2\r*"
        "#,
    );
}

/// The percentiles are those that were asked for, and only of what was measured.
#[test]
fn latency_percentiles() {
    check(
        r#"
        > CONFIG SET latency-tracking-info-percentiles "0.0 50.0 100.0"
        OK
        > CONFIG RESETSTAT
        OK
        > SET k v
        OK
        > INFO latencystats
        (like) "*latency_percentiles_usec_set:p0=*,p50=*,p100=*"
        > CONFIG SET latency-tracking no
        OK
        > CONFIG RESETSTAT
        OK
        > SET k v
        OK
        > INFO latencystats
        (like) "*Latencystats\r\n"
        "#,
    );
}

#[test]
fn latency() {
    check(
        r#"
        > LATENCY LATEST
        (empty array)
        > LATENCY HISTORY command
        (empty array)
        > LATENCY RESET
        (integer) 0
        > LATENCY RESET command
        (integer) 0
        > LATENCY GRAPH command
        (error) ERR No samples available for event 'command'
        > LATENCY FOO
        (error) ERR unknown subcommand 'FOO'. Try LATENCY HELP.
        > LATENCY HISTOGRAM nosuch
        (empty map)
        "#,
    );
}

#[test]
fn memory() {
    check(
        r#"
        > MEMORY USAGE nothing
        (nil)
        > SET k v
        OK
        > MEMORY USAGE k
        (integer 10..200)
        > MEMORY USAGE k SAMPLES 5
        (integer 10..200)
        > MEMORY USAGE k SAMPLES -1
        (error) ERR syntax error
        > MEMORY USAGE k FOO
        (error) ERR syntax error
        > MEMORY USAGE
        (error) ERR wrong number of arguments for 'memory|usage' command
        > MEMORY FOO
        (error) ERR unknown subcommand 'FOO'. Try MEMORY HELP.
        > MEMORY PURGE
        OK
        "#,
    );
}

#[test]
fn debug() {
    check(
        r#"
        > DEBUG SLEEP 0
        OK
        # A number is read as far as it goes.
        > DEBUG SLEEP "0\r\n"
        OK
        > DEBUG SET-ACTIVE-EXPIRE 0
        OK
        > DEBUG SET-ACTIVE-EXPIRE 1
        OK
        > DEBUG JMAP
        (any)
        > DEBUG OBJECT nothing
        (error) ERR no such key
        > SET s bar
        OK
        > DEBUG OBJECT s
        (like) "*encoding:embstr serializedlength:4 lru:*"
        > SET s 12345
        OK
        > DEBUG OBJECT s
        (like) "*encoding:int serializedlength:3 lru:*"
        # It counts and is described as one command.
        > DEBUG SLEEP
        (error) ERR unknown subcommand or wrong number of arguments for 'SLEEP'. Try DEBUG HELP.
        > DEBUG FOO
        (error) ERR unknown subcommand or wrong number of arguments for 'FOO'. Try DEBUG HELP.
        > COMMAND LIST FILTERBY PATTERN debug*
        1) "debug"
        > COMMAND INFO debug|sleep
        1) (nil array)
        > DEBUG PAUSE-CRON 1
        OK
        > DEBUG PAUSE-CRON 0
        OK
        > DEBUG ERROR "FOO bar"
        (error) FOO bar
        > DEBUG CONFIG-REWRITE-FORCE-ALL
        (error) ERR The server is running without a config file
        "#,
    );
}

#[test]
fn debug_protocol() {
    check(
        r#"
        > DEBUG PROTOCOL string
        "Hello World"
        > DEBUG PROTOCOL integer
        (integer) 12345
        > DEBUG PROTOCOL null
        (nil)
        > DEBUG PROTOCOL array
        1) (integer) 0
        2) (integer) 1
        3) (integer) 2
        > DEBUG PROTOCOL set
        1~ (integer) 0
        2~ (integer) 1
        3~ (integer) 2
        > DEBUG PROTOCOL verbatim
        (verbatim txt) "This is a verbatim\nstring"
        > DEBUG PROTOCOL nope
        (error) ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false
        "#,
    );
    check(
        r#"
        ~only resp2
        > DEBUG PROTOCOL double
        "3.141"
        > DEBUG PROTOCOL bignum
        "1234567999999999999999999999999999999"
        > DEBUG PROTOCOL true
        (integer) 1
        > DEBUG PROTOCOL attrib
        "Some real reply following the attribute"
        > DEBUG PROTOCOL push
        (error) ERR RESP2 is not supported by this command
        "#,
    );
}

#[test]
fn info() {
    check(
        r#"
        > INFO nosuch
        (verbatim txt) ""
        > INFO keyspace
        (any)
        # Only those see the section on the server's insides who name it.
        > INFO debug
        (like) "*Debug*eventloop_duration_cron_sum:*eventloop_cmd_per_cycle_max:*"
        > INFO stats
        (like) "*expire_cycle_cpu_milliseconds:*reply_buffer_shrinks:0*reply_buffer_expands:0*eventloop_cycles:*instantaneous_eventloop_duration_usec:*"
        "#,
    );
}

#[test]
fn what_is_no_key_is_none() {
    check(
        r#"
        > COMMAND GETKEYS SPUBLISH channel message
        (error) ERR The command has no key arguments
        > COMMAND GETKEYS PING too many words
        (error) ERR The command has no key arguments
        > COMMAND GETKEYS GET
        (error) ERR Invalid number of arguments specified for command
        > CONFIG SET "no\x00such" 1
        (error) ERR Unknown option or number of arguments for CONFIG SET - 'no'
        > FUNCTION LOAD REPLACE nonsense "code"
        (error) ERR Unknown option given: nonsense
        "#,
    );
}
