//! Reads files in the syntax of redis.conf.

use super::{LoadError, Place, Reason, load::Loader};
use crate::util::words;
use std::{
    io::Read,
    path::{Path, PathBuf},
};

/// How deep `include` may go; a file that includes itself ends here.
const INCLUDE_DEPTH_MAX: usize = 16;

pub fn read(loader: &mut Loader, path: &Path) -> Result<(), LoadError> {
    read_file(loader, path, 0, None)
}

/// Answers what was read.
pub fn read_stdin(loader: &mut Loader) -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    if let Err(error) = std::io::stdin().read_to_end(&mut bytes) {
        let file = PathBuf::from("-");
        return Err(LoadError::Unreadable { file, included_from: None, reason: error.to_string() });
    }
    read_lines(loader, &bytes, 0, &|number, text| Place::Stdin { number, text })?;
    Ok(bytes)
}

fn read_file(loader: &mut Loader, path: &Path, depth: usize, included_from: Option<Place>) -> Result<(), LoadError> {
    let bytes = std::fs::read(path).map_err(|error| LoadError::Unreadable {
        file: path.to_owned(),
        included_from,
        reason: error.to_string(),
    })?;
    read_lines(loader, &bytes, depth, &|number, text| Place::Line { file: path.to_owned(), number, text })
}

fn read_lines(
    loader: &mut Loader,
    bytes: &[u8],
    depth: usize,
    place: &dyn Fn(usize, String) -> Place,
) -> Result<(), LoadError> {
    // An editor's byte order mark is not part of the first line.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let here = || place(index + 1, String::from_utf8_lossy(line).into_owned());
        let wrong = |reason: Reason| LoadError::Directive { place: here(), reason };
        let words = words::split(line).ok_or_else(|| wrong("Unbalanced quotes in configuration line".into()))?;
        let words: Result<Vec<String>, _> = words.into_iter().map(String::from_utf8).collect();
        let words = words.map_err(|_| wrong("the line is not UTF-8".into()))?;
        let Some((name, words)) = words.split_first() else {
            continue;
        };
        match (name.eq_ignore_ascii_case("include"), words) {
            (true, [path]) => include(loader, path, depth + 1, &here)?,
            (true, _) => return Err(wrong("wrong number of arguments".into())),
            (false, _) => loader.directive(name, words, here)?,
        }
    }
    Ok(())
}

/// Reads the file, or every file that the pattern matches (`conf.d/*.conf`; none is fine).
fn include(loader: &mut Loader, path: &str, depth: usize, place: &dyn Fn() -> Place) -> Result<(), LoadError> {
    let wrong = |reason: Reason| LoadError::Directive { place: place(), reason };
    if depth > INCLUDE_DEPTH_MAX {
        return Err(wrong("include goes too deep; does a file include itself?".into()));
    }
    if !path.contains(['*', '?', '[']) {
        return read_file(loader, Path::new(path), depth, Some(place()));
    }
    let paths = glob::glob(path).map_err(|error| wrong(error.to_string().into()))?;
    for path in paths {
        let path = path.map_err(|error| wrong(error.to_string().into()))?;
        read_file(loader, &path, depth, Some(place()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::config::{Loaded, Sources, load};
    use std::path::Path;

    fn read(dir: &Path, text: &str) -> Result<Loaded, String> {
        let file = dir.join("test.conf");
        std::fs::write(&file, text).unwrap();
        load(&Sources { file: Some(file), ..Sources::default() }).map_err(|error| error.to_string())
    }

    #[test]
    fn directives_comments_and_quotes() {
        let dir = tempfile::tempdir().unwrap();
        let loaded = read(
            dir.path(),
            "# a comment\n\n PORT 7000 \nsave 900 1\nsave 300 10\nrequirepass \"a \\x41\"\n\
             client-output-buffer-limit pubsub 1mb 0 0\nio-threads 4\nhz 10\n",
        )
        .unwrap();
        let settings = &loaded.settings;
        assert_eq!((settings.port, settings.requirepass.as_str()), (7000, "a A"));
        assert_eq!(crate::config::Value::show(&settings.save), "900 1 300 10");
        assert_eq!(settings.client_output_buffer_limits.pubsub.hard_bytes, 1 << 20);
        assert_eq!(settings.client_output_buffer_limits.replica.hard_bytes, 256 << 20);
        assert!(loaded.notes.contains(&"accepted without effect here: io-threads".to_owned()));
    }

    #[test]
    fn a_mistake_names_file_line_and_reason() {
        let dir = tempfile::tempdir().unwrap();
        let check = |text: &str, line: usize, reason: &str| {
            let error = read(dir.path(), text).unwrap_err();
            assert!(error.starts_with("*** FATAL CONFIG FILE ERROR (Flagstone "), "{error}");
            let file = dir.path().join("test.conf");
            assert!(error.contains(&format!("{}, at line {line}\n>>> '", file.display())), "{error}");
            assert!(error.ends_with(reason), "{error}");
        };
        check("port 1\nmaxmemory lots", 2, "argument must be a memory value");
        check("prot 1", 1, "Bad directive or wrong number of arguments: is 'port' meant?");
        check("port 1 2", 1, "wrong number of arguments");
        check("port \"1", 1, "Unbalanced quotes in configuration line");
        check("\nsave 1", 2, "Invalid save parameters");
        check("cluster-enabled yes", 1, "there is no cluster mode yet");
        check("replicaof a 1", 1, "there is no replication yet");
        check("rename-command FLUSHALL", 1, "wrong number of arguments");
    }

    #[test]
    fn includes() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.inc"), "port 7001").unwrap();
        std::fs::write(dir.path().join("b.inc"), "hz 7").unwrap();
        let here = dir.path().display();
        let loaded = read(dir.path(), &format!("port 7000\ninclude {here}/*.inc\ninclude {here}/*.none")).unwrap();
        assert_eq!((loaded.settings.port, loaded.settings.hz), (7001, 7));
        let error = read(dir.path(), &format!("include {here}/c.inc")).unwrap_err();
        assert!(error.contains("c.inc") && error.contains("at line 1"), "{error}");
        let error = read(dir.path(), &format!("include {here}/test.conf")).unwrap_err();
        assert!(error.contains("too deep"), "{error}");
    }
}
