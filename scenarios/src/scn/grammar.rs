//! How tables of words become a reader, a printer and messages.
//!
//! A *noun* is one of a few names. A *piece* is anything that can stand in a sentence. A *phrase* is a
//! sentence: words that stand for themselves, and pieces in brackets between them.

use super::cursor::{Cursor, Read};
use super::error::Expected;

/// One of a few names, all of them known.
pub(super) trait Noun: Copy + PartialEq + 'static {
    /// What it is, in a message: `a wait reason`.
    const WHAT: &'static str;
    /// What stands for it in a table of sentences: `REASON`.
    const SHAPE: &'static str;
    /// Names, the canonical one first: whatever follows for the same value is read and never written.
    const NAMES: &'static [(Self, &'static str)];
}

/// Anything that can stand in a sentence.
pub(super) trait Piece: Sized {
    /// What stands for it in a table of sentences.
    fn shape() -> String;

    /// Reads it. After a miss the cursor may stand anywhere.
    fn read(cursor: &mut Cursor<'_>) -> Read<Self>;

    /// Appends its words. What was written is read back as the same.
    fn write(&self, words: &mut Vec<String>);
}

impl<T: Noun> Piece for T {
    fn shape() -> String {
        T::SHAPE.into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        let find = |word: &str| T::NAMES.iter().find(|(_, name)| *name == word).map(|(noun, _)| *noun);
        cursor.find(|| Expected::one_of(T::WHAT, canonical::<T>().map(|(_, name)| name)), find)
    }

    fn write(&self, words: &mut Vec<String>) {
        let (_, name) = T::NAMES.iter().find(|(noun, _)| noun == self).expect("every noun stands in its table");
        words.push((*name).into());
    }
}

/// The values of a noun with the names that are written for them.
pub(super) fn canonical<T: Noun>() -> impl Iterator<Item = (T, &'static str)> {
    let first = |value: T| T::NAMES.iter().position(|(other, _)| *other == value);
    T::NAMES.iter().enumerate().filter(move |(index, (value, _))| first(*value) == Some(*index)).map(|(_, pair)| *pair)
}

/// What may be left out.
impl<T: Piece> Piece for Option<T> {
    fn shape() -> String {
        format!("[{}]", T::shape())
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        // If it began well and then broke off, the cursor remembers: nothing else reads those words.
        Ok(cursor.attempt(T::read).ok())
    }

    fn write(&self, words: &mut Vec<String>) {
        if let Some(piece) = self {
            piece.write(words);
        }
    }
}

/// The words of a piece.
pub(super) fn words(piece: &impl Piece) -> Vec<String> {
    let mut words = Vec::new();
    piece.write(&mut words);
    words
}

/// Declares an enumeration whose variants have a name each: `Variant = "name" | "other name read for it"`.
macro_rules! nouns {
    ($($(#[$meta:meta])* pub enum $noun:ident ($what:literal, $shape:literal) {
        $($(#[$variant_meta:meta])* $variant:ident = $name:literal $(| $other:literal)*,)+
    })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $noun { $($(#[$variant_meta])* $variant,)+ }

        impl $crate::scn::grammar::Noun for $noun {
            const WHAT: &'static str = $what;
            const SHAPE: &'static str = $shape;
            const NAMES: &'static [(Self, &'static str)] =
                &[$((Self::$variant, $name), $((Self::$variant, $other),)*)+];
        }

        /// As it stands in a scenario file.
        impl std::fmt::Display for $noun {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::scn::grammar::words(self).concat())
            }
        }
    )+};
}
pub(super) use nouns;

/// Declares an enumeration whose variants are sentences: words in quotes, and pieces in brackets, which
/// become the variant's fields. A word after `|` is read for the one before it and never written. Sentences
/// are tried in order, so of two that begin alike the longer one comes first. `glued` says what is written
/// between two words.
macro_rules! phrases {
    ($($(#[$meta:meta])* pub enum $name:ident (glued $glue:literal) {
        $(
            $(#[$variant_meta:meta])*
            $variant:ident: $(($first:ident: $first_type:ty))*
                $($word:literal $(| $other:literal)* $(($field:ident: $type:ty))*)*;
        )+
    })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the sentence says what its fields are")]
        pub enum $name { $($(#[$variant_meta])* $variant { $($first: $first_type,)* $($($field: $type,)*)* },)+ }

        impl $crate::scn::grammar::Piece for $name {
            fn shape() -> String {
                let shapes = Self::shapes();
                if shapes.len() == 1 { shapes.concat() } else { stringify!($name).to_uppercase() }
            }

            fn read(cursor: &mut $crate::scn::cursor::Cursor<'_>) -> $crate::scn::cursor::Read<Self> {
                $(
                    let phrase = cursor.attempt(|cursor| {
                        $(let $first = $crate::scn::grammar::Piece::read(cursor)?;)*
                        $(
                            cursor.literal(&[$word, $($other,)*])?;
                            $(let $field = $crate::scn::grammar::Piece::read(cursor)?;)*
                        )*
                        Ok(Self::$variant { $($first,)* $($($field,)*)* })
                    });
                    if phrase.is_ok() {
                        return phrase;
                    }
                )+
                Err($crate::scn::cursor::Miss)
            }

            fn write(&self, words: &mut Vec<String>) {
                match self {
                    $(Self::$variant { $($first,)* $($($field,)*)* } => {
                        $($crate::scn::grammar::Piece::write($first, words);)*
                        $(
                            words.push($word.to_owned());
                            $($crate::scn::grammar::Piece::write($field, words);)*
                        )*
                    })+
                }
            }
        }

        impl $name {
            /// Every sentence, with a capital word for each piece: what can be written here.
            pub fn shapes() -> Vec<String> {
                vec![$(
                    [
                        $(<$first_type as $crate::scn::grammar::Piece>::shape(),)*
                        $($word.to_owned(), $(<$type as $crate::scn::grammar::Piece>::shape(),)*)*
                    ]
                    .join($glue),
                )+]
            }
        }

        /// As it stands in a scenario file.
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::scn::grammar::words(self).join($glue))
            }
        }

        #[cfg(test)]
        impl $crate::scn::sample::Sample for $name {
            fn sample() -> proptest::strategy::BoxedStrategy<Self> {
                use proptest::strategy::Strategy;
                proptest::strategy::Union::new(vec![$({
                    let fields = (
                        $(<$first_type as $crate::scn::sample::Sample>::sample(),)*
                        $($(<$type as $crate::scn::sample::Sample>::sample(),)*)*
                        proptest::strategy::Just(()),
                    );
                    fields
                        .prop_map(|($($first,)* $($($field,)*)* (),)| Self::$variant {
                            $($first,)* $($($field,)*)*
                        })
                        .boxed()
                },)+])
                .boxed()
            }
        }
    )+};
}
pub(super) use phrases;
