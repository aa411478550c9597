//! The length of text messages in segments, which is what is sent and billed (3GPP TS 23.038 §6.2.1, TS 23.040
//! §9.2.3.24.1): 160 characters of the GSM default alphabet, or 70 units of UTF-16 if the text has any other character.
//! A segment of a longer message has room for 153 or 67, since each says which part it is.

/// The characters that take one septet: the default alphabet without its escape character.
const BASIC: &str = concat!(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?",
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);

/// The characters that take two: an escape, and a character of the extension table.
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// How many segments a message needs.
#[must_use]
pub(super) fn segments(text: &str) -> usize {
    let septets: Option<Vec<_>> = text.chars().map(septets).collect();
    match septets {
        Some(sizes) => parts(&sizes, 160, 153),
        None => parts(&text.chars().map(char::len_utf16).collect::<Vec<_>>(), 70, 67),
    }
}

/// The septets of a character, if it is in the default alphabet or in its extension.
fn septets(symbol: char) -> Option<usize> {
    match (BASIC.contains(symbol), EXTENDED.contains(symbol)) {
        (true, _) => Some(1),
        (false, true) => Some(2),
        (false, false) => None,
    }
}

/// The parts of a message of characters of these sizes. No character is divided between two parts.
fn parts(sizes: &[usize], alone: usize, each: usize) -> usize {
    if sizes.iter().sum::<usize>() <= alone {
        return 1;
    }
    let (mut parts, mut room) = (1, each);
    for size in sizes {
        if *size > room {
            parts += 1;
            room = each;
        }
        room -= size;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_alphabet_has_127_characters_beside_the_escape() {
        let mut symbols: Vec<_> = BASIC.chars().collect();
        symbols.sort_unstable();
        symbols.dedup();
        assert_eq!(symbols.len(), 127);
        assert_eq!(EXTENDED.chars().filter(|symbol| BASIC.contains(*symbol)).count(), 0);
    }

    #[test]
    fn a_message_is_divided_at_the_limits_of_its_alphabet() {
        for (text, count) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("é".repeat(160), 1),
            ("€".repeat(80), 1),
            ("€".repeat(80) + "a", 2),
            // Only 76 pairs of septets are in the first part: the 77th would be divided.
            ("€".repeat(152), 2),
            ("€".repeat(153), 3),
            ("я".repeat(70), 1),
            ("я".repeat(71), 2),
            ("я".repeat(134), 2),
            ("я".repeat(135), 3),
            // One character of another alphabet changes the whole message; these are in no GSM table.
            ("a".repeat(69) + "ç", 1),
            ("a".repeat(70) + "ç", 2),
            ("a".repeat(70) + "`", 2),
            ("a".repeat(70) + "—", 2),
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
            // 33 of them are in a part of 67 units.
            ("😀".repeat(66), 2),
            ("😀".repeat(67), 3),
        ] {
            assert_eq!(segments(&text), count, "{text}");
        }
    }
}
