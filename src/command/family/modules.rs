//! MODULE: there are none, and none can be loaded.

use crate::command::{
    Error,
    spec::{Acl, Flags, Spec},
};

const ROW: Spec = Spec { acl: Acl::SLOW, group: "server", since: "4.0.0", ..Spec::DEFAULT };
const ADMIN: Spec =
    Spec { flags: Flags::ADMIN.union(Flags::NOSCRIPT), acl: Acl::ADMIN.union(Acl::SLOW).union(Acl::DANGEROUS), ..ROW };
const LOADS: Spec = Spec {
    arity: -3,
    flags: ADMIN.flags.union(Flags::NO_ASYNC_LOADING),
    handler: |_, _| Err(Error::new("ERR Error loading the extension. This server has no modules.")),
    ..ADMIN
};

pub static COMMANDS: &[Spec] = &[Spec {
    name: "module",
    arity: -2,
    flags: Flags::CONTAINER,
    summary: "Holds the commands on modules.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec {
            name: "help",
            arity: 2,
            flags: Flags::LOADING.union(Flags::STALE),
            since: "5.0.0",
            summary: "Says what its subcommands do.",
            handler: |cx, _| {
                super::help(cx, HELP);
                Ok(())
            },
            ..ROW
        },
        Spec {
            name: "list",
            arity: 2,
            summary: "Lists the modules, of which there are none.",
            tips: &["nondeterministic_output_order"],
            handler: |cx, _| {
                cx.reply.array(0);
                Ok(())
            },
            ..ADMIN
        },
        Spec { name: "load", summary: "Refuses to load a module.", syntax: "path [arg [arg ...]]", ..LOADS },
        Spec {
            name: "loadex",
            since: "7.0.0",
            summary: "Refuses to load a module.",
            syntax: "path [CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]",
            ..LOADS
        },
        Spec {
            name: "unload",
            arity: 3,
            summary: "Unloads a module, of which there are none.",
            syntax: "name",
            handler: |_, _| Err(Error::new("ERR Error unloading module: no such module with that name")),
            ..LOADS
        },
    ],
    ..ROW
}];

const HELP: &[&str] = &[
    "LIST",
    "    List the modules. This server has none.",
    "LOAD <path> [<arg> ...]",
    "    Refused: this server has no modules.",
    "LOADEX <path> [[CONFIG NAME VALUE]...] [ARGS ...]",
    "    Refused: this server has no modules.",
    "UNLOAD <name>",
    "    Refused: this server has no modules.",
];
