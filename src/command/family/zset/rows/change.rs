//! Commands that change sorted sets.

use super::{INPUTS_AT_1, INPUTS_AT_2, POP, POP_ANY, REMOVE, ROW, TARGET};
use crate::command::{
    family::zset::{add, blocking, pop, range, remove},
    spec::{Flags, KeyFlags, KeySpec, Reach, Spec},
};

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "zadd",
        arity: -4,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        since: "1.2.0",
        summary: "Adds members to a sorted set, or changes their scores.",
        complexity: "O(log(N)) per member in a sorted set of N",
        syntax: "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
        handler: add::zadd,
        ..ROW
    },
    Spec {
        name: "zincrby",
        arity: 4,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        since: "1.2.0",
        summary: "Adds to the score of a member.",
        complexity: "O(log(N)) in a sorted set of N",
        syntax: "key increment member",
        handler: add::zincrby,
        ..ROW
    },
    Spec {
        name: "zrem",
        arity: -3,
        flags: Flags::WRITE.union(Flags::FAST),
        keys: &[REMOVE],
        since: "1.2.0",
        summary: "Removes members, and the sorted set with the last one.",
        complexity: "O(M*log(N)) for M members of N",
        syntax: "key member [member ...]",
        handler: remove::zrem,
        ..ROW
    },
    Spec {
        name: "zremrangebyrank",
        arity: 4,
        flags: Flags::WRITE,
        keys: &[REMOVE],
        since: "2.0.0",
        summary: "Removes the members between two ranks.",
        complexity: "O(log(N)+M*log(N)) for M members of N",
        syntax: "key start stop",
        handler: remove::zremrangebyrank,
        ..ROW
    },
    Spec {
        name: "zremrangebyscore",
        arity: 4,
        flags: Flags::WRITE,
        keys: &[REMOVE],
        since: "1.2.0",
        summary: "Removes the members between two scores.",
        complexity: "O(log(N)+M*log(N)) for M members of N",
        syntax: "key min max",
        handler: remove::zremrangebyscore,
        ..ROW
    },
    Spec {
        name: "zremrangebylex",
        arity: 4,
        flags: Flags::WRITE,
        keys: &[REMOVE],
        since: "2.8.9",
        summary: "Removes the members between two members, where all have one score.",
        complexity: "O(log(N)+M*log(N)) for M members of N",
        syntax: "key min max",
        handler: remove::zremrangebylex,
        ..ROW
    },
    Spec {
        name: "zrangestore",
        arity: -5,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        keys: &[TARGET, KeySpec::one(2, KeyFlags::RO.union(KeyFlags::ACCESS))],
        since: "6.2.0",
        summary: "Stores the members in a range as another sorted set.",
        complexity: "O(log(N)+M) for M members of N",
        syntax: "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
        handler: range::zrangestore,
        ..ROW
    },
    Spec {
        name: "zpopmin",
        arity: -2,
        flags: Flags::WRITE.union(Flags::FAST),
        keys: &[POP],
        since: "5.0.0",
        summary: "Takes the members with the least scores.",
        complexity: "O(M*log(N)) for M members of N",
        syntax: "key [count]",
        reach: Reach::Pops,
        handler: pop::zpopmin,
        ..ROW
    },
    Spec {
        name: "zpopmax",
        arity: -2,
        flags: Flags::WRITE.union(Flags::FAST),
        keys: &[POP],
        since: "5.0.0",
        summary: "Takes the members with the greatest scores.",
        complexity: "O(M*log(N)) for M members of N",
        syntax: "key [count]",
        reach: Reach::Pops,
        handler: pop::zpopmax,
        ..ROW
    },
    Spec {
        name: "zmpop",
        arity: -4,
        flags: Flags::WRITE.union(Flags::MOVABLEKEYS),
        keys: &[KeySpec { flags: POP.flags, ..INPUTS_AT_1 }],
        since: "7.0.0",
        summary: "Takes members from the first sorted set that has any.",
        complexity: "O(K)+O(M*log(N)) for K keys and M members of N",
        syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]",
        reach: Reach::Pops,
        handler: pop::zmpop,
        ..ROW
    },
    Spec {
        name: "bzpopmin",
        arity: -3,
        flags: Flags::WRITE.union(Flags::FAST).union(Flags::BLOCKING),
        keys: &[POP_ANY],
        since: "5.0.0",
        summary: "As ZPOPMIN, of the first sorted set that there is; waits for one.",
        complexity: "O(log(N))",
        syntax: "key [key ...] timeout",
        reach: Reach::Pops,
        handler: blocking::bzpopmin,
        ..ROW
    },
    Spec {
        name: "bzpopmax",
        arity: -3,
        flags: Flags::WRITE.union(Flags::FAST).union(Flags::BLOCKING),
        keys: &[POP_ANY],
        since: "5.0.0",
        summary: "As ZPOPMAX, of the first sorted set that there is; waits for one.",
        complexity: "O(log(N))",
        syntax: "key [key ...] timeout",
        reach: Reach::Pops,
        handler: blocking::bzpopmax,
        ..ROW
    },
    Spec {
        name: "bzmpop",
        arity: -5,
        flags: Flags::WRITE.union(Flags::BLOCKING).union(Flags::MOVABLEKEYS),
        keys: &[KeySpec { flags: POP.flags, ..INPUTS_AT_2 }],
        since: "7.0.0",
        summary: "As ZMPOP; waits for a sorted set.",
        complexity: "O(K)+O(M*log(N)) for K keys and M members of N",
        syntax: "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
        reach: Reach::Pops,
        handler: blocking::bzmpop,
        ..ROW
    },
];
