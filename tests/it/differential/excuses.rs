//! Where several connections may be answered otherwise than at the peer: versions differ, and so do ages and sizes.

use super::{Words, documented::is_same_but_for_names};
use crate::tree::Tree;

/// A reply without what is each server's own: numbers of connections, ages, sizes, names of the server.
pub fn comparable(requests: &[Words], tree: Tree, ids: &[i64]) -> Tree {
    let is_about_clients = requests.iter().any(|words| {
        let name = words[0].to_ascii_lowercase();
        name == b"client" || name == b"hello"
    });
    if is_about_clients { without_own(tree, ids) } else { tree }
}

fn without_own(tree: Tree, ids: &[i64]) -> Tree {
    let all = |items: Vec<Tree>| {
        let mut kept: Vec<Tree> = Vec::new();
        for item in items {
            let is_own = kept.last().is_some_and(is_name_of_own);
            kept.push(if is_own { Tree::Any } else { without_own(item, ids) });
        }
        kept
    };
    match tree {
        Tree::Integer(id) if id > 3 => match ids.iter().position(|known| *known == id) {
            Some(number) => Tree::Simple(format!("the number of client {number}")),
            None => Tree::Integer(id),
        },
        Tree::Bulk(text) | Tree::Verbatim(_, text) if text.starts_with(b"id=") => {
            Tree::Array(text.split(|byte| *byte == b'\n').map(|line| client(line, ids)).collect())
        }
        Tree::Array(items) => Tree::Array(all(items)),
        Tree::Push(items) => Tree::Push(all(items)),
        Tree::Map(pairs) => {
            let items = pairs.into_iter().flat_map(|(name, value)| [name, value]).collect();
            Tree::Map(all(items).chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
        }
        other => other,
    }
}

fn is_name_of_own(tree: &Tree) -> bool {
    let names: [&[u8]; 5] = [b"server", b"version", b"id", b"modules", b"availability_zone"];
    matches!(tree, Tree::Bulk(name) if names.contains(&name.as_slice()))
}

/// What a line of CLIENT LIST says of a client that both must say.
fn client(line: &[u8], ids: &[i64]) -> Tree {
    let line = String::from_utf8_lossy(line).into_owned();
    let same = ["name=", "db=", "sub=", "psub=", "ssub=", "flags=", "user=", "resp="];
    let fields = line.split(' ').filter_map(|field| match field.split_once('=') {
        Some(("id" | "redir", id)) => {
            let number = id.parse().ok().and_then(|id: i64| ids.iter().position(|known| *known == id));
            Some(Tree::Simple(number.map_or("another".into(), |number| format!("client {number}"))))
        }
        _ => same.iter().any(|name| field.starts_with(name)).then(|| Tree::Simple(field.into())),
    });
    Tree::Array(fields.collect())
}

/// Whether what came is the same but for what may differ.
pub fn is_excused(requests: &[Words], theirs: &[Tree], ours: &[Tree]) -> bool {
    let (their_messages, their_replies): (Vec<&Tree>, Vec<&Tree>) = theirs.iter().partition(|tree| is_message(tree));
    let (our_messages, our_replies): (Vec<&Tree>, Vec<&Tree>) = ours.iter().partition(|tree| is_message(tree));
    let names: Vec<String> = (requests.iter())
        .map(|words| words.iter().take(2).map(|word| String::from_utf8_lossy(word).to_lowercase()).collect())
        .map(|words: Vec<String>| words.join(" "))
        .collect();
    let is_asked = |name: &str| names.iter().any(|asked| asked.starts_with(name));
    // One who leaves all of his channels does so in any order.
    if ["unsubscribe", "punsubscribe", "sunsubscribe"].iter().any(|name| names.iter().any(|asked| asked == name)) {
        return theirs.len() == ours.len();
    }
    // A 7.0 tells a message to oneself in the middle of the reply.
    if theirs.iter().any(has_message_within) {
        return told_words(theirs) == told_words(ours);
    }
    // Peers tell who wants to hear nothing of his own changes of what his scripts change.
    // And who waits for a stream is told of it before the reply, as if the wait had been a reading.
    let is_woken = requests.is_empty() && !their_replies.is_empty();
    let is_own = |message: &str| (is_woken || is_asked("eval")) && message.contains("invalidate");
    let heard = |mut messages: Vec<String>| {
        messages.retain(|message| !is_own(message));
        messages
    };
    // How late an event is told, and in which order to a client that hears it in several ways, is the server's own.
    heard(messages(&their_messages)) == heard(messages(&our_messages))
        && their_replies.len() == our_replies.len()
        && (their_replies.iter().zip(&our_replies))
            .all(|(theirs, ours)| is_like(theirs, ours) || is_asked_for_itself(&is_asked, theirs, ours))
}

/// Whether a peer has refused what ours does: from here on the two are different.
pub fn diverges(theirs: &[Tree], ours: &[Tree]) -> bool {
    // A 7.0 lets no script ask for what may wait; a Valkey gives up a transaction that is begun within itself.
    // And a 7.0 has no `os.clock`, and wants the words of a command for COMMAND GETKEYS.
    let refused = [
        "not allowed from script",
        "Command not allowed inside a transaction",
        "nonexistent global variable 'os'",
        "'command|getkeys",
    ];
    let is_refused = |tree: &Tree| {
        let shown = tree.to_string();
        refused.iter().any(|refused| shown.contains(refused))
    };
    theirs.iter().any(is_refused) && !ours.iter().any(is_refused)
}

fn has_message_within(tree: &Tree) -> bool {
    matches!(tree, Tree::Array(items) if items.iter().any(is_message) && !is_message(tree))
}

fn is_message(tree: &Tree) -> bool {
    let kinds: [&[u8]; 4] = [b"message", b"pmessage", b"smessage", b"invalidate"];
    match tree {
        Tree::Push(items) | Tree::Array(items) => {
            matches!(items.first(), Some(Tree::Bulk(kind)) if kinds.contains(&kind.as_slice()))
        }
        _ => false,
    }
}

/// Messages without order, and without the events that only some versions have: a 7.0 does not tell that XREADGROUP has made
/// a consumer, and a time to live that is over before it begins is told in two ways.
fn messages(messages: &[&Tree]) -> Vec<String> {
    let mut shown: Vec<String> = messages.iter().map(|message| message.to_string().replace("expired", "del")).collect();
    shown.retain(|message| !message.contains("xgroup-createconsumer"));
    shown.sort_unstable();
    shown
}

/// Whether two replies differ in order and in the wording of errors alone.
fn is_like(theirs: &Tree, ours: &Tree) -> bool {
    match (theirs, ours) {
        (Tree::Error(theirs), Tree::Error(ours)) => is_like_error(theirs, ours),
        (Tree::Bulk(theirs), Tree::Bulk(ours)) | (Tree::Verbatim(_, theirs), Tree::Verbatim(_, ours)) => {
            let (theirs, ours) = (without_manners(theirs), without_manners(ours));
            theirs == ours || ours.starts_with("ERR ") && is_like_error(&theirs, &ours)
        }
        // A client that tracked through another is told that it has gone; the number is the server's own.
        (Tree::Push(theirs), Tree::Push(ours))
            if theirs.first() == Some(&Tree::Bulk(b"tracking-redir-broken".into())) =>
        {
            theirs.first() == ours.first()
        }
        (Tree::Array(theirs), Tree::Array(ours))
        | (Tree::Set(theirs), Tree::Set(ours))
        | (Tree::Push(theirs), Tree::Push(ours)) => {
            let (theirs, ours) = (told(theirs), told(ours));
            theirs.len() == ours.len()
                && (theirs.iter().zip(&ours).all(|(theirs, ours)| is_like(theirs, ours))
                    || sorted(&theirs) == sorted(&ours))
        }
        (Tree::Map(theirs), Tree::Map(ours)) => {
            let flat = |pairs: &[(Tree, Tree)]| -> Vec<Tree> {
                pairs.iter().map(|(name, value)| Tree::Array(vec![name.clone(), value.clone()])).collect()
            };
            is_like(&Tree::Array(flat(theirs)), &Tree::Array(flat(ours)))
        }
        _ => theirs == ours,
    }
}

/// All that is told, in any order.
fn told_words<'t>(trees: impl IntoIterator<Item = &'t Tree>) -> Vec<String> {
    let text: String = trees.into_iter().map(|tree| format!("{tree}\n")).collect();
    let words = without_manners(text.as_bytes());
    // The numbers of items go.
    let is_number = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    let mut words: Vec<String> =
        words.split([' ', '"', '\n']).filter(|word| !is_number(word)).map(str::to_owned).collect();
    words.retain(|word| !word.is_empty() && word != "sanitize-payload");
    words.sort_unstable();
    words
}

/// A 7.0 does not say what every user is without being told.
fn told(items: &[Tree]) -> Vec<Tree> {
    items.iter().filter(|item| **item != Tree::Bulk(b"sanitize-payload".to_vec())).cloned().collect()
}

fn without_manners(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace(" sanitize-payload", "")
}

fn sorted(items: &[Tree]) -> Vec<String> {
    let mut shown: Vec<String> = items.iter().map(deeply_sorted).collect();
    shown.sort_unstable();
    shown
}

fn deeply_sorted(tree: &Tree) -> String {
    match tree {
        Tree::Array(items) | Tree::Set(items) => sorted(items).join("\n"),
        Tree::Map(pairs) => sorted(
            &pairs.iter().map(|(name, value)| Tree::Array(vec![name.clone(), value.clone()])).collect::<Vec<_>>(),
        )
        .join("\n"),
        other => other.to_string(),
    }
}

/// What the versions say differently, theirs and ours.
const WORDINGS: &[(&str, &str)] = &[
    ("ERR Unbalanced", "ERR Unbalanced"),
    ("ERR CONFIG SET failed", "ERR CONFIG SET failed"),
    ("ERR Command not allowed inside a transaction", "ERR WATCH inside MULTI"),
    ("ERR Command not allowed inside a transaction", "ERR MULTI calls can not be nested"),
    ("ERR Could not find scripting engine", "ERR Unexpected engine in script shebang"),
    ("ERR Unknown option or number of arguments for CONFIG SET", "ERR CONFIG SET failed"),
    ("ERR timeout is negative", "ERR timeout is out of range"),
    ("ERR Error registering functions", "ERR Function"),
    ("ERR Error registering functions", "ERR Error registering functions"),
    ("ERR Invalid client ID", "ERR syntax error"),
    ("ERR Invalid debug level", "ERR Invalid log level"),
    ("NOPERM this user has no permissions", "NOPERM "),
    ("ERR The user executing the script", "ERR ACL failure in script"),
    ("ERR Unknown command called from script", "ERR Unknown Redis command called from script"),
    ("ERR Command arguments must be", "ERR Lua redis lib command arguments must be"),
    ("ERR server.log()", "ERR redis.log()"),
    ("ERR client-id should be greater than 0", "ERR syntax error"),
    ("ERR wrong number of arguments for 'command|", "ERR "),
    ("ERR This ", "ERR This instance"),
];

fn is_like_error(theirs: &str, ours: &str) -> bool {
    let is_reworded = |(their, our): &(&str, &str)| theirs.starts_with(their) && ours.starts_with(our);
    WORDINGS.iter().any(is_reworded) || is_same_but_for_names(Some(ours), Some(theirs))
}

/// Whether what was asked is answered out of what the server is.
fn is_asked_for_itself(is_asked: &impl Fn(&str) -> bool, theirs: &Tree, ours: &Tree) -> bool {
    let lists = |theirs: &Tree, ours: &Tree| {
        matches!((theirs, ours), (Tree::Array(_), Tree::Array(_)) | (Tree::Map(_), Tree::Map(_)))
    };
    match (theirs, ours) {
        // LOLWUT draws for whom it is, and not for every version.
        _ if is_asked("lolwut") => !matches!(theirs, Tree::Error(_)) && !matches!(ours, Tree::Error(_)),
        (Tree::Integer(_), Tree::Integer(_)) => is_asked("object freq") || is_asked("object idletime"),
        (Tree::Bulk(_), Tree::Bulk(_)) => is_asked("object encoding") || is_asked("acl dryrun"),
        (Tree::Bulk(text) | Tree::Verbatim(_, text), Tree::Error(_)) => is_asked("client list") && text.is_empty(),
        // A 7.0 tells a user's rules in another order, and none that another covers.
        _ if is_asked("acl getuser") || is_asked("acl list") => {
            let ours = told_words([ours]);
            told_words([theirs]).iter().all(|word| ours.contains(word))
        }
        // What waits in a script is not refused any more, it does not wait.
        (Tree::Error(text), Tree::Null | Tree::NullArray) => {
            text.contains("not allowed with BLOCK option from scripts")
        }
        _ => {
            let about_commands = ["command info", "command docs", "command list", "acl cat"];
            lists(theirs, ours)
                && (about_commands.iter().any(|name| is_asked(name)) || is_asked("command") && !is_asked("command "))
        }
    }
}
