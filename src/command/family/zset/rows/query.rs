//! Commands that read one sorted set.

use super::{READ, ROW};
use crate::command::{
    family::zset::{random, range, read, scan},
    spec::{Flags, KeyFlags, KeySpec, Spec},
};

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "zcard",
        arity: 2,
        flags: Flags::READONLY.union(Flags::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RO)],
        since: "1.2.0",
        summary: "Answers the number of members.",
        syntax: "key",
        handler: read::zcard,
        ..ROW
    },
    Spec {
        name: "zscore",
        arity: 3,
        flags: Flags::READONLY.union(Flags::FAST),
        keys: &[READ],
        since: "1.2.0",
        summary: "Answers the score of a member.",
        complexity: "O(log(N))",
        syntax: "key member",
        handler: read::zscore,
        ..ROW
    },
    Spec {
        name: "zmscore",
        arity: -3,
        flags: Flags::READONLY.union(Flags::FAST),
        keys: &[READ],
        since: "6.2.0",
        summary: "Answers the scores of members.",
        complexity: "O(M*log(N)) for M members",
        syntax: "key member [member ...]",
        handler: read::zmscore,
        ..ROW
    },
    Spec {
        name: "zrank",
        arity: -3,
        flags: Flags::READONLY.union(Flags::FAST),
        keys: &[READ],
        since: "2.0.0",
        summary: "Answers the rank of a member, the least score first.",
        complexity: "O(log(N))",
        syntax: "key member [WITHSCORE]",
        handler: read::zrank,
        ..ROW
    },
    Spec {
        name: "zrevrank",
        arity: -3,
        flags: Flags::READONLY.union(Flags::FAST),
        keys: &[READ],
        since: "2.0.0",
        summary: "Answers the rank of a member, the greatest score first.",
        complexity: "O(log(N))",
        syntax: "key member [WITHSCORE]",
        handler: read::zrevrank,
        ..ROW
    },
    Spec {
        name: "zcount",
        arity: 4,
        flags: Flags::READONLY.union(Flags::FAST),
        keys: &[READ],
        since: "2.0.0",
        summary: "Counts the members between two scores.",
        complexity: "O(log(N))",
        syntax: "key min max",
        handler: read::zcount,
        ..ROW
    },
    Spec {
        name: "zlexcount",
        arity: 4,
        flags: Flags::READONLY.union(Flags::FAST),
        keys: &[READ],
        since: "2.8.9",
        summary: "Counts the members between two members, where all have one score.",
        complexity: "O(log(N))",
        syntax: "key min max",
        handler: read::zlexcount,
        ..ROW
    },
    Spec {
        name: "zrange",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[READ],
        since: "1.2.0",
        summary: "Answers the members in a range.",
        complexity: "O(log(N)+M) for M members of N",
        syntax: "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
        handler: range::zrange,
        ..ROW
    },
    Spec {
        name: "zrevrange",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[READ],
        since: "1.2.0",
        summary: "Answers the members between two ranks, the greatest score first.",
        complexity: "O(log(N)+M) for M members of N",
        syntax: "key start stop [WITHSCORES]",
        handler: range::zrevrange,
        ..ROW
    },
    Spec {
        name: "zrangebyscore",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[READ],
        since: "1.0.5",
        summary: "Answers the members between two scores.",
        complexity: "O(log(N)+M) for M members of N",
        syntax: "key min max [WITHSCORES] [LIMIT offset count]",
        handler: range::zrangebyscore,
        ..ROW
    },
    Spec {
        name: "zrevrangebyscore",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[READ],
        since: "2.2.0",
        summary: "Answers the members between two scores, the greatest first.",
        complexity: "O(log(N)+M) for M members of N",
        syntax: "key max min [WITHSCORES] [LIMIT offset count]",
        handler: range::zrevrangebyscore,
        ..ROW
    },
    Spec {
        name: "zrangebylex",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[READ],
        since: "2.8.9",
        summary: "Answers the members between two members, where all have one score.",
        complexity: "O(log(N)+M) for M members of N",
        syntax: "key min max [LIMIT offset count]",
        handler: range::zrangebylex,
        ..ROW
    },
    Spec {
        name: "zrevrangebylex",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[READ],
        since: "2.8.9",
        summary: "Answers the members between two members, the last first, where all have one score.",
        complexity: "O(log(N)+M) for M members of N",
        syntax: "key max min [LIMIT offset count]",
        handler: range::zrevrangebylex,
        ..ROW
    },
    Spec {
        name: "zrandmember",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[READ],
        since: "6.2.0",
        summary: "Answers members chosen at random.",
        complexity: "O(M*log(N)) for M members of N",
        syntax: "key [count [WITHSCORES]]",
        tips: &["nondeterministic_output"],
        handler: random::zrandmember,
        ..ROW
    },
    Spec {
        name: "zscan",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[READ],
        since: "2.8.0",
        summary: "Walks the members of a sorted set in steps.",
        complexity: "O(log(N)) per call, O(N) for all calls together",
        syntax: "key cursor [MATCH pattern] [COUNT count] [NOSCORES]",
        tips: &["nondeterministic_output"],
        handler: scan::zscan,
        ..ROW
    },
];
