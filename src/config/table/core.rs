//! Listening, clients, threads, security, logging.

use super::{Section, field};
use crate::config::{
    directive::{Directive, Flags, Kind, Lines, directive, inert},
    reason::Reason,
    settings::Settings,
    value::{Guard, LogFormat, LogLevel, OomScoreAdj, OutputLimits, PubsubDefault, Supervised, Value},
};
use Kind::*;

const INT: i64 = i32::MAX as i64;
const MIB: u64 = 1 << 20;

pub static NETWORK: Section = Section {
    title: "Network",
    about: "Where the server listens, and what one client may use.",
    rows: &[
        directive(
            "bind",
            Special("<address> ..."),
            "127.0.0.1 -::1",
            "Addresses to listen on; '*' is every IPv4 and '::*' every IPv6 address of this machine, and a leading '-' means: if there is one.",
            field!(bind),
        )
        .words(),
        directive("port", Integer(0, 65535), "6379", "TCP port to listen on; 0 listens on none.", field!(port)),
        directive(
            "tcp-backlog",
            Integer(0, INT),
            "511",
            "How many connections may wait to be accepted.",
            field!(tcp_backlog),
        )
        .immutable(),
        directive(
            "tcp-keepalive",
            Integer(0, INT),
            "300",
            "Seconds of silence after which a connection is probed; 0 never probes.",
            field!(tcp_keepalive_seconds),
        ),
        directive("unixsocket", Text, "", "Path of a Unix socket to listen on as well.", field!(unix_socket))
            .immutable(),
        directive(
            "unixsocketperm",
            Octal(0o777),
            "0",
            "Permissions of the Unix socket, in octal; 0 leaves them to the umask.",
            field!(unix_socket_mode),
        )
        .immutable(),
        directive(
            "protected-mode",
            YesNo,
            "yes",
            "Without a password, serve only connections from this machine.",
            field!(protected_mode),
        ),
        directive(
            "timeout",
            Integer(0, INT),
            "0",
            "Seconds after which an idle client is disconnected; 0 never.",
            field!(timeout_seconds),
        ),
        directive(
            "maxclients",
            Integer(1, u32::MAX as i64),
            "10000",
            "How many clients may be connected at once.",
            field!(maxclients),
        ),
        directive(
            "proto-max-bulk-len",
            Memory(MIB, i64::MAX as u64),
            "512mb",
            "The longest single argument, and so the largest value.",
            field!(proto_max_bulk_len),
        ),
        directive(
            "proto-inline-max-size",
            Memory(1024, MIB),
            "64kb",
            "The longest line of an inline command, and of a length in a request.",
            field!(proto_inline_max_size),
        ),
        directive(
            "client-query-buffer-limit",
            Memory(MIB, i64::MAX as u64),
            "1gb",
            "How much of an unfinished request one client may have sent.",
            field!(client_query_buffer_limit),
        ),
        directive(
            "client-output-buffer-limit",
            Special("<class> <hard limit> <soft limit> <soft seconds>"),
            "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60",
            "A client with more unread output than the hard limit, or than the soft limit for that many seconds, is disconnected; the classes are normal, replica and pubsub, and 0 is no limit.",
            (get_output_limits, set_output_limits),
        )
        .on(Lines::Keyed(4, OutputLimits::class)),
        directive(
            "maxmemory-clients",
            MemoryOrPercent,
            "0",
            "How much the buffers of all clients may take together, in bytes or percent of maxmemory, before the largest are disconnected; 0 is no limit.",
            field!(maxmemory_clients),
        ),
        directive(
            "tracking-table-max-keys",
            Integer(0, i64::MAX),
            "1000000",
            "How many keys are remembered for CLIENT TRACKING; 0 is no limit.",
            field!(tracking_table_max_keys),
        ),
        directive(
            "server-threads",
            Integer(0, 256),
            "0",
            "Threads that serve clients; 0 is one for every core.",
            field!(server_threads),
        )
        .at_start(),
        directive(
            "coalesce-usec",
            Integer(0, 1000),
            "30",
            "Microseconds that a thread waits at most before it looks for requests, so that it finds more of them at once: less of the processor for each, and more of them in a second, for replies that come so much later. It waits only with at least 16 clients, most of which have their replies, and the less the more time it has to spare, down to not at all. 0 never waits.",
            field!(coalesce_us),
        ),
    ],
};

fn get_output_limits(settings: &Settings, _: &Directive) -> String {
    settings.client_output_buffer_limits.show()
}

fn set_output_limits(settings: &mut Settings, _: &Directive, words: &[String]) -> Result<(), Reason> {
    settings.client_output_buffer_limits.update(words)
}

pub static GENERAL: Section = Section {
    title: "General",
    about: "",
    rows: &[
        directive("databases", Integer(1, INT), "16", "How many databases SELECT can choose from.", field!(databases))
            .immutable(),
        directive(
            "hz",
            Integer(0, INT),
            "10",
            "How often a second the background work (expiry, timeouts, statistics) runs; 1 to 500.",
            (|settings, _| settings.hz.to_string(), set_hz),
        ),
        directive("daemonize", YesNo, "no", "Go to the background at the start.", field!(daemonize)).immutable(),
        directive(
            "supervised",
            Choice(Supervised::NAMES),
            "no",
            "Tell a supervisor when the server is ready: systemd, upstart, or auto for the one that started it.",
            field!(supervised),
        )
        .immutable(),
        directive(
            "oom-score-adj",
            Choice(OomScoreAdj::NAMES),
            "no",
            "Adjust how gladly the kernel ends this process when memory runs out: by an addition (yes, relative) or absolutely.",
            field!(oom_score_adj),
        ),
        directive(
            "oom-score-adj-values",
            Special("<server> <replica> <child>"),
            "0 200 800",
            "By how much; the first number counts, since there are no replicas or children here.",
            field!(oom_score_adj_values),
        )
        .words(),
        directive("pidfile", Text, "", "File to write the process id to.", field!(pidfile)).immutable(),
        inert(
            "set-proc-title",
            YesNo,
            "yes",
            "Show the address in the list of processes, where the system allows it.")
        .immutable(),
        directive(
            "import-mode",
            YesNo,
            "no",
            "Keys are taken over from another server: nothing expires or is evicted until it says so through its connection (CLIENT IMPORT-SOURCE).",
            field!(import_mode),
        ),
        inert(
            "always-show-logo",
            YesNo,
            "no",
            "Begin the log with a logo even when it is a file.")
        .immutable(),
        directive(
            "busy-reply-threshold",
            Integer(0, i64::MAX),
            "5000",
            "Milliseconds after which other clients are told BUSY while a script runs.",
            field!(busy_reply_threshold_ms),
        )
        .alias(&["lua-time-limit"]),
        directive(
            "availability-zone",
            Text,
            "",
            "Where the server stands: HELLO tells clients, who may prefer what is near.",
            field!(availability_zone),
        ),
        directive(
            "min-replicas-to-write",
            Integer(0, INT),
            "0",
            "Refuse writes with fewer replicas than this connected; there are none yet, so anything but 0 refuses every write.",
            field!(min_replicas_to_write),
        )
        .alias(&["min-slaves-to-write"]),
    ],
};

/// Out of its range, the nearest counts: so it always was.
fn set_hz(settings: &mut Settings, directive: &Directive, words: &[String]) -> Result<(), Reason> {
    settings.hz = <u32 as Value>::read(directive.kind, words)?.clamp(1, 500);
    Ok(())
}

pub static SECURITY: Section = Section {
    title: "Security",
    about: "",
    rows: &[
        directive("requirepass", Text, "", "The password that AUTH and HELLO must give.", field!(requirepass))
            .with(Flags::SENSITIVE),
        directive(
            "enable-protected-configs",
            Choice(Guard::NAMES),
            "no",
            "Whether CONFIG SET may change 'dir' and 'dbfilename': no, yes, or local for connections from this machine.",
            field!(enable_protected_configs),
        )
        .immutable(),
        directive(
            "enable-debug-command",
            Choice(Guard::NAMES),
            "no",
            "Whether DEBUG is allowed: no, yes, or local for connections from this machine.",
            field!(enable_debug_command),
        )
        .immutable(),
        directive(
            "acllog-max-len",
            Integer(0, i64::MAX),
            "128",
            "How many refused commands and logins are remembered.",
            field!(acllog_max_len),
        ),
        directive(
            "aclfile",
            Text,
            "",
            "A file of users, in place of 'user' lines here; ACL LOAD and ACL SAVE read and write it.",
            field!(acl_file),
        )
        .immutable(),
        directive(
            "acl-pubsub-default",
            Choice(PubsubDefault::NAMES),
            "resetchannels",
            "Which channels a new user may use: none of them, or allchannels.",
            field!(acl_pubsub_default),
        ),
    ],
};

pub static LOGGING: Section = Section {
    title: "Logging",
    about: "",
    rows: &[
        directive(
            "loglevel",
            Choice(LogLevel::NAMES),
            "notice",
            "The least important line that is logged: debug, verbose, notice, warning, or nothing at all.",
            field!(loglevel),
        ),
        directive("logfile", Text, "", "File to log to, relative to 'dir'; \"\" is standard output.", field!(logfile))
            .immutable(),
        directive(
            "log-format",
            Choice(LogFormat::NAMES),
            "text",
            "How a line is written: text for people, json for machines.",
            field!(log_format),
        )
        .at_start(),
    ],
};
