//! An identity provider for trials without a real one: it signs any claims it is given.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use graviola::signing::rsa::{KeySize, SigningKey};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use serde_json::{Map, Value, json};

use crate::random;

/// The path of an issuer's metadata (OpenID Connect Discovery 1.0 §4).
pub(crate) const CONFIGURATION: &str = "/.well-known/openid-configuration";

/// The default token lifetime in seconds, unless the claims set an expiry.
const LIFETIME: u64 = 3600;

/// The issuer's own URL in the cloud that answers at `url`.
pub(crate) fn address(url: &str) -> String {
    format!("{url}/_local/issuer")
}

/// The provider. Its key is generated on first use and lost when the cloud ends.
#[derive(Default)]
pub(crate) struct Issuer(OnceLock<Key>);

struct Key {
    id: String,
    pair: KeyPair,
}

impl Issuer {
    /// Its metadata.
    pub(crate) fn configuration(url: &str) -> Value {
        let own = address(url);
        json!({ "issuer": own, "jwks_uri": format!("{own}/jwks.json"), "token_endpoint": format!("{own}/token") })
    }

    /// Its JWK set (RFC 7517), with one key.
    pub(crate) fn keys(&self) -> Value {
        let key = self.key();
        let public = PublicKeyComponents::<Vec<u8>>::from(key.pair.public());
        let [n, e] = [public.n, public.e].map(|number| URL_SAFE_NO_PAD.encode(number));
        json!({ "keys": [{ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.id, "n": n, "e": e }] })
    }

    /// A token with these claims (RFC 7519). `iss`, `iat` and `exp` are added if absent; `null` leaves one out.
    pub(crate) fn token(&self, claims: Map<String, Value>, url: &str, now: u64) -> String {
        let key = self.key();
        let mut all = Map::from_iter([
            ("iss".to_owned(), address(url).into()),
            ("iat".to_owned(), now.into()),
            ("exp".to_owned(), (now + LIFETIME).into()),
        ]);
        all.extend(claims);
        all.retain(|_, claim| !claim.is_null());
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": key.id });
        let [header, claims] = [header, all.into()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; key.pair.public().modulus_len()];
        key.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .expect("a buffer as long as the modulus holds the signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn key(&self) -> &Key {
        self.0.get_or_init(|| {
            let drawn = SigningKey::generate(KeySize::Rsa2048).expect("the system has entropy");
            let mut der = [0; 2048];
            let der = drawn.to_pkcs1_der(&mut der).expect("a key of 2048 bits takes 1.2 KB");
            Key {
                id: random::hex(),
                pair: KeyPair::from_der(der).expect("what one library writes the other one reads"),
            }
        })
    }
}
