//! The secret of a user's authenticator app, as stored: encrypted, and bound to the user and the factor.

use rand::TryCryptoRng;

use super::id::{FactorId, UserId};
use crate::domain::{
    crypto::{
        encryption::{Encrypted, Unreadable},
        key::{Keyring, TotpSecrets},
        secret::NoEntropy,
    },
    totp::TotpSecret,
};

/// An authenticator app: the factor that it is, and its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct App {
    /// The user.
    pub user: UserId,
    /// The factor.
    pub factor: FactorId,
}

impl App {
    /// Encrypts the app's secret with the signing key.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn encrypt(
        self,
        keys: &Keyring<TotpSecrets>,
        secret: &TotpSecret,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Encrypted, NoEntropy> {
        let factor = self.factor.text();
        Encrypted::close(keys, &[b"totp", self.user.as_bytes(), factor.as_bytes()], &secret.to_base32(), rng)
    }

    /// Decrypts the app's secret.
    ///
    /// # Errors
    /// [`Unreadable`] when its key was deleted, or when it is another app's.
    pub fn decrypt(self, keys: &Keyring<TotpSecrets>, stored: &Encrypted) -> Result<TotpSecret, Unreadable> {
        let factor = self.factor.text();
        let text = stored.open(keys, &[b"totp", self.user.as_bytes(), factor.as_bytes()])?;
        TotpSecret::parse(text.expose()).ok_or(Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::crypto::{key::tests::ring, secret::tests::Broken};

    #[test]
    fn a_secret_is_decrypted_for_its_own_app_and_key_only() {
        let keys = ring::<TotpSecrets>(&[1]);
        let draw = || App {
            user: UserId::draw(&mut SysRng).expect("entropy"),
            factor: FactorId::draw(&mut SysRng).expect("entropy"),
        };
        let (app, other) = (draw(), draw());
        let secret = TotpSecret::draw(&mut SysRng).expect("entropy");
        let stored = app.encrypt(&keys, &secret, &mut SysRng).expect("entropy");
        let shown =
            |app: App, keys| app.decrypt(keys, &stored).ok().map(|secret| secret.to_base32().expose().to_owned());
        assert_eq!(shown(app, &keys).as_deref(), Some(secret.to_base32().expose()));
        assert_eq!(
            shown(
                App {
                    user: other.user,
                    ..app
                },
                &keys
            ),
            None
        );
        assert_eq!(
            shown(
                App {
                    factor: other.factor,
                    ..app
                },
                &keys
            ),
            None
        );
        assert_eq!(shown(app, &ring(&[2])), None);
        assert!(app.encrypt(&keys, &secret, &mut Broken).is_err());
    }
}
