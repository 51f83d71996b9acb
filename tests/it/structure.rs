//! What the tree promises about itself, held by a test: layers import downward only, `unsafe` stays in its room and gives
//! its reasons, only the network layers know the runtime, files stay readable, a command is named in its family alone.

use flagstone::command::table::FAMILIES;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Each layer imports only from those to its right. `util` stands at the end: everyone may use it.
const LAYERS: &[&str] = &[
    "server", "net", "resp", "command", "snapshot", "keyspace", "types", "index", "arena", "aof", "config", "stats",
    "util",
];

const LINES_MAX: usize = 1000;

struct Source {
    path: PathBuf,
    text: String,
    /// The text with comments and the insides of literals blanked out, byte for byte as long.
    code: String,
    /// String literals: where they start, and what they say (escapes as written).
    literals: Vec<(usize, String)>,
}

impl Source {
    fn read(path: PathBuf) -> Source {
        let text = fs::read_to_string(&path).expect("a source file");
        let (code, literals) = blank(&text);
        Source { path, text, code, literals }
    }

    /// The layer a file belongs to: the first part of its path below `src`; none for `main.rs` and `lib.rs`.
    fn layer(&self) -> Option<&str> {
        let first = self.path.strip_prefix(root().join("src")).ok()?.components().next()?;
        let name = first.as_os_str().to_str()?.trim_end_matches(".rs");
        (!["main", "lib"].contains(&name)).then_some(name)
    }

    fn line_of(&self, at: usize) -> usize {
        self.text[..at].matches('\n').count() + 1
    }

    fn place(&self, at: usize) -> String {
        let path = self.path.strip_prefix(root()).unwrap_or(&self.path);
        format!("{}:{}", path.display(), self.line_of(at))
    }

    /// Every place where `word` stands as a word of its own in the code.
    fn words(&self, word: &str) -> Vec<usize> {
        let is_part = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let bytes = self.code.as_bytes();
        self.code
            .match_indices(word)
            .map(|(at, _)| at)
            .filter(|&at| !is_part(at.checked_sub(1).and_then(|i| bytes.get(i))))
            .filter(|&at| !is_part(bytes.get(at + word.len())))
            .collect()
    }

    /// Where the unit tests at the foot of the file begin.
    fn tests_start(&self) -> usize {
        self.code.find("#[cfg(test)]\nmod ").unwrap_or(self.code.len())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<Source> {
    fn collect(folder: &Path, out: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
            let path = entry.path();
            if path.is_dir() {
                collect(&path, out);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                out.push(Source::read(path));
            }
        }
    }
    let mut out = Vec::new();
    collect(&root().join(folder), &mut out);
    assert!(!out.is_empty(), "no sources in {folder}");
    out.sort_by(|a, b| a.path.cmp(&b.path));
    out
}

/// Blanks comments and literals, so that what is left is code. Knows as much of Rust's lexis as our sources use.
fn blank(text: &str) -> (String, Vec<(usize, String)>) {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut literals = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text.as_bytes()[at..];
        let end = if rest.starts_with(b"//") {
            at + rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            at + find(rest, b"*/").map_or(rest.len(), |n| n + 2)
        } else if let Some(hashes) = raw_string_hashes(bytes, at) {
            let mut close = vec![b'"'];
            close.resize(1 + hashes, b'#');
            let open = at + 2 + hashes;
            let inner = find(&bytes[open..], &close).map_or(bytes.len(), |n| open + n);
            literals.push((at, String::from_utf8_lossy(&bytes[open..inner]).into_owned()));
            (inner + close.len()).min(bytes.len())
        } else if rest[0] == b'"' {
            let inner = string_end(bytes, at + 1, b'"');
            literals.push((at, String::from_utf8_lossy(&bytes[at + 1..inner]).into_owned()));
            inner + 1
        } else if rest[0] == b'\'' && is_char_literal(rest) {
            string_end(bytes, at + 1, b'\'') + 1
        } else {
            at += 1;
            continue;
        };
        for byte in &mut code[at..end.min(bytes.len())] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    // A character of several bytes is blanked whole or left whole, so this stays valid text.
    (String::from_utf8(code).expect("still text"), literals)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// The number of `#` of a raw string that begins at `at` (`r"`, `r#"`), if one does.
fn raw_string_hashes(bytes: &[u8], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map(|i| bytes[i]);
    let word_before = before.is_some_and(|b| b != b'b' && (b.is_ascii_alphanumeric() || b == b'_'));
    if bytes[at] != b'r' || word_before {
        return None;
    }
    let hashes = bytes[at + 1..].iter().take_while(|&&b| b == b'#').count();
    (bytes.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

fn string_end(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len() - 1)
}

/// Tells `'a'` and `'\n'` from the lifetime `'a`.
fn is_char_literal(rest: &[u8]) -> bool {
    match rest.get(1) {
        Some(b'\\') => true,
        Some(byte) if byte.is_ascii() => rest.get(2) == Some(&b'\''),
        _ => true,
    }
}

/// The first path segments after every `crate::` of a file, groups in braces included.
fn imported(source: &Source) -> Vec<(usize, String)> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut out = Vec::new();
    for (at, path) in source.code.match_indices("crate::") {
        let rest = &source.code[at + path.len()..];
        if !rest.starts_with('{') {
            out.push((at, word(rest)));
            continue;
        }
        let (mut depth, mut item_start) = (0, true);
        for (offset, c) in rest.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => item_start = true,
                c if c.is_whitespace() => {}
                _ if depth == 1 && item_start => {
                    out.push((at, word(&rest[offset..])));
                    item_start = false;
                }
                _ => {}
            }
            if depth == 1 && c == '{' {
                item_start = true;
            }
            if depth == 0 {
                break;
            }
        }
    }
    out
}

fn report(what: &str, faults: Vec<String>) {
    assert!(faults.is_empty(), "{what}:\n  {}", faults.join("\n  "));
}

#[test]
fn layers_import_downward_only() {
    let rank = |layer: &str| LAYERS.iter().position(|known| *known == layer);
    let mut faults = Vec::new();
    for source in sources("src") {
        let Some(layer) = source.layer() else { continue };
        let Some(own) = rank(layer) else {
            faults.push(format!("{}: `{layer}` is not a layer", source.place(0)));
            continue;
        };
        for (at, name) in imported(&source) {
            if rank(&name).is_some_and(|other| other < own) {
                faults.push(format!("{}: {layer} imports {name}", source.place(at)));
            }
        }
    }
    report("upward imports", faults);
}

#[test]
fn unsafe_stays_in_the_arena_and_gives_its_reasons() {
    let mut faults = Vec::new();
    for source in sources("src") {
        for at in source.words("unsafe") {
            if source.layer() != Some("arena") {
                faults.push(format!("{}: unsafe outside src/arena", source.place(at)));
            } else if !is_justified(&source, at) {
                faults.push(format!("{}: no SAFETY comment", source.place(at)));
            }
        }
    }
    report("unsafe code", faults);
}

/// An `unsafe fn` or trait documents `# Safety`, anything else has a `SAFETY:` comment on or above its statement.
fn is_justified(source: &Source, at: usize) -> bool {
    let lines: Vec<&str> = source.text.lines().collect();
    let here = source.line_of(at) - 1;
    let rest = source.code[at..].trim_start_matches("unsafe").trim_start();
    let declares = ["fn", "extern", "trait"].iter().any(|word| rest.starts_with(word));
    let wanted = if declares { "# Safety" } else { "SAFETY:" };
    if lines[here].contains(wanted) {
        return true;
    }
    // The comment may stand above the statement whose middle holds the block: look up through a few lines of code.
    let mut code_lines = 0;
    for line in lines[..here].iter().rev() {
        let line = line.trim();
        if line.contains(wanted) {
            return true;
        }
        let is_comment = line.starts_with("//") || line.starts_with("#[");
        code_lines += usize::from(!is_comment);
        if code_lines > 3 || line.ends_with('}') {
            return false;
        }
    }
    false
}

#[test]
fn only_the_network_layers_know_the_runtime() {
    let mut faults = Vec::new();
    for source in sources("src") {
        if source.layer().is_some_and(|layer| !["net", "server"].contains(&layer)) {
            faults.extend(source.words("tokio").iter().map(|&at| source.place(at)));
        }
    }
    report("tokio outside src/net and src/server", faults);
}

#[test]
fn lower_layers_are_handed_the_time() {
    let mut faults = Vec::new();
    for source in sources("src") {
        let Some(layer) = source.layer() else { continue };
        if ["server", "net", "util", "config"].contains(&layer) {
            continue;
        }
        let code_end = source.tests_start();
        for word in ["SystemTime", "unix_millis"] {
            faults.extend(source.words(word).iter().filter(|&&at| at < code_end).map(|&at| source.place(at)));
        }
    }
    report("the wall clock is read below `net`", faults);
}

#[test]
fn files_stay_readable() {
    let mut faults = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            faults.push(format!("{}: {lines} lines (at most {LINES_MAX})", source.place(0)));
        }
        if !source.text.starts_with("//!") {
            faults.push(format!("{}: does not say at its head what it is", source.place(0)));
        }
    }
    report("files", faults);
}

#[test]
fn a_command_is_named_in_its_family_alone() {
    let rows = || FAMILIES.iter().flat_map(|family| family.iter());
    let names: Vec<&str> = rows().map(|spec| spec.name).collect();
    // A group may have a command's name (`pubsub`), and so may a class of clients or an option (CLIENT LIST TYPE).
    // an event of the latency monitor or of the keyspace, and a reason, a context or a rule of ACL.
    const OPTIONS: [&str; 6] = ["type", "command", "del", "auth", "multi", "reset"];
    let groups: Vec<&str> = rows().map(|spec| spec.group).collect();
    let mut faults = Vec::new();
    for source in sources("src") {
        // Directives share names with commands (`save`), and the layers below know neither.
        let in_scope = source.layer().is_some_and(|layer| ["server", "net", "resp", "command"].contains(&layer));
        if !in_scope || source.path.components().any(|part| part.as_os_str() == "family") {
            continue;
        }
        let code_end = source.tests_start();
        for (at, literal) in source.literals.iter().filter(|(at, _)| *at < code_end) {
            if names.iter().any(|name| name.eq_ignore_ascii_case(literal))
                && !groups.contains(&literal.as_str())
                && !OPTIONS.contains(&literal.as_str())
            {
                faults.push(format!("{}: {literal:?}", source.place(*at)));
            }
        }
    }
    report("commands named outside their family", faults);
}

#[test]
fn what_is_set_is_looked_at() {
    let all = sources("src");
    let (tables, others): (Vec<&Source>, Vec<&Source>) =
        all.iter().partition(|source| source.path.starts_with(root().join("src/config/table")));
    let mut faults = Vec::new();
    for table in tables {
        for at in table.words("field") {
            let Some(name) = table.code[at..].strip_prefix("field!(").and_then(|rest| rest.split([')', ',']).next())
            else {
                continue;
            };
            let reads = |source: &&Source| source.words(name).iter().any(|at| source.code[..*at].ends_with('.'));
            if !others.iter().any(reads) {
                faults.push(format!("{}: {name}", table.place(at)));
            }
        }
    }
    report("settings that have no effect and do not say so", faults);
}

#[test]
fn rows_are_whole() {
    let mut faults = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for spec in FAMILIES.iter().flat_map(|family| family.iter()) {
        if !seen.insert(spec.name) {
            faults.push(format!("{}: two rows", spec.name));
        }
        let rows = std::iter::once((spec.name.to_string(), spec))
            .chain(spec.subcommands.iter().map(|sub| (format!("{}|{}", spec.name, sub.name), sub)));
        for (name, row) in rows {
            if row.name != row.name.to_lowercase() {
                faults.push(format!("{name}: a name is lower case"));
            }
            if row.arity == 0 || row.summary.is_empty() || row.since.is_empty() {
                faults.push(format!("{name}: arity, summary or since is missing"));
            }
        }
    }
    report("rows of commands", faults);
}

#[test]
fn comments_and_literals_are_not_code() {
    let (code, literals) = blank("let a = \"unsafe\"; // unsafe\nlet b = 'u'; /* x */ r#\"raw\"#; &'a str");
    assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), "let a = ; let b = ; ; &'a str");
    assert_eq!(literals.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["unsafe", "raw"]);
}
