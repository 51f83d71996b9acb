//! What a start does with an image that cannot be used: `on-corrupt`.

use crate::{
    aof,
    config::{OnCorrupt, Settings},
    snapshot::{Image, LoadError, older_of},
    util::clock::UnixMillis,
};
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

/// Opens the image at `path`, or what takes the place of one that is damaged; `None` when the start is to be empty.
///
/// # Errors
/// When there is an image that cannot be used, and the settings say that this stops the start; or when the append-only
/// files rely on it.
pub fn open_image(settings: &Settings, path: &Path, now: UnixMillis) -> Result<Option<Image>, Box<dyn Error>> {
    let error = match Image::open(path) {
        Err(error @ LoadError::Invalid { .. }) => error,
        other => return Ok(other?),
    };
    let older = older_of(path);
    let before = Image::open(&older).ok().flatten();
    let hint = match &before {
        Some(image) => format!(
            "; the one before it, {}, is whole (taken at {} ms since the epoch): on-corrupt quarantine starts from it",
            older.display(),
            image.saved_at_ms()
        ),
        None => String::new(),
    };
    if settings.on_corrupt == OnCorrupt::Refuse {
        return Err(format!("{error}{hint}").into());
    }
    let before = before.filter(|_| settings.on_corrupt == OnCorrupt::Quarantine);
    check_log(settings, &error, before.as_ref())?;
    let aside = aside(path, now);
    fs::rename(path, &aside).map_err(|error| format!("can't rename {}: {error}", path.display()))?;
    tracing::error!(%error, kept_as = %aside.display(), "the snapshot is damaged and put aside");
    let Some(image) = before else {
        tracing::error!("starting with no keys at all");
        return Ok(None);
    };
    // Where the next start looks for it.
    fs::rename(&older, path).map_err(|error| format!("can't rename {}: {error}", older.display()))?;
    tracing::error!(
        saved_at_ms = image.saved_at_ms(),
        "starting from the snapshot before it: what was changed since is lost"
    );
    Ok(Some(image))
}

/// Append-only files hold what changed since an image: on another one, or on none, they would make up what never was.
fn check_log(settings: &Settings, error: &LoadError, before: Option<&Image>) -> Result<(), String> {
    if !settings.append_only {
        return Ok(());
    }
    let directory = settings.append_directory();
    let files = aof::files(&directory, &settings.append_filename).unwrap_or_default();
    let goes_on = before.is_some_and(|image| files.iter().any(|(number, _)| *number == image.log()));
    if files.is_empty() || goes_on {
        return Ok(());
    }
    Err(format!(
        "{error}; the append-only files in {} go on from it, so on-corrupt can do nothing: move them away, or start with \
         appendonly no",
        directory.display()
    ))
}

/// A name beside it that is not taken.
fn aside(path: &Path, now: UnixMillis) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".corrupt-{now}"));
    path.with_file_name(name)
}
