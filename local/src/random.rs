//! Random ids and passwords, from the operating system's generator.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::TryRng as _;
use rand::rngs::SysRng;

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut drawn = [0; N];
    SysRng
        .try_fill_bytes(&mut drawn)
        .expect("the operating system's generator does not fail on a running system");
    drawn
}

/// A version 4 UUID, as Lambda's request ids are.
pub(crate) fn uuid() -> String {
    uuid::Builder::from_random_bytes(bytes()).into_uuid().to_string()
}

/// 32 hex digits: the unguessable part of a process's URLs.
pub(crate) fn hex() -> String {
    format!("{:032x}", u128::from_be_bytes(bytes()))
}

/// An id in the shape of API Gateway's request ids, such as `JKJaXmPLvHcESHA=`.
pub(crate) fn gateway_id() -> String {
    STANDARD.encode(bytes::<11>())
}

/// `length` characters, each drawn evenly from `alphabet` (at most 256 ASCII characters).
pub(crate) fn text(alphabet: &[u8], length: usize) -> String {
    // Bytes past the last whole multiple of the alphabet are rejected, so that the distribution is uniform.
    let even = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    while text.len() < length {
        for byte in bytes::<64>() {
            if usize::from(byte) < even && text.len() < length {
                text.push(char::from(alphabet[usize::from(byte) % alphabet.len()]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_the_length_and_the_alphabet() {
        let drawn = text(b"abc", 500);
        assert_eq!(drawn.len(), 500);
        assert!(drawn.bytes().all(|byte| b"abc".contains(&byte)));
        assert!(b"abc".iter().all(|letter| drawn.as_bytes().contains(letter)));
    }
}
