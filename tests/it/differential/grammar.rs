//! What a server documents about its commands (COMMAND DOCS), as a grammar from which requests are drawn.

use super::words::{self, Family};
use crate::{client::Client, tree::Tree};
use fastrand::Rng;

/// One command, or subcommand.
pub struct Documented {
    /// `xgroup|create`.
    pub name: String,
    pub family: Family,
    arguments: Vec<Argument>,
}

/// An argument, a token, a choice or a sequence.
struct Argument {
    name: String,
    kind: Kind,
    token: Option<Vec<u8>>,
    optional: bool,
    multiple: bool,
    /// The token stands before each repetition.
    repeats_token: bool,
    parts: Vec<Argument>,
}

enum Kind {
    Key,
    Token,
    OneOf,
    Block,
    /// Its word is drawn by its name.
    Word,
}

/// Every command that the server at the other end documents.
pub fn of(client: &mut Client) -> Vec<Documented> {
    let mut found = Vec::new();
    for (name, described) in pairs(&client.call(&["COMMAND", "DOCS"])) {
        collect(name, described, &mut found);
    }
    found
}

fn collect(name: &str, described: &Tree, found: &mut Vec<Documented>) {
    match field(described, "subcommands") {
        Some(subcommands) => pairs(subcommands).for_each(|(name, described)| collect(name, described, found)),
        None => found.push(Documented {
            name: name.to_owned(),
            family: Family::named(field(described, "group").map_or("", text)),
            arguments: arguments(described),
        }),
    }
}

fn arguments(described: &Tree) -> Vec<Argument> {
    let Some(Tree::Array(items)) = field(described, "arguments") else { return Vec::new() };
    items.iter().map(argument).collect()
}

fn argument(described: &Tree) -> Argument {
    let flags: Vec<&str> = match field(described, "flags") {
        Some(Tree::Array(flags)) => flags.iter().map(text).collect(),
        _ => Vec::new(),
    };
    Argument {
        name: field(described, "name").map_or("", text).to_lowercase().replace('_', "-"),
        kind: match field(described, "type").map_or("", text) {
            "key" => Kind::Key,
            "pure-token" => Kind::Token,
            "oneof" => Kind::OneOf,
            "block" => Kind::Block,
            _ => Kind::Word,
        },
        token: field(described, "token").map(|token| text(token).as_bytes().to_vec()),
        optional: flags.contains(&"optional"),
        multiple: flags.contains(&"multiple"),
        repeats_token: flags.contains(&"multiple_token"),
        parts: arguments(described),
    }
}

/// A reply of RESP2 that is a map.
fn pairs(tree: &Tree) -> impl Iterator<Item = (&str, &Tree)> {
    let Tree::Array(items) = tree else { panic!("COMMAND DOCS answered {tree}") };
    items.chunks_exact(2).map(|pair| (text(&pair[0]), &pair[1]))
}

fn field<'a>(map: &'a Tree, name: &str) -> Option<&'a Tree> {
    pairs(map).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn text(tree: &Tree) -> &str {
    match tree {
        Tree::Bulk(text) => std::str::from_utf8(text).expect("names are ASCII"),
        Tree::Simple(text) => text,
        other => panic!("no name: {other}"),
    }
}

impl Documented {
    /// The name as words, and arguments that are mostly as documented.
    pub fn draw(&self, random: &mut Rng) -> Vec<Vec<u8>> {
        let mut words: Vec<Vec<u8>> = self.name.split('|').map(|word| word.as_bytes().to_vec()).collect();
        for argument in &self.arguments {
            argument.draw(random, self, &mut words);
        }
        words
    }
}

impl Argument {
    fn draw(&self, random: &mut Rng, of: &Documented, out: &mut Vec<Vec<u8>>) {
        if self.optional && random.u8(..3) > 0 {
            return;
        }
        let times = if self.multiple { 1 + random.usize(..3) } else { 1 };
        for time in 0..times {
            if let Some(token) = self.token.as_ref().filter(|_| time == 0 || self.repeats_token) {
                out.push(if random.u8(..) < 25 { token.to_ascii_lowercase() } else { token.clone() });
            }
            match self.kind {
                Kind::Token => {}
                Kind::OneOf => self.parts[random.usize(..self.parts.len())].draw_chosen(random, of, out),
                Kind::Block => self.parts.iter().for_each(|part| part.draw(random, of, out)),
                Kind::Key => out.push(words::key(random, of.family)),
                Kind::Word => out.push(words::word(random, of, &self.name)),
            }
        }
    }

    /// What is chosen stands there, whether the documents call it optional or not.
    fn draw_chosen(&self, random: &mut Rng, of: &Documented, out: &mut Vec<Vec<u8>>) {
        let before = out.len();
        while out.len() == before {
            self.draw(random, of, out);
        }
    }
}
