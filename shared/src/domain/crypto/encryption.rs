//! Encryption of texts that must be read again: AES-256-GCM, with the text's context as associated data (ASVS 11.3.2
//! to 11.3.4), so that a ciphertext moved to another row does not decrypt.

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use rand::TryCryptoRng;

use super::{
    key::Keyring,
    secret::{NoEntropy, Secret, framed, random_bytes},
};

/// An encrypted text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encrypted {
    /// The id of the encryption key.
    pub key: u32,
    /// A random nonce, new for every text.
    pub nonce: [u8; 12],
    /// Ciphertext and tag.
    pub bytes: Vec<u8>,
}

/// The text does not decrypt: its key was deleted, or the stored row was tampered with.
#[derive(Debug)]
pub struct Unreadable;

impl Encrypted {
    /// Encrypts a text with the signing key, bound to its context.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn close<P>(
        keys: &Keyring<P>,
        context: &[&[u8]],
        text: &Secret,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Self, NoEntropy> {
        let key = keys.signing();
        let nonce = random_bytes(rng)?;
        let bytes = seal(key.bytes(), nonce, &associated(context, key.id()), text);
        Ok(Self {
            key: key.id(),
            nonce,
            bytes,
        })
    }

    /// Decrypts the text, bound to the context that it was encrypted with.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn open<P>(&self, keys: &Keyring<P>, context: &[&[u8]]) -> Result<Secret, Unreadable> {
        let key = keys.get(self.key).ok_or(Unreadable)?;
        self.unseal(key.bytes(), &associated(context, key.id()))
    }

    fn unseal(&self, key: &[u8; 32], associated: &[u8]) -> Result<Secret, Unreadable> {
        let text = cipher(key).decrypt(
            &Nonce::from(self.nonce),
            Payload {
                msg: &self.bytes,
                aad: associated,
            },
        );
        let text = String::from_utf8(text.map_err(|_| Unreadable)?);
        text.map(Secret::new).map_err(|_| Unreadable)
    }
}

fn seal(key: &[u8; 32], nonce: [u8; 12], associated: &[u8], text: &Secret) -> Vec<u8> {
    let sealed = cipher(key).encrypt(
        &Nonce::from(nonce),
        Payload {
            msg: text.expose().as_bytes(),
            aad: associated,
        },
    );
    sealed.expect("our texts are below the limit of AES-GCM")
}

fn associated(context: &[&[u8]], key: u32) -> Vec<u8> {
    framed(&[context, &[&key.to_be_bytes()]].concat())
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(&(*key).into())
}
