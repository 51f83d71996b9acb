//! Every setting that does something, as a plain typed struct.

use super::{directive::Kept, table, tls::TlsSettings, value::*};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct Settings {
    // Network
    pub bind: BindAddresses,
    pub port: u16,
    pub tcp_backlog: u32,
    pub tcp_keepalive_seconds: u32,
    pub unix_socket: String,
    pub unix_socket_mode: Mode,
    pub protected_mode: bool,
    pub timeout_seconds: u32,
    pub maxclients: u32,
    pub maxmemory_clients: ClientMemory,
    pub proto_max_bulk_len: u64,
    pub proto_inline_max_size: u64,
    pub client_query_buffer_limit: u64,
    pub client_output_buffer_limits: OutputLimits,
    /// 0: one per core.
    pub server_threads: u32,
    pub coalesce_us: u64,

    // TLS
    /// 0: none.
    pub tls_port: u16,
    pub tls: TlsSettings,

    // General
    pub databases: u32,
    pub hz: u32,
    pub daemonize: bool,
    pub supervised: Supervised,
    pub oom_score_adj: OomScoreAdj,
    pub oom_score_adj_values: OomValues,
    pub pidfile: String,
    pub busy_reply_threshold_ms: u64,
    pub availability_zone: String,
    pub min_replicas_to_write: u32,
    /// Keys are taken over from another server, which decides when they expire.
    pub import_mode: bool,

    // Security
    pub requirepass: String,
    pub enable_protected_configs: Guard,
    pub enable_debug_command: Guard,
    pub tracking_table_max_keys: u64,
    pub acllog_max_len: u64,
    /// Empty: none.
    pub acl_file: String,
    pub acl_pubsub_default: PubsubDefault,

    // Logging
    pub loglevel: LogLevel,
    /// Empty: standard output.
    pub logfile: String,
    pub log_format: LogFormat,

    // Memory
    /// 0: no limit.
    pub maxmemory: u64,
    pub maxmemory_policy: Policy,

    // Snapshots
    pub save: Vec<SaveRule>,
    /// Always absolute.
    pub dir: PathBuf,
    pub dbfilename: String,
    pub import_rdb: String,
    pub stop_writes_on_bgsave_error: bool,
    /// DUMP's payloads are compressed.
    pub rdb_compression: bool,
    pub rdb_version_check: VersionCheck,
    pub rdb_key_save_delay_us: i64,
    pub on_corrupt: OnCorrupt,
    /// Bytes per second; 0: no limit.
    pub snapshot_max_bandwidth: u64,
    /// Bytes per second; 0: none.
    pub snapshot_scrub_bandwidth: u64,
    pub shutdown_timeout_seconds: u32,
    pub shutdown_on_sigterm: ShutdownOn,
    pub shutdown_on_sigint: ShutdownOn,

    // Append-only file
    pub append_only: bool,
    pub append_fsync: AppendFsync,
    pub append_dirname: String,
    pub append_filename: String,
    /// 0: never.
    pub auto_aof_rewrite_percentage: u32,
    pub auto_aof_rewrite_min_size: u64,
    pub aof_load_truncated: bool,

    // Observing
    pub slowlog_log_slower_than_us: i64,
    pub slowlog_max_len: u64,
    pub slowlog_entry_max_argc: u32,
    pub slowlog_entry_max_string_len: u64,
    pub commandlog_request_larger_than: i64,
    pub commandlog_large_request_max_len: u64,
    pub commandlog_reply_larger_than: i64,
    pub commandlog_large_reply_max_len: u64,
    /// 0: off.
    pub latency_monitor_threshold_ms: u64,
    pub latency_tracking: bool,
    pub latency_tracking_percentiles: Percentiles,
    pub notify_keyspace_events: KeyspaceEvents,

    // Encodings
    pub list_max_listpack_size: i64,
    pub hash_max_listpack_entries: u64,
    pub hash_max_listpack_value: u64,
    pub set_max_intset_entries: u64,
    pub set_max_listpack_entries: u64,
    pub set_max_listpack_value: u64,
    pub zset_max_listpack_entries: u64,
    pub zset_max_listpack_value: u64,
    pub stream_node_max_bytes: u64,
    pub stream_node_max_entries: u64,
    pub stream_idmp_duration: u64,
    pub stream_idmp_maxsize: u64,
    pub array_slice_size: u64,
    pub array_sparse_kmax: u64,
    pub array_sparse_kmin: u64,
    pub hll_sparse_max_bytes: u64,

    /// Directives that are accepted and do nothing.
    pub kept: Kept,
}

impl Settings {
    /// Where the snapshot is written and looked for.
    pub fn snapshot_path(&self) -> PathBuf {
        self.dir.join(&self.dbfilename)
    }

    /// Whether function libraries are kept at each change, as keys are; else with the snapshots that are asked for.
    pub fn keeps_functions(&self) -> bool {
        !self.save.is_empty() || self.append_only
    }

    /// The file of function libraries, beside the snapshot.
    pub fn functions_path(&self) -> PathBuf {
        self.dir.join(format!("{}.functions", self.dbfilename))
    }

    /// The Redis file to bring in.
    pub fn import_path(&self) -> Option<PathBuf> {
        if self.import_rdb.is_empty() { None } else { Some(self.dir.join(&self.import_rdb)) }
    }

    /// Where the append-only files are.
    pub fn append_directory(&self) -> PathBuf {
        self.dir.join(&self.append_dirname)
    }

    /// The log file; a relative one lies in `dir`. None: standard output.
    pub fn logfile_path(&self) -> Option<PathBuf> {
        (!self.logfile.is_empty()).then(|| self.dir.join(&self.logfile))
    }

    /// The number of worker threads.
    pub fn threads(&self) -> usize {
        match self.server_threads {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            threads => threads as usize,
        }
    }

    /// A relative path as it is meant: relative to `dir`.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.dir.join(path)
    }
}

impl Default for Settings {
    /// Every directive at the default its row names.
    fn default() -> Self {
        let mut settings = blank();
        for directive in table::all() {
            let words = super::words(directive.default);
            if let Err(reason) = directive.apply(&mut settings, &words) {
                unreachable!("the default of {} is refused: {reason}", directive.name);
            }
        }
        settings.kept.clear();
        settings
    }
}

/// Something for the defaults to be written into.
fn blank() -> Settings {
    Settings {
        bind: BindAddresses::default(),
        port: 0,
        tcp_backlog: 0,
        tcp_keepalive_seconds: 0,
        unix_socket: String::new(),
        unix_socket_mode: Mode::default(),
        protected_mode: false,
        timeout_seconds: 0,
        maxclients: 0,
        maxmemory_clients: ClientMemory::default(),
        proto_max_bulk_len: 0,
        proto_inline_max_size: 0,
        client_query_buffer_limit: 0,
        client_output_buffer_limits: OutputLimits::default(),
        server_threads: 0,
        coalesce_us: 30,
        tls_port: 0,
        tls: TlsSettings::default(),
        databases: 0,
        hz: 0,
        daemonize: false,
        supervised: Supervised::No,
        oom_score_adj: OomScoreAdj::No,
        oom_score_adj_values: OomValues([0, 200, 800]),
        pidfile: String::new(),
        busy_reply_threshold_ms: 0,
        availability_zone: String::new(),
        min_replicas_to_write: 0,
        import_mode: false,
        requirepass: String::new(),
        enable_protected_configs: Guard::No,
        enable_debug_command: Guard::No,
        tracking_table_max_keys: 0,
        acllog_max_len: 0,
        acl_file: String::new(),
        acl_pubsub_default: PubsubDefault::None,
        loglevel: LogLevel::Notice,
        logfile: String::new(),
        log_format: LogFormat::Text,
        maxmemory: 0,
        maxmemory_policy: Policy::NoEviction,
        save: Vec::new(),
        dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
        dbfilename: String::new(),
        import_rdb: String::new(),
        stop_writes_on_bgsave_error: false,
        rdb_compression: false,
        rdb_version_check: VersionCheck::Strict,
        rdb_key_save_delay_us: 0,
        on_corrupt: OnCorrupt::Refuse,
        snapshot_max_bandwidth: 0,
        snapshot_scrub_bandwidth: 0,
        shutdown_timeout_seconds: 0,
        shutdown_on_sigterm: ShutdownOn::empty(),
        shutdown_on_sigint: ShutdownOn::empty(),
        append_only: false,
        append_fsync: AppendFsync::Everysec,
        append_dirname: String::new(),
        append_filename: String::new(),
        auto_aof_rewrite_percentage: 0,
        auto_aof_rewrite_min_size: 0,
        aof_load_truncated: false,
        slowlog_log_slower_than_us: 0,
        slowlog_max_len: 0,
        slowlog_entry_max_argc: 0,
        slowlog_entry_max_string_len: 0,
        commandlog_request_larger_than: 0,
        commandlog_large_request_max_len: 0,
        commandlog_reply_larger_than: 0,
        commandlog_large_reply_max_len: 0,
        latency_monitor_threshold_ms: 0,
        latency_tracking: false,
        latency_tracking_percentiles: Percentiles::default(),
        notify_keyspace_events: KeyspaceEvents::empty(),
        list_max_listpack_size: 0,
        hash_max_listpack_entries: 0,
        hash_max_listpack_value: 0,
        set_max_intset_entries: 0,
        set_max_listpack_entries: 0,
        set_max_listpack_value: 0,
        zset_max_listpack_entries: 0,
        zset_max_listpack_value: 0,
        stream_node_max_bytes: 0,
        stream_node_max_entries: 0,
        stream_idmp_duration: 0,
        stream_idmp_maxsize: 0,
        array_slice_size: 0,
        array_sparse_kmax: 0,
        array_sparse_kmin: 0,
        hll_sparse_max_bytes: 0,
        kept: Kept::new(),
    }
}
