//! Time-based codes, computed from the standards (RFC 4226, RFC 4648, RFC 6238).

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// The bytes of a base32 text.
fn bytes(text: &str) -> Vec<u8> {
    let mut bits = String::new();
    for symbol in text.bytes() {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'2'..=b'7' => symbol - b'2' + 26,
            other => panic!("{other} is not base32"),
        };
        bits += &format!("{value:05b}");
    }
    let whole = bits.as_bytes().chunks_exact(8);
    whole.map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | (bit - b'0'))).collect()
}

/// The code of a step, with SHA-1.
pub fn code(secret: &str, step: u64, digits: usize) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(&bytes(secret)).expect("a key of any length");
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 15);
    let word = digest[offset..offset + 4].iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    let number = u64::from(word & 0x7fff_ffff) % 10_u64.pow(digits.try_into().expect("a few"));
    format!("{number:0digits$}")
}
