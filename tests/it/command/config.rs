//! CONFIG: patterns, several pairs at once, what is refused and why.

use crate::harness::check;

#[test]
fn get_takes_names_aliases_and_patterns() {
    check(
        r#"
        ~only resp2
        > CONFIG GET maxmemory-samples
        1# "maxmemory-samples" => "5"
        > CONFIG GET HASH-MAX-ziplist-ENTRIES
        1# "HASH-MAX-ziplist-ENTRIES" => "512"
        > CONFIG GET HASH-max-*entries
        1# "hash-max-listpack-entries" => "512"
        2# "hash-max-ziplist-entries" => "512"
        > CONFIG GET hz nosuch HZ h?
        1# "hz" => "10"
        > CONFIG GET key-load-dela?
        (empty map)
        > CONFIG GET key-load-delay
        1# "key-load-delay" => "0"
        "#,
    );
}

#[test]
fn set_is_all_or_nothing() {
    check(
        r#"
        > CONFIG SET hz 20 lfu-log-factor x
        (error) ERR CONFIG SET failed (possibly related to argument 'lfu-log-factor') - argument couldn't be parsed into an integer
        > CONFIG GET hz
        1# "hz" => "10"
        > CONFIG SET hz 20 lfu-log-factor 7 nosuch 1
        (error) ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'
        > CONFIG SET hz 20 HZ 30
        (error) ERR CONFIG SET failed (possibly related to argument 'HZ') - duplicate parameter
        > CONFIG SET hz
        (error) ERR wrong number of arguments for 'config|set' command
        > CONFIG SET hz 20 lfu-log-factor
        (error) ERR syntax error
        > CONFIG SET hz 20 lfu-log-factor 7
        OK
        > CONFIG GET hz
        1# "hz" => "20"
        "#,
    );
}

#[test]
fn values_are_checked() {
    check(
        r#"
        > CONFIG SET databases 1
        (error) ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config
        > CONFIG SET port 65536
        (error) ERR CONFIG SET failed (possibly related to argument 'port') - argument must be between 0 and 65535 inclusive
        > CONFIG SET latency-tracking maybe
        (error) ERR CONFIG SET failed (possibly related to argument 'latency-tracking') - argument must be 'yes' or 'no'
        > CONFIG SET maxmemory-clients 101%
        (error) ERR CONFIG SET failed (possibly related to argument 'maxmemory-clients') - percentage argument must be less or equal to 100
        > CONFIG SET save "1 2 3"
        (error) ERR CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters
        > CONFIG SET client-output-buffer-limit "normal 1 2"
        (error) ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - Wrong number of arguments in buffer limit configuration.
        > CONFIG SET client-output-buffer-limit "nobody 1 2 3"
        (error) ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - Invalid client class specified in buffer limit configuration.
        > CONFIG SET notify-keyspace-events KEQ
        (error) ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdnocaSTIV'.
        > CONFIG SET latency-tracking-info-percentiles "101"
        (error) ERR CONFIG SET failed (possibly related to argument 'latency-tracking-info-percentiles') - latency-tracking-info-percentiles parameters should sit between [0.0,100.0]
        > CONFIG SET appendonly maybe
        (error) ERR CONFIG SET failed (possibly related to argument 'appendonly') - argument must be 'yes' or 'no'
        > CONFIG SET appendonly no
        OK
        "#,
    );
}

#[test]
fn values_are_shown_as_they_are_meant() {
    check(
        r#"
        > CONFIG SET client-output-buffer-limit "replica 1mb 0 0 pubsub 1kb 1k 5"
        OK
        > CONFIG GET client-output-buffer-limit
        1# "client-output-buffer-limit" => "normal 0 0 0 slave 1048576 0 0 pubsub 1024 1000 5"
        > CONFIG SET notify-keyspace-events xKElg$shzetda
        OK
        > CONFIG GET notify-keyspace-events
        1# "notify-keyspace-events" => "AKE"
        > CONFIG SET notify-keyspace-events AKEmnoc
        OK
        > CONFIG GET notify-keyspace-events
        1# "notify-keyspace-events" => "AKEm"
        > CONFIG SET notify-keyspace-events KEmn
        OK
        > CONFIG GET notify-keyspace-events
        1# "notify-keyspace-events" => "nKEm"
        > CONFIG SET shutdown-on-sigterm "nosave now"
        OK
        > CONFIG GET shutdown-on-sigterm
        1# "shutdown-on-sigterm" => "nosave now"
        > CONFIG SET latency-tracking-info-percentiles "50 99.95"
        OK
        > CONFIG GET latency-tracking-info-percentiles
        1# "latency-tracking-info-percentiles" => "50 99.95"
        > CONFIG SET save ""
        OK
        > CONFIG GET save
        1# "save" => ""
        "#,
    );
}

#[test]
fn without_a_file_nothing_is_rewritten() {
    check(
        r#"
        > CONFIG REWRITE
        (error) ERR The server is running without a config file
        > CONFIG RESETSTAT
        OK
        "#,
    );
}

/// Asked for now, kept by CONFIG REWRITE, and true from the next start on.
#[test]
fn what_is_read_at_the_start_may_be_set_for_the_next() {
    check(
        r#"
        > CONFIG SET server-threads 3 log-format json
        OK
        > CONFIG GET server-threads log-format
        1# "server-threads" => "3"
        2# "log-format" => "json"
        > CONFIG SET databases 3
        (error) ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config
        > CONFIG GET io-threads-do*
        (empty map)
        "#,
    );
}
