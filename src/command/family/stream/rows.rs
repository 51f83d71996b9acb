//! The commands of streams.

use super::{add, group, idempotence, info, nack, pending, read, readgroup, trim};
use crate::command::spec::{Acl, BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, Reach, Spec};

const FAST_READ: Flags = Flags::READONLY.union(Flags::FAST);
const FAST_WRITE: Flags = Flags::WRITE.union(Flags::FAST);
const ADD: Flags = Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST);
const GROW: Flags = Flags::WRITE.union(Flags::DENYOOM);
const WAIT: Flags = Flags::BLOCKING.union(Flags::MOVABLEKEYS);
const HELP: Flags = Flags::LOADING.union(Flags::STALE);

const READ_KEY: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))];
const LOOK_KEY: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RO)];
const UPDATE_KEY: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))];
const DELETE_KEY: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))];

/// The keys after STREAMS: the first half of the words.
const fn streams(start_from: i32) -> KeySpec {
    KeySpec {
        flags: KeyFlags::RO.union(KeyFlags::ACCESS),
        begin: BeginSearch::Keyword { word: "STREAMS", start_from },
        find: FindKeys::Range { last: -1, step: 1, limit: 2 },
    }
}

const RANDOM: &[&str] = &["nondeterministic_output"];

const fn row(name: &'static str, arity: i32, flags: Flags, since: &'static str, summary: &'static str) -> Spec {
    Spec { name, arity, flags, acl: Acl::STREAM, group: "stream", since, summary, ..Spec::DEFAULT }
}

pub static COMMANDS: &[Spec] = &[
    Spec {
        keys: UPDATE_KEY,
        syntax: "key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO pid | IDMP pid iid] \
                 [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]",
        complexity: "O(log N), and O(M) for M entries that are trimmed",
        tips: RANDOM,
        handler: add::xadd,
        ..row("xadd", -5, ADD, "5.0.0", "Adds an entry to a stream.")
    },
    Spec {
        keys: DELETE_KEY,
        syntax: "key id [id ...]",
        complexity: "O(log N) for each ID",
        handler: add::xdel,
        ..row("xdel", -3, FAST_WRITE, "5.0.0", "Deletes entries of a stream.")
    },
    Spec {
        keys: DELETE_KEY,
        syntax: "key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]",
        complexity: "O(log N) for each ID",
        handler: add::xdelex,
        ..row("xdelex", -5, FAST_WRITE, "8.2.0", "Deletes entries of a stream as far as consumer groups allow.")
    },
    Spec {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE).union(KeyFlags::DELETE))],
        syntax: "key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]",
        complexity: "O(log N) for each ID",
        handler: add::xackdel,
        ..row("xackdel", -6, FAST_WRITE, "8.2.0", "Acknowledges entries for a consumer group and deletes them.")
    },
    Spec {
        keys: UPDATE_KEY,
        syntax: "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
        handler: add::xsetid,
        ..row("xsetid", -3, ADD, "5.0.0", "Sets the last ID of a stream.")
    },
    Spec {
        keys: UPDATE_KEY,
        syntax: "key [IDMP-DURATION idmp-duration] [IDMP-MAXSIZE idmp-maxsize]",
        complexity: "O(1)",
        handler: idempotence::xcfgset,
        ..row("xcfgset", -2, FAST_WRITE, "8.6.0", "Sets for how long a stream remembers what its producers have sent.")
    },
    Spec {
        keys: UPDATE_KEY,
        syntax: "key pid iid stream-id",
        handler: idempotence::xidmprecord,
        ..row("xidmprecord", 5, ADD, "8.6.2", "Records under which name a producer has sent an entry.")
    },
    Spec {
        keys: DELETE_KEY,
        syntax: "key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]",
        complexity: "O(log N), and O(M) for M entries that are trimmed",
        tips: RANDOM,
        handler: trim::xtrim,
        ..row("xtrim", -4, Flags::WRITE, "5.0.0", "Removes entries from the beginning of a stream.")
    },
    Spec {
        keys: LOOK_KEY,
        syntax: "key",
        handler: read::xlen,
        ..row("xlen", 2, FAST_READ, "5.0.0", "Answers the number of entries of a stream.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key start end [COUNT count]",
        complexity: "O(log N + M) for M entries of the reply",
        handler: read::xrange,
        ..row("xrange", -4, Flags::READONLY, "5.0.0", "Answers the entries with IDs in a range.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key end start [COUNT count]",
        complexity: "O(log N + M) for M entries of the reply",
        handler: read::xrevrange,
        ..row("xrevrange", -4, Flags::READONLY, "5.0.0", "Answers the entries with IDs in a range, the last first.")
    },
    Spec {
        keys: &[streams(1)],
        syntax: "[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
        complexity: "O(log N + M) for each stream and M entries of the reply",
        handler: read::xread,
        ..row("xread", -4, WAIT.union(Flags::READONLY), "5.0.0", "Answers entries after given IDs, and waits for them.")
    },
    Spec {
        keys: &[streams(4)],
        syntax: "GROUP group consumer [COUNT count] [BLOCK milliseconds] [CLAIM min-idle-time] [NOACK] \
                 STREAMS key [key ...] id [id ...]",
        complexity: "O(log N) for each stream and each entry of the reply",
        handler: readgroup::xreadgroup,
        reach: Reach::Gives { unsaid: u64::MAX, tries: 1 },
        ..row("xreadgroup", -7, WAIT.union(Flags::WRITE), "5.0.0", "Gives a consumer of a group its next entries.")
    },
    Spec {
        keys: UPDATE_KEY,
        syntax: "key group id [id ...]",
        complexity: "O(log N) for each ID",
        handler: group::xack,
        ..row("xack", -4, FAST_WRITE, "5.0.0", "Acknowledges entries that were given to a consumer group.")
    },
    Spec {
        keys: UPDATE_KEY,
        syntax: "key group <SILENT | FAIL | FATAL> IDS numids id [id ...] [RETRYCOUNT count] [FORCE]",
        complexity: "O(log N) for each ID",
        handler: nack::xnack,
        ..row("xnack", -7, FAST_WRITE, "8.8.0", "Gives entries that are pending with a consumer back to its group.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key group [[IDLE min-idle-time] start end count [consumer]]",
        complexity: "O(log N + M) for M entries of the reply, or of consumers",
        tips: RANDOM,
        handler: pending::xpending,
        ..row("xpending", -3, Flags::READONLY, "5.0.0", "Answers what is pending in a consumer group.")
    },
    Spec {
        keys: UPDATE_KEY,
        syntax: "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] \
                 [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]",
        complexity: "O(log N) for each ID",
        tips: RANDOM,
        handler: pending::xclaim,
        ..row("xclaim", -6, FAST_WRITE, "5.0.0", "Gives a consumer entries that are pending with another.")
    },
    Spec {
        keys: DELETE_KEY,
        syntax: "key group consumer min-idle-time start [COUNT count] [JUSTID]",
        complexity: "O(log N) for each of COUNT entries",
        tips: RANDOM,
        handler: pending::xautoclaim,
        reach: Reach::Gives { unsaid: pending::CLAIMED, tries: pending::ATTEMPTS as u64 },
        ..row("xautoclaim", -6, FAST_WRITE, "6.2.0", "Gives a consumer what has been pending for long.")
    },
    Spec { subcommands: GROUP, ..row("xgroup", -2, Flags::CONTAINER, "5.0.0", "Manages consumer groups.") },
    Spec { subcommands: INFO, ..row("xinfo", -2, Flags::CONTAINER, "5.0.0", "Tells what is known of streams.") },
];

static GROUP: &[Spec] = &[
    Spec {
        keys: &[KeySpec::one(2, KeyFlags::RW.union(KeyFlags::INSERT))],
        syntax: "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]",
        handler: group::create,
        ..row("create", -5, GROW, "5.0.0", "Makes a consumer group.")
    },
    Spec {
        keys: &[KeySpec::one(2, KeyFlags::RW.union(KeyFlags::INSERT))],
        syntax: "key group consumer",
        handler: group::createconsumer,
        ..row("createconsumer", 5, GROW, "6.2.0", "Makes a consumer in a group.")
    },
    Spec {
        keys: &[KeySpec::one(2, KeyFlags::RW.union(KeyFlags::DELETE))],
        syntax: "key group consumer",
        complexity: "O(M log N) for M entries that are pending with it",
        handler: group::delconsumer,
        ..row("delconsumer", 5, Flags::WRITE, "5.0.0", "Removes a consumer from its group.")
    },
    Spec {
        keys: &[KeySpec::one(2, KeyFlags::RW.union(KeyFlags::DELETE))],
        syntax: "key group",
        complexity: "O(log N) for each consumer",
        handler: group::destroy,
        ..row("destroy", 4, Flags::WRITE, "5.0.0", "Removes a consumer group.")
    },
    Spec { handler: group::group_help, ..row("help", 2, HELP, "5.0.0", "Lists the subcommands.") },
    Spec {
        keys: &[KeySpec::one(2, KeyFlags::RW.union(KeyFlags::UPDATE))],
        syntax: "key group <id | $> [ENTRIESREAD entries-read]",
        handler: group::setid,
        ..row("setid", -5, Flags::WRITE, "5.0.0", "Sets the last ID that a group was given.")
    },
];

static INFO: &[Spec] = &[
    Spec {
        keys: &[KeySpec::one(2, KeyFlags::RO.union(KeyFlags::ACCESS))],
        syntax: "key group",
        complexity: "O(N) for N consumers",
        tips: RANDOM,
        handler: info::consumers,
        ..row("consumers", 4, Flags::READONLY, "5.0.0", "Lists the consumers of a group.")
    },
    Spec {
        keys: &[KeySpec::one(2, KeyFlags::RO.union(KeyFlags::ACCESS))],
        syntax: "key",
        complexity: "O(N) for N groups",
        handler: info::groups,
        ..row("groups", 3, Flags::READONLY, "5.0.0", "Lists the consumer groups of a stream.")
    },
    Spec { handler: info::info_help, ..row("help", 2, HELP, "5.0.0", "Lists the subcommands.") },
    Spec {
        keys: &[KeySpec::one(2, KeyFlags::RO.union(KeyFlags::ACCESS))],
        syntax: "key [FULL [COUNT count]]",
        complexity: "O(log N), and O(M) for M entries of the reply",
        handler: info::stream,
        ..row("stream", -3, Flags::READONLY, "5.0.0", "Tells what is known of a stream.")
    },
];
