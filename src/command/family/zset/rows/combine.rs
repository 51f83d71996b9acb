//! Commands over several sorted sets.

use super::{INPUTS_AT_1, INPUTS_AT_2, ROW, TARGET};
use crate::command::{
    family::zset::combine,
    spec::{Flags, Spec},
};

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "zunion",
        arity: -3,
        flags: Flags::READONLY.union(Flags::MOVABLEKEYS),
        keys: &[INPUTS_AT_1],
        since: "6.2.0",
        summary: "Answers the members of any of several sorted sets.",
        complexity: "O(N)+O(M*log(M)) for N members, M of them different",
        syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>] [WITHSCORES]",
        handler: combine::zunion,
        ..ROW
    },
    Spec {
        name: "zinter",
        arity: -3,
        flags: Flags::READONLY.union(Flags::MOVABLEKEYS),
        keys: &[INPUTS_AT_1],
        since: "6.2.0",
        summary: "Answers the members of all of several sorted sets.",
        complexity: "O(N*K*log(N))+O(M*log(M)) for K keys, the smallest of N members, and M members in the result",
        syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>] [WITHSCORES]",
        handler: combine::zinter,
        ..ROW
    },
    Spec {
        name: "zdiff",
        arity: -3,
        flags: Flags::READONLY.union(Flags::MOVABLEKEYS),
        keys: &[INPUTS_AT_1],
        since: "6.2.0",
        summary: "Answers the members of one sorted set that no other has.",
        complexity: "O(N*K*log(N)) for K keys, the first of N members",
        syntax: "numkeys key [key ...] [WITHSCORES]",
        handler: combine::zdiff,
        ..ROW
    },
    Spec {
        name: "zunionstore",
        arity: -4,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLEKEYS),
        keys: &[TARGET, INPUTS_AT_2],
        since: "2.0.0",
        summary: "Stores the members of any of several sorted sets.",
        complexity: "O(N)+O(M*log(M)) for N members, M of them different",
        syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>]",
        handler: combine::zunionstore,
        ..ROW
    },
    Spec {
        name: "zinterstore",
        arity: -4,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLEKEYS),
        keys: &[TARGET, INPUTS_AT_2],
        since: "2.0.0",
        summary: "Stores the members of all of several sorted sets.",
        complexity: "O(N*K*log(N))+O(M*log(M)) for K keys, the smallest of N members, and M members in the result",
        syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>]",
        handler: combine::zinterstore,
        ..ROW
    },
    Spec {
        name: "zdiffstore",
        arity: -4,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLEKEYS),
        keys: &[TARGET, INPUTS_AT_2],
        since: "6.2.0",
        summary: "Stores the members of one sorted set that no other has.",
        complexity: "O(N*K*log(N)) for K keys, the first of N members",
        syntax: "destination numkeys key [key ...]",
        handler: combine::zdiffstore,
        ..ROW
    },
    Spec {
        name: "zintercard",
        arity: -3,
        flags: Flags::READONLY.union(Flags::MOVABLEKEYS),
        keys: &[INPUTS_AT_1],
        since: "7.0.0",
        summary: "Counts the members of all of several sorted sets.",
        complexity: "O(N*K*log(N)) for K keys, the smallest of N members",
        syntax: "numkeys key [key ...] [LIMIT limit]",
        handler: combine::zintercard,
        ..ROW
    },
];
