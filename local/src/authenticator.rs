//! A built-in authenticator app: the phone of a trial. It follows the local clock, and the product does not know it.

use std::sync::{Mutex, MutexGuard};

use qrcode::QrCode;
use qrcode::render::svg;
use serde::Serialize;
use totp_rs::Totp;

/// Pixels of a QR code's side, at least.
const SIDE: u32 = 220;

/// The app: what it has scanned, oldest first.
#[derive(Default)]
pub(crate) struct Authenticator(Mutex<Vec<Entry>>);

struct Entry {
    uri: String,
    /// An independent implementation: a code that the product accepts is right by two of them.
    totp: Totp,
}

impl Entry {
    fn of_uri(uri: &str) -> Result<Self, String> {
        let totp = Totp::from_url(uri).map_err(|error| error.to_string())?;
        Ok(Self {
            uri: uri.to_owned(),
            totp,
        })
    }

    /// Derived from the URI, so that it still names this entry after a restart.
    fn id(&self) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, self.uri.as_bytes());
        digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What the app shows of an entry at a moment.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct Shown {
    id: String,
    issuer: Option<String>,
    account: String,
    code: String,
    /// Until the next code.
    seconds_left: u64,
}

impl Authenticator {
    /// Restores the app from a data directory, if there is one.
    pub(crate) fn new(uris: &[String]) -> Self {
        Self(Mutex::new(uris.iter().filter_map(|uri| Entry::of_uri(uri).ok()).collect()))
    }

    /// The scanned URIs. They contain the secrets.
    pub(crate) fn uris(&self) -> Vec<String> {
        self.entries().iter().map(|entry| entry.uri.clone()).collect()
    }

    /// What it shows at a second since the Unix epoch.
    pub(crate) fn list(&self, now: u64) -> Vec<Shown> {
        let shown = |entry: &Entry| Shown {
            id: entry.id(),
            issuer: entry.totp.issuer().map(str::to_owned),
            account: entry.totp.account_name().to_owned(),
            code: entry.totp.generate(now).to_string(),
            seconds_left: entry.totp.step() - now % entry.totp.step(),
        };
        self.entries().iter().map(shown).collect()
    }

    /// Scans a URI; scanning it again changes nothing.
    pub(crate) fn scan(&self, uri: &str) -> Result<(), String> {
        let entry = Entry::of_uri(uri)?;
        let mut entries = self.entries();
        if entries.iter().all(|known| known.uri != entry.uri) {
            entries.push(entry);
        }
        Ok(())
    }

    /// Forgets an entry; `false` if there is none of that id.
    pub(crate) fn forget(&self, id: &str) -> bool {
        let mut entries = self.entries();
        let before = entries.len();
        entries.retain(|entry| entry.id() != id);
        entries.len() < before
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

/// Draws a text as a QR code: an SVG.
pub(crate) fn draw(text: &str) -> Result<String, String> {
    let code = QrCode::new(text).map_err(|error| error.to_string())?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(SIDE, SIDE).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B: `12345678901234567890`.
    const URI: &str =
        "otpauth://totp/Demo:maria%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Demo&digits=8";

    #[test]
    fn the_app_shows_the_codes_of_the_standard_and_the_seconds_until_the_next() {
        let app = Authenticator::new(&[URI.to_owned()]);
        // Appendix B, and both sides of the boundary of a step.
        for (now, code, seconds_left) in [
            (59, "94287082", 1),
            (60, "37359152", 30),
            (1_111_111_109, "07081804", 1),
            (1_111_111_111, "14050471", 29),
            (20_000_000_000, "65353130", 10),
        ] {
            let shown = app.list(now);
            let [entry] = shown.as_slice() else { panic!("{shown:?}") };
            assert_eq!((entry.code.as_str(), entry.seconds_left), (code, seconds_left), "at {now}");
            assert_eq!((entry.issuer.as_deref(), entry.account.as_str()), (Some("Demo"), "maria@example.org"));
        }
    }

    #[test]
    fn an_entry_is_scanned_once_kept_as_its_uri_and_forgotten() {
        let app = Authenticator::default();
        let other = URI.replace("maria", "anna");
        for uri in [URI, other.as_str(), URI] {
            app.scan(uri).expect("a URI");
        }
        assert_eq!(app.uris(), [URI, other.as_str()]);
        let restored = Authenticator::new(&app.uris());
        assert_eq!(restored.list(59), app.list(59));
        let id = app.list(59)[0].id.clone();
        assert!(app.forget(&id));
        assert!(!app.forget(&id), "it is gone");
        assert_eq!(app.uris(), [other]);
    }

    #[test]
    fn what_no_app_can_show_is_refused() {
        let app = Authenticator::default();
        for uri in [
            "",
            "https://example.org/",
            "otpauth://hotp/Demo:maria?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "otpauth://totp/Demo:maria",
            "otpauth://totp/Demo:maria?secret=GEZDGNBV",
            "otpauth://totp/Demo:maria?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&period=0",
            "otpauth://totp/Demo:maria?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=10",
        ] {
            assert!(app.scan(uri).is_err(), "{uri}");
        }
        assert!(app.uris().is_empty());
    }

    #[test]
    fn a_qr_code_is_drawn_up_to_its_capacity() {
        let svg = draw(URI).expect("a URI is short");
        assert!(svg.starts_with("<?xml") && svg.ends_with("</svg>"), "{svg}");
        assert_ne!(svg, draw(&URI.replace("maria", "anna")).expect("as short"));
        // ISO/IEC 18004: 2331 bytes in the largest code with error correction M.
        assert!(draw(&"~".repeat(2331)).is_ok());
        assert!(draw(&"~".repeat(2332)).is_err());
    }
}
