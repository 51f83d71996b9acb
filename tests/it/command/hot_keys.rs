//! HOTKEYS.

use crate::harness::check;

#[test]
fn keys_by_bytes() {
    check(
        r##"
        > HOTKEYS GET
        (nil)
        > HOTKEYS STOP
        (nil)
        > INFO hotkeys
        (verbatim txt) "# Hotkeys\r\n"
        > SET before v
        OK
        > HOTKEYS START METRICS 1 NET COUNT 2
        OK
        > HOTKEYS START METRICS 1 NET
        (error) ERR hotkey tracking session already in progress
        > HOTKEYS RESET
        (error) ERR hotkey tracking session in progress, stop tracking first
        # 27 bytes of a request, and 5 of its reply; those of several keys are shared out.
        > SET k v
        OK
        > MSET a 1 b 2
        OK
        # 20 and 7.
        > GET k
        "v"
        > SET long 0123456789
        OK
        # Neither has keys.
        > ECHO hello
        "hello"
        > INFO hotkeys
        (any)
        ~advance 1500ms
        > HOTKEYS STOP
        OK
        > SET long 0123456789
        OK
        > HOTKEYS GET
        1) 1# "tracking-active" => (integer) 0
           2# "sample-ratio" => (integer) 1
           3# "selected-slots" =>
              1) 1) (integer) 0
                 2) (integer) 16383
           4# "all-commands-all-slots-us" => (integer 0..1000000)
           5# "net-bytes-all-commands-all-slots" => (integer) 151
           6# "collection-start-time-unix-ms" => (integer) 1700000000000
           7# "collection-duration-ms" => (integer) 1500
           8# "total-net-bytes" => (integer) 150
           9# "by-net-bytes" =>
              1) "k"
              2) (integer) 59
              3) "long"
              4) (integer) 45
        > HOTKEYS RESET
        OK
        > HOTKEYS GET
        (nil)
        "##,
    );
}

#[test]
fn a_session_that_ends_by_itself() {
    check(
        r##"
        > HOTKEYS START METRICS 2 CPU NET DURATION 2 SAMPLE 1000000
        OK
        ~advance 1999ms
        > INFO hotkeys
        (any)
        ~advance 2ms
        > SET k v
        OK
        > HOTKEYS GET
        1) 1# "tracking-active" => (integer) 0
           2# "sample-ratio" => (integer) 1000000
           3# "selected-slots" =>
              1) 1) (integer) 0
                 2) (integer) 16383
           4# "all-commands-all-slots-us" => (integer) 0
           5# "net-bytes-all-commands-all-slots" => (integer) 0
           6# "collection-start-time-unix-ms" => (integer) 1700000000000
           7# "collection-duration-ms" => (integer) 2000
           8# "total-cpu-time-user-ms" => (integer 0..1000000)
           9# "total-cpu-time-sys-ms" => (integer 0..1000000)
           10# "total-net-bytes" => (integer) 0
           11# "by-cpu-time-us" => (empty array)
           12# "by-net-bytes" => (empty array)
        > HOTKEYS START METRICS 1 CPU
        OK
        "##,
    );
}

#[test]
fn transactions_count_by_command_and_scripts_as_a_whole() {
    check(
        r##"
        > HOTKEYS START METRICS 1 NET
        OK
        > MULTI
        OK
        > SET k v
        QUEUED
        > GET k
        QUEUED
        > EXEC
        1) OK
        2) "v"
        # 4 + 10 + 21 + 7 + 7 bytes, and 5.
        > EVAL "redis.call('GET', 'k')" 1 x
        (nil)
        > HOTKEYS STOP
        OK
        > HOTKEYS GET
        1) 1# "tracking-active" => (integer) 0
           2# "sample-ratio" => (integer) 1
           3# "selected-slots" => (any)
           4# "all-commands-all-slots-us" => (any)
           5# "net-bytes-all-commands-all-slots" => (any)
           6# "collection-start-time-unix-ms" => (any)
           7# "collection-duration-ms" => (integer) 0
           8# "total-net-bytes" => (any)
           9# "by-net-bytes" =>
              1) "x"
              2) (integer 60..70)
              3) "k"
              4) (integer) 59
        "##,
    );
}

#[test]
fn what_start_does_not_take() {
    check(
        r##"
        > HOTKEYS START
        (error) ERR METRICS parameter is required
        > HOTKEYS START COUNT 1 METRICS 1 CPU
        (error) ERR METRICS parameter is required
        > HOTKEYS START METRICS 1
        (error) ERR METRICS count does not match number of metric types provided
        > HOTKEYS START METRICS x CPU
        (error) ERR METRICS count must be > 0 and <= 2
        > HOTKEYS START METRICS 3 CPU NET CPU
        (error) ERR METRICS count must be > 0 and <= 2
        > HOTKEYS START METRICS 2 CPU
        (error) ERR METRICS count does not match number of metric types provided
        > HOTKEYS START METRICS 1 GPU
        (error) ERR METRICS no valid metrics passed. Supported: CPU|NET
        > HOTKEYS START METRICS 2 CPU CPU
        (error) ERR METRICS CPU defined more than once!
        > HOTKEYS START METRICS 2 NET NET
        (error) ERR METRICS NET defined more than once!
        > HOTKEYS START METRICS 1 CPU COUNT 65
        (error) ERR COUNT must be between 1 and 64
        > HOTKEYS START METRICS 1 CPU COUNT
        (error) ERR syntax error
        > HOTKEYS START METRICS 1 CPU DURATION 0
        (error) ERR DURATION must be between 1 and 1000000
        > HOTKEYS START METRICS 1 CPU SAMPLE x
        (error) ERR SAMPLE ratio must be positive
        > HOTKEYS START METRICS 1 CPU SLOTS 1 1
        (error) ERR SLOTS parameter cannot be used in non-cluster mode
        > HOTKEYS START METRICS 1 CPU NET
        (error) ERR syntax error
        > HOTKEYS STOP now
        (error) ERR wrong number of arguments for 'hotkeys|stop' command
        # What a later server may measure is passed over.
        > HOTKEYS START METRICS 2 GPU cpu
        OK
        "##,
    );
}
