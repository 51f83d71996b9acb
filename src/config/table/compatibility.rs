//! Directives of other servers, so that an existing redis.conf starts, or says clearly why not.

use super::Section;
use crate::config::{
    directive::{Directive, Flags, Kind, inert, refused},
    reason::Reason,
    settings::Settings,
};
use Kind::*;

const INT: i64 = i32::MAX as i64;
const ANY: Kind = Integer(0, INT);
const PORT: Kind = Integer(0, 65535);
const BYTES: Kind = Memory(0, i64::MAX as u64);

const REPLICATION: &str = "Of replication, which is not here yet.";
const CLUSTER: &str = "Of cluster mode, which is not here yet.";
const LOG_FILE: &str = "Of the append-only file, which is never rewritten here: a snapshot takes its place.";
const TLS: &str = "Connections are accepted as they come.";
const ALLOCATOR: &str = "The arena moves and returns its own memory.";
const THREADS: &str = "See 'server-threads'.";
const SNAPSHOT_FORMAT: &str = "Snapshots are an image of memory with a checksum for every block.";

pub static INERT: Section = Section {
    title: "Accepted without effect",
    about: "So that an existing redis.conf starts. Setting one is said once in the log.",
    rows: &[
        inert("io-threads", Integer(1, 256), "1", THREADS).immutable(),
        inert("io-threads-do-reads", YesNo, "no", THREADS).immutable().hidden(),
        inert("activerehashing", YesNo, "yes", "The index grows in small steps and never rehashes."),
        inert("activedefrag", YesNo, "no", ALLOCATOR),
        inert("active-defrag-ignore-bytes", Memory(1, i64::MAX as u64), "100mb", ALLOCATOR),
        inert("active-defrag-threshold-lower", Integer(0, 1000), "10", ALLOCATOR),
        inert("active-defrag-threshold-upper", Integer(0, 1000), "100", ALLOCATOR),
        inert("active-defrag-cycle-min", Integer(1, 99), "1", ALLOCATOR),
        inert("active-defrag-cycle-max", Integer(1, 99), "25", ALLOCATOR),
        inert("active-defrag-cycle-us", Integer(0, 100000), "500", ALLOCATOR),
        inert("active-defrag-max-scan-fields", Integer(1, i64::MAX), "1000", ALLOCATOR),
        inert("jemalloc-bg-thread", YesNo, "yes", ALLOCATOR),
        inert("disable-thp", YesNo, "yes", "The arena asks for huge pages where they help.").immutable(),
        inert("dynamic-hz", YesNo, "yes", "See 'hz'."),
        inert("rdbchecksum", YesNo, "yes", SNAPSHOT_FORMAT).immutable(),
        inert("rdb-del-sync-files", YesNo, "no", SNAPSHOT_FORMAT),
        inert("rdb-save-incremental-fsync", YesNo, "yes", SNAPSHOT_FORMAT),
        inert("sanitize-dump-payload", Choice(&["no", "yes", "clients"]), "no", "A payload is always checked."),
        inert("key-load-delay", Integer(i32::MIN as i64, INT), "0", SNAPSHOT_FORMAT).hidden(),
        inert("loading-process-events-interval-bytes", Integer(1024, INT), "2097152", SNAPSHOT_FORMAT).hidden(),
        inert("server-cpulist", Text, "", "Set it where the service is started.")
            .alias(&["server_cpulist"])
            .immutable(),
        inert("bio-cpulist", Text, "", "Set it where the service is started.").alias(&["bio_cpulist"]).immutable(),
        inert("aof-rewrite-cpulist", Text, "", "Nothing is forked.").alias(&["aof_rewrite_cpulist"]).immutable(),
        inert("bgsave-cpulist", Text, "", "Nothing is forked.").alias(&["bgsave_cpulist"]).immutable(),
        inert("crash-log-enabled", YesNo, "yes", "A panic is always logged with its place."),
        inert("crash-memcheck-enabled", YesNo, "yes", "A panic is always logged with its place."),
        inert("use-exit-on-panic", YesNo, "no", "For tests of other servers.").hidden(),
        inert("watchdog-period", ANY, "0", "See 'latency-monitor-threshold'.").hidden(),
        inert("enable-debug-assert", YesNo, "no", "For tests of other servers.").immutable().hidden(),
        inert("debug-context", Text, "", "For tests of other servers.").hidden(),
        inert("req-res-logfile", Text, "", "For tests of other servers.").immutable().hidden(),
        inert("client-default-resp", Integer(2, 3), "2", "A client chooses with HELLO.").immutable().hidden(),
        inert("list-max-ziplist-entries", ANY, "512", "See 'list-max-listpack-size'.").hidden(),
        inert("list-max-ziplist-value", ANY, "64", "See 'list-max-listpack-size'.").hidden(),
        inert("lua-replicate-commands", YesNo, "yes", "Of scripts: there is nothing to choose here.").hidden(),
        inert("lookahead", Integer(1, INT), "16", "Pipelines are always looked up ahead."),
        inert("key-memory-histograms", YesNo, "no", "See MEMORY USAGE."),
        inert("lazyexpire-nested-arbitrary-keys", YesNo, "yes", "Expired keys are removed when they are met.").hidden(),
        inert("enable-module-command", Choice(&["no", "yes", "local"]), "no", "There are no modules.").immutable(),
        inert("proc-title-template", Text, "{title} {listen-addr} {server-mode}", "See 'set-proc-title'."),
        inert("ignore-warnings", Text, "", "The start does not refuse to go on for a warning."),
        inert("locale-collate", Text, "", "Comparison is by bytes."),
        inert("socket-mark-id", Integer(0, u32::MAX as i64), "0", "For packet filters of other systems.").immutable(),
        inert("bind-source-addr", Text, "", REPLICATION),
        inert("prefetch-batch-max-size", Integer(0, 128), "16", "Pipelines are always looked up ahead."),
        inert("events-per-io-thread", ANY, "2", THREADS).hidden(),
        inert("max-new-connections-per-cycle", Integer(1, 1000), "10", "Connections are accepted as they come."),
        inert("max-new-tls-connections-per-cycle", Integer(1, 1000), "1", TLS),
        inert("extended-redis-compatibility", YesNo, "no", "For scripts that ask for the server's name."),
        inert(
            "log-timestamp-format",
            Choice(&["legacy", "iso8601", "milliseconds"]),
            "iso8601",
            "Times in the log are ISO 8601.",
        ),
        inert("propagation-error-behavior", Choice(&["ignore", "panic", "panic-on-replicas"]), "ignore", REPLICATION),
        inert("lua-enable-deprecated-api", YesNo, "no", "Of scripts: there is nothing to choose here.")
            .immutable()
            .hidden(),
        inert("primaryauth", Text, "", REPLICATION).alias(&["masterauth"]).with(Flags::SENSITIVE),
        inert("primaryuser", Text, "", REPLICATION).alias(&["masteruser"]).with(Flags::SENSITIVE),
        inert("min-replicas-max-lag", ANY, "10", REPLICATION).alias(&["min-slaves-max-lag"]),
        inert("replica-announce-ip", Text, "", REPLICATION).alias(&["slave-announce-ip"]),
        inert("replica-announce-port", PORT, "0", REPLICATION).alias(&["slave-announce-port"]),
        inert("replica-announced", YesNo, "yes", REPLICATION),
        inert("replica-ignore-disk-write-errors", YesNo, "no", REPLICATION),
        inert("replica-ignore-maxmemory", YesNo, "yes", REPLICATION).alias(&["slave-ignore-maxmemory"]),
        inert("replica-lazy-flush", YesNo, "no", REPLICATION).alias(&["slave-lazy-flush"]),
        inert("replica-priority", ANY, "100", REPLICATION).alias(&["slave-priority"]),
        inert("replica-read-only", YesNo, "yes", REPLICATION).alias(&["slave-read-only"]),
        inert("replica-serve-stale-data", YesNo, "yes", REPLICATION).alias(&["slave-serve-stale-data"]),
        inert("repl-backlog-size", Memory(1, i64::MAX as u64), "1mb", REPLICATION),
        inert("repl-backlog-ttl", Integer(0, i64::MAX), "3600", REPLICATION),
        inert("repl-disable-tcp-nodelay", YesNo, "no", REPLICATION),
        inert(
            "repl-diskless-load",
            Choice(&["disabled", "on-empty-db", "swapdb", "flush-before-load"]),
            "disabled",
            REPLICATION,
        ),
        inert("repl-diskless-sync", YesNo, "yes", REPLICATION),
        inert("repl-diskless-sync-delay", ANY, "5", REPLICATION),
        inert("repl-diskless-sync-max-replicas", ANY, "0", REPLICATION),
        inert("repl-ping-replica-period", Integer(1, INT), "10", REPLICATION).alias(&["repl-ping-slave-period"]),
        inert("repl-timeout", Integer(1, INT), "60", REPLICATION),
        inert("repl-rdb-channel", YesNo, "yes", REPLICATION).hidden(),
        inert("dual-channel-replication-enabled", YesNo, "no", REPLICATION),
        inert("replica-full-sync-buffer-limit", BYTES, "0", REPLICATION),
        inert("no-appendfsync-on-rewrite", YesNo, "no", LOG_FILE),
        inert("aof-use-rdb-preamble", YesNo, "yes", LOG_FILE),
        inert("aof-timestamp-enabled", YesNo, "no", LOG_FILE),
        inert("aof-rewrite-incremental-fsync", YesNo, "yes", LOG_FILE),
        inert("aof-load-corrupt-tail-max-size", BYTES, "0", LOG_FILE),
        inert("aof-disable-auto-gc", YesNo, "no", LOG_FILE).hidden(),
        inert("cluster-config-file", Text, "nodes.conf", CLUSTER).immutable(),
        inert("cluster-node-timeout", Integer(0, i64::MAX), "15000", CLUSTER),
        inert("cluster-port", PORT, "0", CLUSTER).immutable(),
        inert("cluster-announce-ip", Text, "", CLUSTER),
        inert("cluster-announce-hostname", Text, "", CLUSTER),
        inert("cluster-announce-human-nodename", Text, "", CLUSTER),
        inert("cluster-announce-client-ipv4", Text, "", CLUSTER),
        inert("cluster-announce-client-ipv6", Text, "", CLUSTER),
        inert("cluster-announce-port", PORT, "0", CLUSTER),
        inert("cluster-announce-tls-port", PORT, "0", CLUSTER),
        inert("cluster-announce-bus-port", PORT, "0", CLUSTER),
        inert("cluster-preferred-endpoint-type", Choice(&["ip", "hostname", "unknown-endpoint"]), "ip", CLUSTER),
        inert("cluster-migration-barrier", ANY, "1", CLUSTER),
        inert("cluster-allow-replica-migration", YesNo, "yes", CLUSTER),
        inert("cluster-replica-no-failover", YesNo, "no", CLUSTER).alias(&["cluster-slave-no-failover"]),
        inert("cluster-replica-validity-factor", ANY, "10", CLUSTER).alias(&["cluster-slave-validity-factor"]),
        inert("cluster-require-full-coverage", YesNo, "yes", CLUSTER),
        inert("cluster-allow-reads-when-down", YesNo, "no", CLUSTER),
        inert("cluster-allow-pubsubshard-when-down", YesNo, "yes", CLUSTER),
        inert("cluster-link-sendbuf-limit", BYTES, "0", CLUSTER),
        inert("cluster-blacklist-ttl", ANY, "60", CLUSTER),
        inert("cluster-slot-stats-enabled", YesNo, "no", CLUSTER),
        inert("cluster-ping-interval", Integer(0, i64::MAX), "0", CLUSTER).hidden(),
        inert("cluster-compatibility-sample-ratio", Integer(0, 100), "0", CLUSTER),
        inert("cluster-slot-migration-max-archived-tasks", Integer(1, INT), "32", CLUSTER).hidden(),
        inert("cluster-slot-migration-handoff-max-lag-bytes", BYTES, "1mb", CLUSTER),
        inert("cluster-slot-migration-write-pause-timeout", Integer(0, i64::MAX), "10000", CLUSTER),
        inert("cluster-slot-migration-sync-buffer-drain-timeout", Integer(0, i64::MAX), "60000", CLUSTER).hidden(),
    ],
};

const NO_REPLICATION: &str = "there is no replication yet";

fn set_replicaof(_: &mut Settings, _: &Directive, words: &[String]) -> Result<(), Reason> {
    match words {
        [empty] if empty.is_empty() => Ok(()),
        [no, one] if no.eq_ignore_ascii_case("no") && one.eq_ignore_ascii_case("one") => Ok(()),
        [_, port] if port.parse::<u16>().is_err() => Err("Invalid primary port".into()),
        [_, _] => Err(NO_REPLICATION.into()),
        _ => Err("wrong number of arguments".into()),
    }
}

pub static REFUSED: Section = Section {
    title: "Not here yet",
    about: "Anything but the default stops the start, because it would not do what was asked.",
    rows: &[
        refused("cluster-enabled", YesNo, "no", "there is no cluster mode yet").immutable(),
        Directive { set: set_replicaof, ..refused("replicaof", Special("<host> <port>"), "", NO_REPLICATION) }
            .alias(&["slaveof"])
            .words()
            .immutable(),
        refused("syslog-enabled", YesNo, "no", "there is no syslog: log to standard output or to 'logfile'")
            .immutable(),
        inert("syslog-ident", Text, "flagstone", "Of syslog, which is not here.").immutable(),
        inert(
            "syslog-facility",
            Choice(&["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"]),
            "local0",
            "Of syslog, which is not here.",
        )
        .immutable(),
        inert("unixsocketgroup", Text, "", "The Unix socket belongs to the group of the process."),
    ],
};
