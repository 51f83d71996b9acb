//! The append-only file.

use super::{Section, field};
use crate::config::{
    Settings,
    directive::{Directive, Kind::*, directive},
    reason::Reason,
    value::AppendFsync,
};

pub static LOG: Section = Section {
    title: "Append-only file",
    about: "Keeps every change since the last snapshot, so that the next start has it. A snapshot takes the place of what \
            was kept until then.",
    rows: &[
        directive("appendonly", YesNo, "no", "Whether changes are kept.", field!(append_only)),
        directive(
            "appendfsync",
            Choice(AppendFsync::NAMES),
            "everysec",
            "When they go to the disk: every second, always before a reply, or when the system likes (no).",
            field!(append_fsync),
        ),
        directive(
            "appenddirname",
            Text,
            "appendonlydir",
            "The files' directory in 'dir'.",
            (|settings, _| settings.append_dirname.clone(), set_dirname),
        )
        .immutable(),
        directive(
            "appendfilename",
            Text,
            "appendonly.aof",
            "The files' name, to which a number is added.",
            (|settings, _| settings.append_filename.clone(), set_filename),
        )
        .immutable(),
        directive(
            "auto-aof-rewrite-percentage",
            Integer(0, i32::MAX as i64),
            "100",
            "A snapshot is taken when the files have reached this share of the last one; 0: never.",
            field!(auto_aof_rewrite_percentage),
        ),
        directive(
            "auto-aof-rewrite-min-size",
            Memory(0, i64::MAX as u64),
            "64mb",
            "But not before they have this size.",
            field!(auto_aof_rewrite_min_size),
        ),
        directive(
            "aof-load-truncated",
            YesNo,
            "yes",
            "Start although the last record is torn, without it.",
            field!(aof_load_truncated),
        ),
    ],
};

fn set_dirname(settings: &mut Settings, _: &Directive, words: &[String]) -> Result<(), Reason> {
    settings.append_dirname = file_name("appenddirname", words)?;
    Ok(())
}

fn set_filename(settings: &mut Settings, _: &Directive, words: &[String]) -> Result<(), Reason> {
    settings.append_filename = file_name("appendfilename", words)?;
    Ok(())
}

fn file_name(directive: &str, words: &[String]) -> Result<String, Reason> {
    let name = words.first().map_or("", String::as_str);
    if name.is_empty() {
        return Err(format!("{directive} can't be empty").into());
    }
    if name.contains('/') || name == "." || name == ".." {
        return Err(format!("{directive} can't be a path, just a filename").into());
    }
    Ok(name.to_owned())
}
