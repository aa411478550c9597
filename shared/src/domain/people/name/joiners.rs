//! The joiners U+200C and U+200D. They are invisible, so they can make two names out of one; but Persian, Sinhala and
//! other languages are misspelt without them, and many emoji need them. They are accepted where they have an effect
//! (RFC 5892 A.1 and A.2; UTS 51 §1.4.6).

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{CanonicalCombiningClass, EmojiModifier, ExtendedPictographic, JoiningType},
};

const NON_JOINER: char = '\u{200c}';
const JOINER: char = '\u{200d}';

/// The variation selector that renders the preceding character as an emoji.
const AS_EMOJI: char = '\u{fe0f}';

/// Whether the character is one of the two joiners.
pub(super) fn is_joiner(symbol: char) -> bool {
    matches!(symbol, NON_JOINER | JOINER)
}

/// Whether every joiner of a text has an effect at its position.
pub(super) fn are_in_place(text: &str) -> bool {
    let mut joiners = text.char_indices().filter(|(_, symbol)| is_joiner(*symbol));
    joiners.all(|(at, joiner)| {
        let (before, after) = (&text[..at], &text[at + joiner.len_utf8()..]);
        follows_virama(before)
            || match joiner {
                NON_JOINER => parts_letters(before, after),
                _ => joins_emoji(before, after),
            }
    })
}

fn follows_virama(before: &str) -> bool {
    let class = |symbol| CodePointMapData::<CanonicalCombiningClass>::new().get(symbol);
    before.chars().next_back().map(class) == Some(CanonicalCombiningClass::Virama)
}

/// Whether a joiner is between two letters of a cursive script that would be joined.
fn parts_letters(before: &str, after: &str) -> bool {
    let joining = |symbol: char| CodePointMapData::<JoiningType>::new().get(symbol);
    let is_drawn = |joining: &JoiningType| *joining != JoiningType::Transparent;
    let before = before.chars().rev().map(joining).find(is_drawn);
    let after = after.chars().map(joining).find(is_drawn);
    matches!(before, Some(JoiningType::LeftJoining | JoiningType::DualJoining))
        && matches!(after, Some(JoiningType::RightJoining | JoiningType::DualJoining))
}

/// Whether a joiner is between two emoji, of which the first may have a skin tone.
fn joins_emoji(before: &str, after: &str) -> bool {
    let is_picture = |symbol| CodePointSetData::new::<ExtendedPictographic>().contains(symbol);
    let is_tone = |symbol| CodePointSetData::new::<EmojiModifier>().contains(symbol);
    let mut before = before.chars().rev();
    let last = before.next();
    let picture = match last {
        Some(symbol) if symbol == AS_EMOJI || is_tone(symbol) => before.next(),
        other => other,
    };
    picture.is_some_and(is_picture) && after.chars().next().is_some_and(is_picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joiner_is_allowed_only_where_it_has_an_effect() {
        for (text, expected) in [
            ("", true),
            ("Masha", true),
            // Persian: between letters that would be joined, marks between them or not.
            ("علی\u{200c}رضا", true),
            ("نیم\u{200c}فاصله", true),
            ("بِ\u{200c}َب", true),
            // After a letter that does not join, before one that does not, at either end.
            ("کار\u{200c}آفرین", false),
            ("علی\u{200c}", false),
            ("\u{200c}علی", false),
            ("علی\u{200c} رضا", false),
            ("علی\u{200c}a", false),
            ("علی\u{200c}\u{200c}رضا", false),
            ("علی\u{200d}رضا", false),
            // After a virama: Sinhala, Hindi, Bengali, Malayalam.
            ("ශ්\u{200d}රී", true),
            ("क्\u{200d}ष", true),
            ("क्\u{200c}ष", true),
            ("র\u{200d}্য", false),
            ("അവന്\u{200d}", true),
            ("क\u{200d}ष", false),
            ("क्\u{200d}\u{200d}ष", false),
            // Emoji, with a tone or a selector.
            ("👨\u{200d}👩\u{200d}👧", true),
            ("🧑🏽\u{200d}🚀", true),
            ("🏳\u{fe0f}\u{200d}🌈", true),
            ("❤\u{fe0f}\u{200d}🔥", true),
            ("👨\u{200d}", false),
            ("\u{200d}👨", false),
            ("👨\u{200d}\u{200d}👩", false),
            ("👨\u{200c}👩", false),
            ("👨\u{fe0f}\u{fe0f}\u{200d}👩", false),
            ("👨\u{200d}a", false),
            ("a\u{200d}👩", false),
            ("1\u{fe0f}\u{200d}👩", false),
            // Between letters on which joiners have no effect.
            ("ad\u{200c}min", false),
            ("ad\u{200d}min", false),
            ("а\u{200d}б", false),
            ("山\u{200d}田", false),
        ] {
            assert_eq!(are_in_place(text), expected, "{text:?}");
        }
    }
}
