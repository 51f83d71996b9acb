//! Memory, eviction, snapshots, encodings.

use super::{Section, field};
use crate::config::{
    directive::{Directive, Flags, Kind, Lines, directive, inert},
    reason::{Reason, system_error},
    settings::Settings,
    value::{OnCorrupt, Policy, ShutdownOn, Value, VersionCheck},
};
use Kind::*;
use std::path::Path;

const INT: i64 = i32::MAX as i64;
const ANY: Kind = Integer(0, i64::MAX);
const ANY_BYTES: Kind = Memory(0, i64::MAX as u64);

pub static MEMORY: Section = Section {
    title: "Memory and eviction",
    about: "",
    rows: &[
        directive(
            "maxmemory",
            Memory(0, u64::MAX),
            "0",
            "The memory that values and their index may use; 0 is no limit, but in a container with a limit of its own a safe share of that is used.",
            field!(maxmemory),
        ),
        directive(
            "maxmemory-policy",
            Choice(Policy::NAMES),
            "noeviction",
            "Which keys give way at maxmemory: noeviction refuses writes instead; allkeys-s3fifo is the best choice for a cache, volatile-s3fifo the same among keys with a time to live.",
            field!(maxmemory_policy),
        ),
        inert(
            "maxmemory-samples",
            Integer(1, 64),
            "5",
            "How many keys the sampling policies (lru, lfu, random, ttl) compare.",
        ),
        inert(
            "maxmemory-eviction-tenacity",
            Integer(0, 100),
            "10",
            "How long one command may evict before others get their turn.",
        ),
        inert("lfu-log-factor", Integer(0, INT), "10", "How slowly the counter of uses grows; more is slower."),
        inert("lfu-decay-time", Integer(0, INT), "1", "Minutes after which an unused key's counter is lowered."),
        inert(
            "active-expire-effort",
            Integer(1, 10),
            "1",
            "How much work goes into removing expired keys that nobody asks for.",
        ),
    ],
};

pub static LAZY_FREEING: Section = Section {
    title: "Lazy freeing",
    about: "Large values are always freed in small steps, after the command.",
    rows: &[
        inert("lazyfree-lazy-eviction", YesNo, "no", "For evicted keys."),
        inert("lazyfree-lazy-expire", YesNo, "no", "For expired keys."),
        inert("lazyfree-lazy-server-del", YesNo, "no", "For values that a write replaces."),
        inert("lazyfree-lazy-user-del", YesNo, "no", "Make DEL act as UNLINK."),
        inert("lazyfree-lazy-user-flush", YesNo, "no", "Make FLUSHALL and FLUSHDB without SYNC or ASYNC act as ASYNC."),
    ],
};

pub static SNAPSHOTS: Section = Section {
    title: "Snapshots and shutdown",
    about: "",
    rows: &[
        directive(
            "save",
            Special("<seconds> <changes> ..."),
            "3600 1 300 100 60 10000",
            "Write a snapshot when so many seconds have passed since the last and so many changes were made; several pairs or lines add up, and \"\" switches snapshots off.",
            (get_save, set_save),
        )
        .on(Lines::Added(2)),
        directive("dir", Text, "./", "The directory of the snapshot and of other files.", (get_dir, set_dir))
            .with(Flags::PROTECTED),
        directive(
            "dbfilename",
            Text,
            "dump.flag",
            "The snapshot's file name in 'dir'.",
            (|settings, _| settings.dbfilename.clone(), set_dbfilename),
        )
        .with(Flags::PROTECTED),
        directive(
            "import-rdb",
            Text,
            "",
            "A dump.rdb of Redis or Valkey that is brought in at a start without a snapshot. One at the snapshot's own place is brought in anyway.",
            field!(import_rdb),
        ),
        directive(
            "stop-writes-on-bgsave-error",
            YesNo,
            "yes",
            "Refuse writes while the last snapshot of a save rule has failed.",
            field!(stop_writes_on_bgsave_error),
        ),
        directive(
            "rdbcompression",
            YesNo,
            "yes",
            "Compress the strings in what DUMP answers.",
            field!(rdb_compression),
        ),
        directive(
            "rdb-version-check",
            Choice(VersionCheck::NAMES),
            "strict",
            "Whether RESTORE refuses payloads of newer versions than it knows.",
            field!(rdb_version_check),
        ),
        directive(
            "rdb-key-save-delay",
            Integer(i32::MIN as i64, INT),
            "0",
            "Microseconds to pause for each key of a snapshot, for tests.",
            field!(rdb_key_save_delay_us),
        )
        .hidden(),
        directive(
            "on-corrupt",
            Choice(OnCorrupt::NAMES),
            "refuse",
            "What a start does with a snapshot that is damaged: refuse; quarantine, which puts it aside and goes on from the one before it, or with no keys when there is none; or empty. A page that is found damaged later costs its keys only, which INFO counts.",
            field!(on_corrupt),
        ),
        directive(
            "snapshot-max-bandwidth",
            Memory(0, u64::MAX),
            "0",
            "Bytes per second that a snapshot writes at most, 0 for as many as it can; the last one before the server ends takes no heed.",
            field!(snapshot_max_bandwidth),
        ),
        directive(
            "snapshot-scrub-bandwidth",
            Memory(0, u64::MAX),
            "1mb",
            "Bytes per second that are read of the snapshots on the disk, to see whether they are still as they were written; 0 for none. What is not is written anew with the next snapshot, which is taken at once when it is the newest that is damaged and there are save rules or an append-only file.",
            field!(snapshot_scrub_bandwidth),
        ),
        directive(
            "shutdown-timeout",
            Integer(0, INT),
            "8",
            "Seconds that SIGTERM and SIGINT leave for the last snapshot, 0 for as many as it takes; past them the snapshot before it stays, and the server ends. While it runs, snapshots are taken so often that the last one fits.",
            field!(shutdown_timeout_seconds),
        ),
        directive(
            "shutdown-on-sigint",
            Choice(ShutdownOn::NAMES),
            "default",
            "What SIGINT does: default saves if there are save rules; or a mix of save, nosave, now and force.",
            field!(shutdown_on_sigint),
        )
        .words(),
        directive(
            "shutdown-on-sigterm",
            Choice(ShutdownOn::NAMES),
            "default",
            "What SIGTERM does, likewise.",
            field!(shutdown_on_sigterm),
        )
        .words(),
    ],
};

fn get_save(settings: &Settings, _: &Directive) -> String {
    crate::config::value::Value::show(&settings.save)
}

/// Replaces the rules; the loader adds those of several lines up before it calls this.
fn set_save(settings: &mut Settings, directive: &Directive, words: &[String]) -> Result<(), Reason> {
    settings.save = crate::config::value::Value::read(directive.kind, words)?;
    Ok(())
}

fn get_dir(settings: &Settings, _: &Directive) -> String {
    settings.dir.to_string_lossy().into_owned()
}

/// The process stays where it was started: a relative directory is meant from the one before.
fn set_dir(settings: &mut Settings, _: &Directive, words: &[String]) -> Result<(), Reason> {
    let word = words.first().map_or("", String::as_str);
    if word.is_empty() {
        return Err("dir can't be empty".into());
    }
    let dir = settings.resolve(Path::new(word));
    let dir = dir.canonicalize().map_err(|error| Reason::from(system_error(&error)))?;
    if !dir.is_dir() {
        return Err("Not a directory".into());
    }
    settings.dir = dir;
    Ok(())
}

fn set_dbfilename(settings: &mut Settings, _: &Directive, words: &[String]) -> Result<(), Reason> {
    let name = words.first().map_or("", String::as_str);
    if name.is_empty() {
        return Err("dbfilename can't be empty".into());
    }
    if name.contains('/') || name == "." || name == ".." {
        return Err("dbfilename can't be a path, just a filename".into());
    }
    settings.dbfilename = name.to_owned();
    Ok(())
}

pub static ENCODINGS: Section = Section {
    title: "Encodings of small values",
    about: "Up to these sizes a collection is packed into one piece; beyond, it is a tree.",
    rows: &[
        directive(
            "list-max-listpack-size",
            Integer(i32::MIN as i64, INT),
            "-2",
            "Elements in a node of a list, or -1 to -5 for 4 kb to 64 kb.",
            field!(list_max_listpack_size),
        )
        .alias(&["list-max-ziplist-size"]),
        inert(
            "list-compress-depth",
            Integer(0, INT),
            "0",
            "How many nodes at each end of a list stay uncompressed; 0 compresses none.",
        ),
        directive(
            "hash-max-listpack-entries",
            ANY,
            "512",
            "Fields of a packed hash.",
            field!(hash_max_listpack_entries),
        )
        .alias(&["hash-max-ziplist-entries"]),
        directive(
            "hash-max-listpack-value",
            ANY_BYTES,
            "64",
            "The longest field or value of a packed hash.",
            field!(hash_max_listpack_value),
        )
        .alias(&["hash-max-ziplist-value"]),
        directive(
            "set-max-intset-entries",
            ANY,
            "512",
            "Members of a set of integers packed as such.",
            field!(set_max_intset_entries),
        ),
        directive("set-max-listpack-entries", ANY, "128", "Members of a packed set.", field!(set_max_listpack_entries)),
        directive(
            "set-max-listpack-value",
            ANY,
            "64",
            "The longest member of a packed set.",
            field!(set_max_listpack_value),
        ),
        directive(
            "zset-max-listpack-entries",
            ANY,
            "128",
            "Members of a packed sorted set.",
            field!(zset_max_listpack_entries),
        )
        .alias(&["zset-max-ziplist-entries"]),
        directive(
            "zset-max-listpack-value",
            ANY_BYTES,
            "64",
            "The longest member of a packed sorted set.",
            field!(zset_max_listpack_value),
        )
        .alias(&["zset-max-ziplist-value"]),
        directive(
            "stream-node-max-bytes",
            ANY_BYTES,
            "4096",
            "Bytes in a node of a stream; 0 is no limit.",
            field!(stream_node_max_bytes),
        ),
        directive(
            "stream-node-max-entries",
            ANY,
            "100",
            "Entries in a node of a stream; 0 is no limit.",
            field!(stream_node_max_entries),
        ),
        directive(
            "stream-idmp-duration",
            Integer(1, 86_400),
            "100",
            "Seconds for which a stream remembers what its producers have sent.",
            field!(stream_idmp_duration),
        ),
        directive(
            "stream-idmp-maxsize",
            Integer(1, 10_000),
            "100",
            "How many entries of each producer a stream remembers.",
            field!(stream_idmp_maxsize),
        ),
        directive(
            "array-slice-size",
            Integer(256, 65_536),
            "4096",
            "Indexes of a slice of an array, as ARINFO counts them: a power of two.",
            (|settings, _| settings.array_slice_size.to_string(), set_array_slice_size),
        ),
        directive(
            "array-sparse-kmax",
            Integer(0, 256),
            "10",
            "Values that ARINFO calls sparse in a slice, at most; 0: none.",
            (|settings, _| settings.array_sparse_kmax.to_string(), set_array_sparse_kmax),
        ),
        directive(
            "array-sparse-kmin",
            Integer(0, 256),
            "5",
            "So many values of a slice are sparse even side by side.",
            (|settings, _| settings.array_sparse_kmin.to_string(), set_array_sparse_kmin),
        ),
        directive(
            "hll-sparse-max-bytes",
            ANY_BYTES,
            "3000",
            "Bytes up to which a HyperLogLog stays sparse.",
            field!(hll_sparse_max_bytes),
        ),
    ],
};

fn set_array_slice_size(settings: &mut Settings, directive: &Directive, words: &[String]) -> Result<(), Reason> {
    let size = u64::read(directive.kind, words)?;
    if !size.is_power_of_two() {
        return Err("array-slice-size must be a power of two".into());
    }
    settings.array_slice_size = size;
    Ok(())
}

fn set_array_sparse_kmax(settings: &mut Settings, directive: &Directive, words: &[String]) -> Result<(), Reason> {
    let most = u64::read(directive.kind, words)?;
    if most > 0 && most <= settings.array_sparse_kmin {
        return Err("array-sparse-kmax must be greater than array-sparse-kmin when non-zero".into());
    }
    settings.array_sparse_kmax = most;
    Ok(())
}

fn set_array_sparse_kmin(settings: &mut Settings, directive: &Directive, words: &[String]) -> Result<(), Reason> {
    let least = u64::read(directive.kind, words)?;
    if settings.array_sparse_kmax > 0 && least >= settings.array_sparse_kmax {
        return Err("array-sparse-kmin must be less than array-sparse-kmax".into());
    }
    settings.array_sparse_kmin = least;
    Ok(())
}
