//! INFO: the server's figures, in sections, under the names that exporters and dashboards read.

use crate::{
    command::{
        Args, ClientHandle, CommandResult, Context, Shared,
        acl::Reason,
        pause::Paused,
        spec::{Acl, Flags, Reach, Spec},
        table,
    },
    config::Settings,
    keyspace::{DbStats, KeySizes, KeyspaceStats, MemoryStats, Type},
    stats::{Worker, rates::Rate},
};
use std::{
    fmt::Write,
    sync::{Arc, atomic::Ordering::Relaxed},
};

pub static COMMANDS: &[Spec] = &[Spec {
    name: "info",
    arity: -1,
    flags: Flags::LOADING.union(Flags::STALE),
    acl: Acl::SLOW.union(Acl::DANGEROUS),
    group: "server",
    summary: "Answers the server's figures.",
    syntax: "[section [section ...]]",
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    reach: Reach::AsItRuns,
    handler: info,
    ..Spec::DEFAULT
}];

/// What the sections are made from; gathered once, since most need the same sums.
struct View<'a> {
    shared: &'a Shared,
    settings: &'a Settings,
    now: i64,
    databases: Vec<Database>,
    memory: MemoryStats,
    keyspace: KeyspaceStats,
    watched_keys: usize,
    awaited_keys: (usize, usize),
}

struct Database {
    stats: DbStats,
    /// Of the keys that have a time to live.
    mean_ttl_ms: i64,
    sizes: KeySizes,
}

type Section = fn(&View<'_>, &mut String);

/// When a section is shown besides when it is named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// By INFO alone.
    Default,
    /// By INFO ALL.
    All,
    Named,
}

/// Name, heading, when it is shown, and its writer.
const SECTIONS: &[(&str, &str, Shown, Section)] = &[
    ("server", "Server", Shown::Default, server),
    ("clients", "Clients", Shown::Default, clients),
    ("memory", "Memory", Shown::Default, memory),
    ("persistence", "Persistence", Shown::Default, persistence),
    ("threads", "Threads", Shown::All, threads),
    ("stats", "Stats", Shown::Default, stats),
    ("replication", "Replication", Shown::Default, replication),
    ("cpu", "CPU", Shown::Default, cpu),
    ("hotkeys", "Hotkeys", Shown::Default, hot_keys),
    ("modules", "Modules", Shown::Default, |_, _| {}),
    ("commandstats", "Commandstats", Shown::All, commandstats),
    ("errorstats", "Errorstats", Shown::Default, errorstats),
    ("latencystats", "Latencystats", Shown::All, latencystats),
    ("cluster", "Cluster", Shown::Default, |_, out| line(out, "cluster_enabled", 0)),
    ("keyspace", "Keyspace", Shown::Default, keyspace),
    ("keysizes", "Keysizes", Shown::Default, keysizes),
    ("debug", "Debug", Shown::Named, debug),
];

fn info(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let asked: Vec<String> = args[1..].iter().map(|word| String::from_utf8_lossy(word).to_ascii_lowercase()).collect();
    let has = |word: &str| asked.iter().any(|asked| asked == word);
    let everything = has("all") || has("everything");
    let default = asked.is_empty() || has("default");
    let databases = (0..cx.shared.keyspace.databases()).map(|db| Database {
        stats: cx.keys.db_stats(db),
        mean_ttl_ms: cx.keys.mean_ttl_ms(db),
        sizes: cx.keys.key_sizes(db),
    });
    let (databases, memory) = (databases.collect(), cx.keys.memory_stats());
    let (keyspace, watched_keys, awaited_keys) = (cx.keys.stats(), cx.keys.watched_keys(), cx.keys.awaited_keys());
    let settings = cx.client.settings.clone();
    let (shared, settings, now) = (cx.shared, &settings, cx.now);
    let view = View { shared, settings, now, databases, memory, keyspace, watched_keys, awaited_keys };
    let mut out = String::new();
    for (name, heading, shown, write) in SECTIONS {
        if everything && *shown != Shown::Named || default && *shown == Shown::Default || has(name) {
            if !out.is_empty() {
                out.push_str("\r\n");
            }
            let _ = write!(out, "# {heading}\r\n");
            write(&view, &mut out);
        }
    }
    cx.reply.verbatim("txt", out.as_bytes());
    Ok(())
}

fn line(out: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = write!(out, "{name}:{value}\r\n");
}

/// Bytes as people read them (`1.50M`).
fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let power = (bytes.ilog2() / 10).min(UNITS.len() as u32);
    format!("{:.2}{}", bytes as f64 / (1u64 << (10 * power)) as f64, UNITS[power as usize - 1])
}

fn memory_line(out: &mut String, name: &str, bytes: u64) {
    line(out, name, bytes);
    line(out, &format!("{name}_human"), human(bytes));
}

fn server(view: &View<'_>, out: &mut String) {
    let uptime = (view.now - view.shared.started_ms).max(0) / 1000;
    // Clients gate their features on this name: the commands are those of that Redis.
    line(out, "redis_version", crate::command::COMPATIBLE_VERSION);
    line(out, "flagstone_version", env!("CARGO_PKG_VERSION"));
    line(out, "server_name", "flagstone");
    line(out, "redis_git_sha1", "00000000");
    line(out, "redis_git_dirty", 0);
    line(out, "redis_build_id", "0");
    line(out, "redis_mode", "standalone");
    line(out, "os", format_args!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
    line(out, "arch_bits", usize::BITS);
    line(out, "monotonic_clock", "POSIX clock_gettime");
    line(out, "multiplexing_api", "epoll");
    line(out, "process_id", std::process::id());
    line(out, "process_supervised", view.settings.supervised.name());
    line(out, "run_id", &view.shared.run_id);
    let Settings { port, tls_port, .. } = *view.settings;
    line(out, "tcp_port", if port == 0 { tls_port } else { port });
    line(out, "server_time_usec", view.now * 1000);
    line(out, "uptime_in_seconds", uptime);
    line(out, "uptime_in_days", uptime / 86400);
    line(out, "hz", view.settings.hz);
    line(out, "configured_hz", view.settings.hz);
    line(out, "lru_clock", (view.now / 1000) & 0xFF_FFFF);
    line(out, "executable", std::env::current_exe().unwrap_or_default().display());
    line(out, "config_file", view.shared.config.file().map(|file| file.display().to_string()).unwrap_or_default());
    line(out, "io_threads_active", i32::from(view.shared.cron_worker() > 1));
    line(out, "availability_zone", &view.settings.availability_zone);
    listeners(out, view.settings);
}

/// Where clients find the server.
fn listeners(out: &mut String, settings: &Settings) {
    let binds: String = settings.bind.0.iter().map(|bind| format!(",bind={bind}")).collect();
    let unix = &settings.unix_socket;
    let listeners = [
        (settings.port != 0).then(|| format!("name=tcp{binds},port={}", settings.port)),
        (!unix.is_empty()).then(|| format!("name=unix,bind={unix}")),
        (settings.tls_port != 0).then(|| format!("name=tls{binds},port={}", settings.tls_port)),
    ];
    for (at, listener) in listeners.into_iter().flatten().enumerate() {
        line(out, &format!("listener{at}"), listener);
    }
}

/// A client is active that has sent something, or was sent something, in this time.
const ACTIVE_MS: i64 = 512;

fn clients(view: &View<'_>, out: &mut String) {
    let all = view.shared.clients.all();
    let input = all.iter().map(|client| client.query_bytes.load(Relaxed)).max().unwrap_or(0);
    let output = all.iter().map(|client| client.output_bytes.load(Relaxed)).max().unwrap_or(0);
    let stats = &view.shared.stats;
    line(out, "connected_clients", all.len());
    line(out, "cluster_connections", 0);
    line(out, "maxclients", view.settings.maxclients);
    line(out, "client_recent_max_input_buffer", input);
    line(out, "client_recent_max_output_buffer", output);
    line(out, "blocked_clients", stats.blocked_clients.get());
    line(out, "tracking_clients", view.shared.tracking.figures().clients);
    line(out, "pubsub_clients", stats.subscribers.get());
    line(out, "watching_clients", stats.watching_clients.get());
    line(out, "clients_in_timeout_table", view.shared.blocking.timed());
    let is_active = |client: &&Arc<ClientHandle>| view.now - client.last_interaction.load(Relaxed) <= ACTIVE_MS;
    line(out, "active_clients", all.iter().filter(is_active).count());
    line(out, "total_watched_keys", view.watched_keys);
    line(out, "total_blocking_keys", view.awaited_keys.0);
    line(out, "total_blocking_keys_on_nokey", view.awaited_keys.1);
    let (reason, actions, milliseconds) = match view.shared.pause.get(view.now) {
        None => ("none", "none", 0),
        Some((Paused::All, until)) => ("client_pause", "all", until - view.now),
        Some((Paused::Writes, until)) => ("client_pause", "write", until - view.now),
    };
    line(out, "paused_reason", reason);
    line(out, "paused_actions", actions);
    line(out, "paused_timeout_milliseconds", milliseconds);
}

/// Resident bytes of the process, by /proc.
pub fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

fn memory(view: &View<'_>, out: &mut String) {
    let keyspace = &view.shared.keyspace;
    let used = keyspace.used_memory();
    let buffers = view.shared.clients.buffer_bytes();
    memory_line(out, "used_memory", used);
    let rss = resident();
    memory_line(out, "used_memory_rss", rss);
    let peak = keyspace.peak_memory();
    memory_line(out, "used_memory_peak", peak);
    line(out, "used_memory_peak_time", view.shared.stats.peak_since(peak, view.now) / 1000);
    line(out, "used_memory_peak_perc", format_args!("{:.2}%", used as f64 * 100.0 / peak.max(1) as f64));
    // Client buffers are not in the arena: they are in mem_clients_normal, and in neither of these.
    let dataset = view.memory.dataset().min(used);
    line(out, "used_memory_overhead", used - dataset);
    line(out, "used_memory_startup", 0);
    line(out, "used_memory_dataset", dataset);
    line(out, "used_memory_dataset_perc", format_args!("{:.2}%", dataset as f64 * 100.0 / used.max(1) as f64));
    line(out, "allocator_allocated", view.memory.live);
    line(out, "allocator_active", used);
    line(out, "allocator_resident", used);
    line(out, "allocator_muzzy", 0);
    memory_line(out, "total_system_memory", crate::config::system_memory());
    let (scripts, script_bytes) = view.shared.scripts.figures();
    let functions = view.shared.functions.figures();
    // A thread's interpreter runs scripts and functions; what it holds counts as the scripts'.
    let interpreter_bytes = view.shared.stats.interpreter_bytes();
    memory_line(out, "used_memory_lua", interpreter_bytes);
    line(out, "used_memory_vm_eval", interpreter_bytes);
    line(out, "used_memory_vm_functions", 0);
    memory_line(out, "used_memory_vm_total", interpreter_bytes);
    line(out, "used_memory_scripts_eval", script_bytes);
    line(out, "number_of_cached_scripts", scripts);
    line(out, "number_of_functions", functions.count);
    line(out, "number_of_libraries", functions.libraries);
    line(out, "used_memory_functions", functions.bytes);
    memory_line(out, "used_memory_scripts", (script_bytes + functions.bytes) as u64);
    memory_line(out, "maxmemory", keyspace.maxmemory());
    line(out, "maxmemory_policy", keyspace.policy().name());
    let live = view.memory.live;
    line(out, "allocator_frag_ratio", format_args!("{:.2}", ratio(used, live)));
    line(out, "allocator_frag_bytes", used.saturating_sub(live));
    // What is in use and what is resident is the same in the arena.
    line(out, "allocator_rss_ratio", "1.00");
    line(out, "allocator_rss_bytes", 0);
    let overhead = rss.saturating_sub(used);
    line(out, "rss_overhead_ratio", format_args!("{:.2}", ratio(rss, used)));
    line(out, "rss_overhead_bytes", overhead);
    line(out, "mem_fragmentation_ratio", format_args!("{:.2}", ratio(rss, used)));
    line(out, "mem_fragmentation_bytes", overhead);
    line(out, "mem_not_counted_for_evict", buffers);
    line(out, "mem_clients_slaves", 0);
    line(out, "mem_clients_normal", buffers);
    line(out, "mem_overhead_db_hashtable_rehashing", 0);
    line(out, "mem_replication_backlog", 0);
    line(out, "mem_total_replication_buffers", 0);
    line(out, "mem_replica_full_sync_buffer", 0);
    line(out, "mem_cluster_links", 0);
    line(out, "mem_aof_buffer", view.shared.keyspace.log().status().buffered);
    line(out, "mem_allocator", "flagstone-arena");
    line(out, "active_defrag_running", 0);
    line(out, "lazyfree_pending_objects", view.keyspace.pending_free);
    line(out, "lazyfreed_objects", view.keyspace.lazily_freed);
}

/// 0 where there is nothing to compare with.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn persistence(view: &View<'_>, out: &mut String) {
    let saver = view.shared.saver.status();
    let loading = view.shared.keyspace.arena().is_loading();
    // Values are served while they load, so `loading` stays 0: clients wait on it.
    line(out, "loading", 0);
    line(out, "async_loading", u8::from(loading));
    line(out, "rdb_changes_since_last_save", saver.changes_since(view.keyspace.dirty));
    line(out, "rdb_bgsave_in_progress", u8::from(saver.in_progress && !saver.is_rewriting()));
    line(out, "rdb_last_save_time", saver.last_save_ms / 1000);
    line(out, "rdb_last_bgsave_status", if saver.last_ok { "ok" } else { "err" });
    line(out, "rdb_last_bgsave_time_sec", if saver.last_duration_ms < 0 { -1 } else { saver.last_duration_ms / 1000 });
    line(out, "rdb_current_bgsave_time_sec", if saver.in_progress { (view.now - saver.started_ms) / 1000 } else { -1 });
    line(out, "rdb_saves", saver.saves);
    line(out, "rdb_saves_consecutive_failures", saver.failures);
    // There is no fork, hence nothing that one copies.
    let of_forks = [
        "rdb_last_cow_size",
        "aof_last_cow_size",
        "module_fork_last_cow_size",
        "module_fork_in_progress",
        "current_cow_peak",
        "current_cow_size",
        "current_cow_size_age",
    ];
    of_forks.iter().for_each(|name| line(out, name, 0));
    line(out, "current_fork_perc", "0.00");
    line(out, "rdb_last_load_keys_expired", 0);
    line(out, "rdb_last_load_keys_loaded", view.shared.stats.loaded_keys.get());
    let log = view.shared.keyspace.log().status();
    // What a rewrite is elsewhere, a snapshot is here.
    let last = if log.on && saver.last_duration_ms >= 0 { saver.last_duration_ms / 1000 } else { -1 };
    let current = if log.on && saver.in_progress { (view.now - saver.started_ms) / 1000 } else { -1 };
    line(out, "aof_enabled", u8::from(log.on));
    line(out, "aof_rewrite_in_progress", u8::from(saver.is_rewriting()));
    line(out, "aof_rewrite_scheduled", u8::from(saver.is_rewrite_scheduled()));
    line(out, "aof_last_rewrite_time_sec", last);
    line(out, "aof_current_rewrite_time_sec", current);
    line(out, "aof_rewrites", saver.rewrites_done);
    line(out, "aof_rewrites_consecutive_failures", if log.on { saver.failures } else { 0 });
    line(out, "aof_last_bgrewrite_status", if saver.last_ok { "ok" } else { "err" });
    line(out, "aof_last_write_status", if log.error.is_empty() { "ok" } else { "err" });
    if log.on {
        line(out, "aof_current_size", log.size);
        line(out, "aof_base_size", saver.last_bytes);
        line(out, "aof_pending_rewrite", u8::from(saver.is_rewrite_scheduled()));
        line(out, "aof_buffer_length", log.buffered);
        line(out, "aof_pending_bio_fsync", u8::from(log.unsynced > 0));
        line(out, "aof_delayed_fsync", 0);
    }
    line(out, "snapshot_bytes", saver.last_bytes);
    line(out, "snapshot_last_bytes_written", saver.last_written);
    line(out, "snapshot_last_kind", if saver.last_incremental { "incremental" } else { "full" });
    line(out, "snapshot_scrubbed_bytes", saver.scrubbed);
    line(out, "snapshot_scrub_damaged_blocks", saver.rotten);
    let (percent, eta_seconds) = view.shared.loading_progress(view.now);
    line(out, "snapshot_resident_perc", format_args!("{percent:.2}"));
    if loading {
        line(out, "snapshot_loading_pages_left", view.shared.keyspace.arena().progress().1);
        line(out, "snapshot_loading_eta_seconds", eta_seconds);
    }
    line(out, "snapshot_damaged_pages", view.shared.keyspace.arena().damaged_pages());
    line(out, "snapshot_lost_keys", view.keyspace.lost);
}

fn threads(view: &View<'_>, out: &mut String) {
    for (number, worker) in view.shared.stats.workers().iter().enumerate().take(view.settings.threads()) {
        let (reads, writes) = (worker.reads.get(), worker.writes.get());
        line(out, &format!("io_thread_{number}"), format_args!("reads={reads},writes={writes}"));
    }
}

fn stats(view: &View<'_>, out: &mut String) {
    let stats = &view.shared.stats;
    let sum = |counter: fn(&Worker) -> u64| stats.workers().iter().map(counter).sum::<u64>();
    let kbps = |rate| stats.rates.get(rate) as f64 / 1024.0;
    line(out, "total_connections_received", stats.connections.get());
    line(out, "total_commands_processed", stats.calls());
    line(out, "instantaneous_ops_per_sec", stats.rates.get(Rate::Commands));
    line(out, "total_net_input_bytes", sum(|worker| worker.network_in.get()));
    line(out, "total_net_output_bytes", sum(|worker| worker.network_out.get()));
    line(out, "total_net_repl_input_bytes", 0);
    line(out, "total_net_repl_output_bytes", 0);
    line(out, "instantaneous_input_kbps", format_args!("{:.2}", kbps(Rate::BytesIn)));
    line(out, "instantaneous_output_kbps", format_args!("{:.2}", kbps(Rate::BytesOut)));
    line(out, "instantaneous_input_repl_kbps", "0.00");
    line(out, "instantaneous_output_repl_kbps", "0.00");
    line(out, "rejected_connections", stats.rejected_connections.get());
    line(out, "sync_full", 0);
    line(out, "sync_partial_ok", 0);
    line(out, "sync_partial_err", 0);
    line(out, "expired_keys", view.keyspace.expired);
    line(out, "expired_stale_perc", "0.00");
    line(out, "expired_time_cap_reached_count", 0);
    line(out, "expire_cycle_cpu_milliseconds", stats.expiry_nanos.get() / 1_000_000);
    line(out, "expired_keys_active", view.keyspace.expired_active);
    line(out, "expired_subkeys", view.keyspace.expired_fields);
    line(out, "expired_subkeys_active", view.keyspace.expired_fields_active);
    line(out, "evicted_keys", view.keyspace.evicted);
    line(out, "evicted_clients", view.shared.stats.evicted_clients.get());
    line(out, "evicted_scripts", view.shared.scripts.evicted.get());
    line(out, "total_eviction_exceeded_time", 0);
    line(out, "current_eviction_exceeded_time", 0);
    line(out, "keyspace_hits", view.keyspace.hits);
    line(out, "keyspace_misses", view.keyspace.misses);
    line(out, "pubsub_channels", view.shared.pubsub.channels.len());
    line(out, "pubsub_patterns", view.shared.pubsub.patterns());
    line(out, "pubsubshard_channels", view.shared.pubsub.shard_channels.len());
    line(out, "latest_fork_usec", 0);
    line(out, "total_forks", 0);
    line(out, "migrate_cached_sockets", view.shared.courier().kept());
    line(out, "slave_expires_tracked_keys", 0);
    for name in ["hits", "misses", "key_hits", "key_misses"] {
        line(out, &format!("active_defrag_{name}"), 0);
    }
    line(out, "total_active_defrag_time", 0);
    line(out, "current_active_defrag_time", 0);
    let tracking = view.shared.tracking.figures();
    line(out, "tracking_total_keys", tracking.keys);
    line(out, "tracking_total_items", tracking.items);
    line(out, "tracking_total_prefixes", tracking.prefixes);
    line(out, "unexpected_error_replies", 0);
    line(out, "total_error_replies", stats.error_replies.get());
    line(out, "total_reads_processed", sum(|worker| worker.reads.get()));
    line(out, "total_writes_processed", sum(|worker| worker.writes.get()));
    // Every thread reads and writes for its own clients.
    line(out, "io_threaded_reads_processed", sum(|worker| worker.reads.get()));
    line(out, "io_threaded_writes_processed", sum(|worker| worker.writes.get()));
    // Buffers of replies are lent for a turn: none is ever resized for its client.
    line(out, "reply_buffer_shrinks", 0);
    line(out, "reply_buffer_expands", 0);
    line(out, "client_query_buffer_limit_disconnections", stats.query_limit_closes.get());
    line(out, "client_output_buffer_limit_disconnections", stats.output_limit_closes.get());
    let turns = stats.turns();
    line(out, "eventloop_cycles", turns.count);
    line(out, "eventloop_cycles_with_clients_processing", turns.busy);
    line(out, "eventloop_duration_sum", turns.nanos / 1000);
    line(out, "eventloop_duration_cmd_sum", stats.command_nanos() / 1000);
    let per_second = stats.rates.get(Rate::Turns);
    line(out, "instantaneous_eventloop_cycles_per_sec", per_second);
    let nanos = stats.rates.get(Rate::TurnNanos).checked_div(per_second).unwrap_or(0);
    line(out, "instantaneous_eventloop_duration_usec", nanos.div_ceil(1000));
    let slow = stats.slow_calls();
    line(out, "slowlog_commands_count", slow.calls);
    line(out, "slowlog_commands_time_ms_max", millis(slow.micros_max));
    line(out, "slowlog_commands_time_ms_sum", millis(slow.micros));
    let (pipelined, pipelines) = (sum(|worker| worker.pipelined.get()), sum(|worker| worker.pipelines.get()));
    line(out, "total_client_processing_events", pipelines);
    line(out, "avg_pipeline_length_sum", pipelined);
    line(out, "avg_pipeline_length_cnt", pipelines);
    line(out, "avg_pipeline_length", format_args!("{:.2}", pipelined as f64 / pipelines.max(1) as f64));
    let denied = |reason| view.shared.users.log.denied(reason);
    line(out, "acl_access_denied_auth", denied(Reason::Auth));
    line(out, "acl_access_denied_cmd", denied(Reason::Command));
    line(out, "acl_access_denied_key", denied(Reason::Key));
    line(out, "acl_access_denied_channel", denied(Reason::Channel));
    line(out, "acl_access_denied_tls_cert", denied(Reason::Certificate));
}

/// Milliseconds with two decimals.
fn millis(micros: u64) -> String {
    format!("{:.2}", micros as f64 / 1000.0)
}

/// What is of interest only to who works on the server itself.
fn debug(view: &View<'_>, out: &mut String) {
    let (turns, beats) = (view.shared.stats.turns(), &view.shared.stats.beats);
    line(out, "eventloop_duration_aof_sum", 0);
    line(out, "eventloop_duration_cron_sum", beats.nanos.get() / 1000);
    line(out, "eventloop_duration_max", turns.nanos_max / 1000);
    line(out, "eventloop_cmd_per_cycle_max", turns.commands_max);
}

fn replication(view: &View<'_>, out: &mut String) {
    line(out, "role", "master");
    line(out, "connected_slaves", 0);
    line(out, "master_failover_state", "no-failover");
    line(out, "master_replid", &view.shared.run_id);
    line(out, "master_replid2", "0".repeat(40));
    line(out, "master_repl_offset", 0);
    line(out, "second_repl_offset", -1);
    line(out, "repl_backlog_active", 0);
    line(out, "repl_backlog_size", 0);
    line(out, "repl_backlog_first_byte_offset", 0);
    line(out, "repl_backlog_histlen", 0);
}

/// User and system seconds of the process, by /proc.
fn cpu(_: &View<'_>, out: &mut String) {
    let [user, sys, user_of_children, sys_of_children] = cpu_seconds();
    let main = format!("/proc/self/task/{}/stat", std::process::id());
    let [user_of_main, sys_of_main, ..] = cpu_seconds_of(&main);
    for (name, seconds) in [
        ("used_cpu_sys", sys),
        ("used_cpu_user", user),
        ("used_cpu_sys_children", sys_of_children),
        ("used_cpu_user_children", user_of_children),
        ("used_cpu_sys_main_thread", sys_of_main),
        ("used_cpu_user_main_thread", user_of_main),
    ] {
        line(out, name, format_args!("{seconds:.6}"));
    }
}

/// How long processors have worked for this process: for itself and in the kernel, then the same for its children.
pub fn cpu_seconds() -> [f64; 4] {
    cpu_seconds_of("/proc/self/stat")
}

fn cpu_seconds_of(file: &str) -> [f64; 4] {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // After the name, which may hold anything.
    let mut fields = text.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    std::array::from_fn(|_| fields.next().and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0) / ticks)
}

fn hot_keys(view: &View<'_>, out: &mut String) {
    view.shared.hot_keys.look(view.now, |session| {
        line(out, "hotkeys-tracking-active", u8::from(session.is_active()));
        line(out, "hotkeys-cmd-cpu-time", session.own_nanos / 1_000_000);
    });
}

fn commandstats(view: &View<'_>, out: &mut String) {
    for command in table::all() {
        let totals = view.shared.stats.command(command.id);
        if totals.calls + totals.rejected > 0 {
            let mut text = format!(
                "calls={},usec={},usec_per_call={:.2},rejected_calls={},failed_calls={}",
                totals.calls,
                totals.nanos / 1000,
                totals.nanos as f64 / 1000.0 / totals.calls.max(1) as f64,
                totals.rejected,
                totals.failed
            );
            let slow = totals.slow;
            if slow.calls > 0 {
                let (sum, max) = (millis(slow.micros), millis(slow.micros_max));
                text += &format!(",slowlog_count={},slowlog_time_ms_sum={sum},slowlog_time_ms_max={max}", slow.calls);
            }
            line(out, &format!("cmdstat_{}", command.full_name), text);
        }
    }
}

fn errorstats(view: &View<'_>, out: &mut String) {
    for (code, count) in view.shared.stats.errors() {
        line(out, &format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

fn latencystats(view: &View<'_>, out: &mut String) {
    let percents = &view.settings.latency_tracking_percentiles.0;
    for command in table::all() {
        let totals = view.shared.stats.command(command.id);
        if totals.latency.iter().any(|calls| *calls > 0) {
            let shown: Vec<String> = percents
                .iter()
                .map(|percent| format!("p{percent}={:.3}", totals.latency_percentile(*percent) as f64 / 1000.0))
                .collect();
            line(out, &format!("latency_percentiles_usec_{}", command.full_name), shown.join(","));
        }
    }
}

fn keyspace(view: &View<'_>, out: &mut String) {
    for (db, Database { stats, mean_ttl_ms, sizes }) in occupied(view) {
        line(
            out,
            &format!("db{db}"),
            format_args!(
                "keys={},expires={},avg_ttl={mean_ttl_ms},subexpiry={}",
                stats.keys, stats.expires, sizes.fields_expire
            ),
        );
    }
}

/// Databases that hold keys, by number.
fn occupied<'v>(view: &'v View<'_>) -> impl Iterator<Item = (usize, &'v Database)> {
    view.databases.iter().enumerate().filter(|(_, database)| database.stats.keys > 0)
}

fn keysizes(view: &View<'_>, out: &mut String) {
    for (db, database) in occupied(view) {
        for (kind, counts) in database.sizes.by_type() {
            let (plural, unit) = match kind {
                Type::String => ("strings", "sizes"),
                Type::List => ("lists", "items"),
                Type::Set => ("sets", "items"),
                Type::ZSet => ("zsets", "items"),
                _ => ("hashes", "items"),
            };
            let filled = (0..).zip(counts).filter(|(_, keys)| **keys > 0);
            let shown: Vec<String> = filled.map(|(bin, keys)| format!("{}={keys}", least_of_bin(bin))).collect();
            if !shown.is_empty() {
                line(out, &format!("db{db}_distrib_{plural}_{unit}"), shown.join(","));
            }
        }
    }
}

/// The least length that a bin counts, as Redis writes it: 0, 1, 2 ... 512, 1K, 2K ...
fn least_of_bin(bin: u32) -> String {
    let Some(power) = bin.checked_sub(1) else { return "0".into() };
    format!("{}{}", 1 << (power % 10), ["", "K", "M", "G"][power as usize / 10])
}
