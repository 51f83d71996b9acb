//! The types of values and the ways they are stored, with Redis's names.

/// The type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Type {
    String = 1,
    List = 2,
    Set = 3,
    ZSet = 4,
    Hash = 5,
    Stream = 6,
    Array = 7,
}

impl Type {
    pub const ALL: [Type; 7] = [Type::String, Type::List, Type::Set, Type::ZSet, Type::Hash, Type::Stream, Type::Array];

    /// As TYPE answers it.
    pub fn name(self) -> &'static str {
        match self {
            Type::String => "string",
            Type::List => "list",
            Type::Set => "set",
            Type::ZSet => "zset",
            Type::Hash => "hash",
            Type::Stream => "stream",
            Type::Array => "array",
        }
    }

    /// The encodings of the type; an item stores the place in this list.
    const fn encodings(self) -> &'static [Encoding] {
        match self {
            Type::String => &[Encoding::Int, Encoding::EmbStr, Encoding::Raw],
            Type::List => &[Encoding::Listpack, Encoding::Quicklist],
            Type::Set => &[Encoding::IntSet, Encoding::Listpack, Encoding::HashTable],
            Type::ZSet => &[Encoding::Listpack, Encoding::SkipList],
            Type::Hash => &[Encoding::Listpack, Encoding::HashTable, Encoding::ListpackEx],
            Type::Stream => &[Encoding::Stream, Encoding::StreamEx],
            Type::Array => &[Encoding::ArrayPacked, Encoding::ArrayTree],
        }
    }
}

/// See [`Encoding::of_tag`].
static TAGS: [Option<(Type, Encoding)>; 64] = {
    let mut tags = [None; 64];
    let mut at = 0;
    while at < Type::ALL.len() {
        let (kind, encodings) = (Type::ALL[at], Type::ALL[at].encodings());
        let mut code = 0;
        while code < encodings.len() {
            tags[(kind as usize) << 2 | code] = Some((kind, encodings[code]));
            code += 1;
        }
        at += 1;
    }
    tags
};

/// How a value is stored, with the names OBJECT ENCODING answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// A signed 64-bit integer, stored as such.
    Int,
    /// A string of at most 44 bytes set in one piece.
    EmbStr,
    /// Any other string.
    Raw,
    /// Packed entries in the item itself.
    Listpack,
    /// The same, of a hash of which some fields expire.
    ListpackEx,
    /// The same, of a set of integers, in ascending order.
    IntSet,
    /// A tree by position.
    Quicklist,
    /// A tree by hash of the field or member.
    HashTable,
    /// A tree by score and member, and one by hash of the member.
    SkipList,
    /// Trees by stream ID.
    Stream,
    /// The same, of a stream that also knows its producers, or in which order its pending entries were delivered.
    StreamEx,
    /// Packed elements of an array, after its cursor.
    ArrayPacked,
    /// A tree by index, and the cursor.
    ArrayTree,
}

impl Encoding {
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Int => "int",
            Encoding::EmbStr => "embstr",
            Encoding::Raw => "raw",
            Encoding::Listpack => "listpack",
            Encoding::ListpackEx => "listpackex",
            Encoding::IntSet => "intset",
            Encoding::Quicklist => "quicklist",
            Encoding::HashTable => "hashtable",
            Encoding::SkipList => "skiplist",
            Encoding::Stream | Encoding::StreamEx => "stream",
            Encoding::ArrayPacked | Encoding::ArrayTree => "sliced-array",
        }
    }

    /// The type and the encoding that an item's first byte means: their codes are its upper six bits.
    #[inline]
    pub fn of_tag(tag: u8) -> Option<(Type, Encoding)> {
        TAGS[usize::from(tag >> 2)]
    }

    /// The code in an item of this type.
    #[inline]
    pub fn code(self, kind: Type) -> u8 {
        match (kind, self) {
            (Type::String, Encoding::Int) => 0,
            (Type::String, Encoding::EmbStr) => 1,
            (Type::String, _) => 2,
            _ => kind.encodings().iter().position(|encoding| *encoding == self).unwrap_or(0) as u8,
        }
    }

    /// How many trees the value refers to: their roots stand at its start.
    #[inline]
    pub fn trees(self) -> usize {
        match self {
            Encoding::Quicklist | Encoding::HashTable | Encoding::ArrayTree => 1,
            Encoding::SkipList => 2,
            Encoding::Stream => super::stream::TREES,
            Encoding::StreamEx => super::stream::TREES_EX,
            _ => 0,
        }
    }

    /// Bytes of a packed value between the number of its elements and the elements: what else the type keeps.
    #[inline]
    pub fn head(self) -> usize {
        if self == Encoding::ArrayPacked { super::array::HEAD } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_back_and_fit_two_bits() {
        for kind in Type::ALL {
            for encoding in kind.encodings() {
                assert!(encoding.code(kind) < 4);
                assert_eq!(Encoding::of_tag((kind as u8) << 4 | encoding.code(kind) << 2), Some((kind, *encoding)));
            }
        }
        assert_eq!(Encoding::of_tag((Type::Stream as u8) << 4 | 3 << 2), None);
        assert_eq!([0, 8 << 4, 15 << 4].map(Encoding::of_tag), [None; 3]);
    }
}
