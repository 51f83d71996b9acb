//! ARINFO.

use crate::{
    command::{Args, CommandResult, Context, Error, args::is_word},
    config::Settings,
    keyspace::Type,
    types::array::{
        Array,
        slices::{Slicing, survey},
    },
};

fn slicing(settings: &Settings) -> Slicing {
    Slicing {
        size: settings.array_slice_size,
        sparse_max: settings.array_sparse_kmax,
        sparse_min: settings.array_sparse_kmin,
    }
}

pub fn arinfo(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let is_full = match &args[2..] {
        [] => false,
        [word] if is_word(word, "full") => true,
        _ => return Err(Error::SYNTAX),
    };
    let slicing = slicing(&cx.client.settings);
    let mut db = cx.keys.db(cx.client.db);
    let array = Array::new(db.view(args[1], Type::Array)?.ok_or(Error::NO_SUCH_KEY)?);
    let survey = survey(&array, slicing);
    let figures = [
        ("count", array.count()),
        ("len", array.len()),
        ("next-insert-index", array.cursor().next().unwrap_or(0)),
        ("slices", survey.slices),
        ("directory-size", survey.directory),
        ("super-dir-entries", survey.blocks),
        ("slice-size", slicing.size),
        ("dense-slices", survey.dense),
        ("sparse-slices", survey.sparse),
    ];
    let shares = [
        ("avg-dense-size", survey.dense_room, survey.dense),
        ("avg-dense-fill", survey.dense_count, survey.dense_room),
        ("avg-sparse-size", survey.sparse_room, survey.sparse),
    ];
    let (figures, shares) = if is_full { (&figures[..], &shares[..]) } else { (&figures[..7], &[][..]) };
    cx.reply.map(figures.len() + shares.len());
    for (name, figure) in figures {
        cx.reply.bulk(name.as_bytes());
        cx.reply.unsigned(*figure);
    }
    for (name, part, of) in shares {
        cx.reply.bulk(name.as_bytes());
        cx.reply.double(if *of == 0 { 0.0 } else { *part as f64 / *of as f64 });
    }
    Ok(())
}
