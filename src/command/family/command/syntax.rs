//! From a row's `syntax` to COMMAND DOCS's argument tree.
//!
//! The notation is that of redis-cli's hints: lower-case words are arguments, upper-case ones
//! tokens, `[...]` is optional, `a | b` a choice, `<a | b>` one that must be made, `[x ...]` after `x` its repetition.

/// One argument, token, choice or block.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Argument {
    pub name: String,
    pub kind: &'static str,
    pub token: Option<String>,
    pub optional: bool,
    pub multiple: bool,
    pub parts: Vec<Argument>,
}

/// Parses a whole syntax. Every row's is parsed by a test.
pub fn parse(syntax: &str) -> Vec<Argument> {
    let spaced =
        ["[", "]", "<", ">"].iter().fold(syntax.to_owned(), |text, sign| text.replace(sign, &format!(" {sign} ")));
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    choice(&words, &mut at)
}

/// Alternatives up to a closing bracket or the end; a single one is its sequence.
fn choice(words: &[&str], at: &mut usize) -> Vec<Argument> {
    let mut alternatives = vec![sequence(words, at)];
    while words.get(*at) == Some(&"|") {
        *at += 1;
        alternatives.push(sequence(words, at));
    }
    if alternatives.len() == 1 {
        return alternatives.pop().unwrap_or_default();
    }
    let parts: Vec<Argument> = alternatives.into_iter().filter_map(block).collect();
    let name = parts.first().map_or_else(String::new, |part| part.name.clone());
    vec![Argument { name, kind: "oneof", parts, ..Argument::default() }]
}

/// Several arguments as one.
fn block(mut parts: Vec<Argument>) -> Option<Argument> {
    if parts.len() <= 1 {
        return parts.pop();
    }
    // A token before the first argument is the block's own.
    let name = parts[0].name.clone();
    Some(Argument { name, kind: "block", parts, ..Argument::default() })
}

fn sequence(words: &[&str], at: &mut usize) -> Vec<Argument> {
    let mut out: Vec<Argument> = Vec::new();
    while let Some(word) = words.get(*at).copied() {
        match word {
            "]" | ">" | "|" => break,
            "<" => {
                *at += 1;
                let inner = choice(words, at);
                *at += usize::from(words.get(*at) == Some(&">"));
                out.extend(block(inner));
            }
            "[" => {
                *at += 1;
                let inner = choice(words, at);
                *at += usize::from(words.get(*at) == Some(&"]"));
                repeat_or_add(&mut out, inner);
            }
            "..." => {
                *at += 1;
                if let Some(last) = out.last_mut() {
                    last.multiple = true;
                }
            }
            _ => {
                *at += 1;
                let is_token = word.chars().all(|c| c.is_ascii_uppercase() || !c.is_alphabetic());
                let next = words.get(*at).copied();
                let takes_argument = next.is_some_and(|next| next.starts_with(|c: char| c.is_ascii_lowercase()));
                if is_token && takes_argument {
                    *at += 1;
                    out.push(Argument { token: Some(word.to_owned()), ..argument(next.unwrap_or_default()) });
                } else if is_token {
                    let name = word.to_ascii_lowercase();
                    out.push(Argument {
                        name,
                        kind: "pure-token",
                        token: Some(word.to_owned()),
                        ..Argument::default()
                    });
                } else {
                    out.push(argument(word));
                }
            }
        }
    }
    out
}

/// What stands in brackets: the repetition of what came before, or something optional.
fn repeat_or_add(out: &mut Vec<Argument>, inner: Vec<Argument>) {
    let repeats = inner.last().is_some_and(|last| last.multiple)
        && inner.len() <= out.len()
        && inner.iter().zip(&out[out.len() - inner.len()..]).all(|(again, before)| again.name == before.name);
    if repeats {
        let tail = out.split_off(out.len() - inner.len());
        if let Some(group) = block(tail) {
            out.push(Argument { multiple: true, ..group });
        }
    } else if let Some(group) = block(inner) {
        out.push(Argument { optional: true, ..group });
    }
}

fn argument(name: &str) -> Argument {
    let kind = match name {
        "key" | "newkey" | "source" | "destination" | "destkey" | "sourcekey" | "key1" | "key2" => "key",
        "pattern" => "pattern",
        "seconds" | "milliseconds" | "count" | "offset" | "start" | "end" | "cursor" | "db" | "index" | "decrement"
        | "timeout" | "len" | "min-match-len" | "ttl" | "frequency" | "index1" | "index2" | "destination-db"
        | "bit" | "limit" | "size" => "integer",
        "longitude" | "latitude" | "radius" | "width" | "height" | "score" => "double",
        "unix-time-seconds" | "unix-time-milliseconds" => "unix-time",
        _ => "string",
    };
    Argument { name: name.to_owned(), kind, ..Argument::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_s_syntax() {
        let tree = parse("key value [NX | XX] [GET] [EX seconds | KEEPTTL]");
        let names: Vec<_> =
            tree.iter().map(|argument| (argument.name.as_str(), argument.kind, argument.optional)).collect();
        assert_eq!(
            names,
            [
                ("key", "key", false),
                ("value", "string", false),
                ("nx", "oneof", true),
                ("get", "pure-token", true),
                ("seconds", "oneof", true)
            ]
        );
        assert_eq!(tree[4].parts[0].token.as_deref(), Some("EX"));
    }

    #[test]
    fn repetitions() {
        let tree = parse("key value [key value ...]");
        assert_eq!(tree.len(), 1);
        assert!(tree[0].multiple && tree[0].kind == "block" && tree[0].parts.len() == 2);
        assert!(parse("key [key ...]")[0].multiple);
    }

    #[test]
    fn choices_that_must_be_made() {
        let tree = parse("source <LEFT | RIGHT> [<MAXLEN | MINID> [= | ~] threshold]");
        let side = &tree[1];
        assert_eq!((side.kind, side.optional, side.parts.len()), ("oneof", false, 2));
        assert_eq!(side.parts[1].token.as_deref(), Some("RIGHT"));
        assert_eq!((tree[2].parts[0].kind, tree[2].parts[1].optional), ("oneof", true));
    }

    #[test]
    fn every_row_parses_whole() {
        for command in crate::command::table::all() {
            for (opened, closed) in [('[', ']'), ('<', '>')] {
                let balanced =
                    command.spec.syntax.matches(opened).count() == command.spec.syntax.matches(closed).count();
                assert!(balanced, "{}", command.full_name);
            }
            let words = command.spec.syntax.split_whitespace().count();
            assert_eq!(parse(command.spec.syntax).is_empty(), words == 0, "{}", command.full_name);
        }
    }
}
