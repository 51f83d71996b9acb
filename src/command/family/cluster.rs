//! Cluster mode, which is off: its commands exist, because clients probe for them, and say so.

use crate::command::{
    Args, CommandResult, Context, Error,
    spec::{Acl, Flags, Spec},
};

const ROW: Spec =
    Spec { acl: Acl::SLOW, flags: Flags::STALE, group: "cluster", since: "3.0.0", handler: disabled, ..Spec::DEFAULT };
/// Commands that set how a connection uses a cluster.
const OF_CONNECTION: Spec = Spec { arity: 1, acl: Acl::CONNECTION, ..ROW };
const CONNECTION_FLAGS: Flags = Flags::FAST.union(Flags::LOADING).union(Flags::STALE);

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "asking",
        flags: Flags::FAST,
        summary: "Tells a node of a cluster that the client was sent to it.",
        ..OF_CONNECTION
    },
    Spec {
        name: "readonly",
        flags: CONNECTION_FLAGS,
        summary: "Lets the connection read from a replica of a cluster.",
        ..OF_CONNECTION
    },
    Spec { name: "readwrite", flags: CONNECTION_FLAGS, summary: "Takes READONLY back.", ..OF_CONNECTION },
    Spec {
        name: "cluster",
        arity: -2,
        flags: Flags::CONTAINER,
        summary: "Holds the commands of cluster mode.",
        complexity: "Depends on subcommand.",
        subcommands: SUBCOMMANDS,
        ..ROW
    },
];

const SUBCOMMANDS: &[Spec] = &[
    changes("addslots", -3, "slot [slot ...]", "Gives hash slots to this node."),
    Spec { since: "7.0.0", ..changes("addslotsrange", -4, SLOT_RANGES, "Gives ranges of hash slots to this node.") },
    changes("bumpepoch", 2, "", "Advances the configuration epoch."),
    asks("count-failure-reports", 3, "node-id", "Counts the reports that a node has failed."),
    asks("countkeysinslot", 3, "slot", "Counts the keys of a hash slot."),
    changes("delslots", -3, "slot [slot ...]", "Takes hash slots from this node."),
    Spec { since: "7.0.0", ..changes("delslotsrange", -4, SLOT_RANGES, "Takes ranges of hash slots from this node.") },
    changes("failover", -2, "[FORCE | TAKEOVER]", "Makes a replica the master of its shard."),
    changes("flushslots", 2, "", "Takes all hash slots from this node."),
    changes("forget", 3, "node-id", "Removes a node from the table of nodes."),
    asks("getkeysinslot", 4, "slot count", "Lists keys of a hash slot."),
    Spec { since: "5.0.0", ..probes("help", "Says what its subcommands do.") },
    probes("info", "Describes the state of the cluster."),
    asks("keyslot", 3, "key", "Answers the hash slot of a key."),
    Spec { since: "7.0.0", ..asks("links", 2, "", "Lists the connections between nodes.") },
    changes("meet", -4, "ip port [cluster-bus-port]", "Makes the acquaintance of a node."),
    probes("myid", "Answers the id of this node."),
    Spec { since: "7.2.0", ..probes("myshardid", "Answers the id of this node's shard.") },
    probes("nodes", "Describes the nodes of the cluster."),
    Spec {
        since: "5.0.0",
        flags: Flags::ADMIN.union(Flags::STALE),
        ..asks("replicas", 3, "node-id", "Lists the replicas of a node.")
    },
    changes("replicate", 3, "node-id", "Makes this node a replica."),
    Spec {
        flags: Flags::ADMIN.union(Flags::STALE).union(Flags::NO_ASYNC_LOADING).union(Flags::NOSCRIPT),
        ..changes("reset", -2, "[HARD | SOFT]", "Makes this node as good as new.")
    },
    changes("saveconfig", 2, "", "Writes the node's configuration to disk."),
    changes("set-config-epoch", 3, "config-epoch", "Sets the epoch of a new node."),
    changes(
        "setslot",
        -4,
        "slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>",
        "Binds a hash slot.",
    ),
    Spec { since: "7.0.0", ..probes("shards", "Describes the shards of the cluster.") },
    Spec {
        flags: Flags::ADMIN.union(Flags::STALE),
        ..asks("slaves", 3, "node-id", "The old name of CLUSTER REPLICAS.")
    },
    probes("slots", "Lists the hash slots with their nodes."),
];

const SLOT_RANGES: &str = "start-slot end-slot [start-slot end-slot ...]";

/// A subcommand that only answers.
const fn asks(name: &'static str, arity: i32, syntax: &'static str, summary: &'static str) -> Spec {
    Spec { name, arity, syntax, summary, ..ROW }
}

/// One that clients ask before anything else, whatever state the server is in.
const fn probes(name: &'static str, summary: &'static str) -> Spec {
    Spec { flags: Flags::LOADING.union(Flags::STALE), ..asks(name, 2, "", summary) }
}

/// One that changes the cluster.
const fn changes(name: &'static str, arity: i32, syntax: &'static str, summary: &'static str) -> Spec {
    Spec {
        flags: Flags::ADMIN.union(Flags::STALE).union(Flags::NO_ASYNC_LOADING),
        acl: Acl::ADMIN.union(Acl::SLOW).union(Acl::DANGEROUS),
        ..asks(name, arity, syntax, summary)
    }
}

fn disabled(_: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    Err(Error::new("ERR This instance has cluster support disabled"))
}
