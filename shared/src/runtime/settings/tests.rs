use super::*;

fn edge(variables: &[(&str, &str)]) -> Edge {
    Edge::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

#[test]
fn the_defaults_match_the_contract() {
    let edge = edge(&[("PASSCODE_LIFETIME", "")]);
    assert_eq!(edge.support_pin_policy().expect("defaults").lifetime, 86_400);
    let passcode = edge.passcode_policy().expect("defaults");
    assert_eq!(passcode.lifetime, 600);
    assert!(passcode.shape("any").fits(&"aZ09".repeat(8)) && !passcode.shape("any").is_short());
    assert!(edge.problems().is_empty());
}

#[test]
fn numbers_out_of_range_prevent_the_start() {
    for (value, good) in [
        ("59", false),
        ("60", true),
        ("604800", true),
        ("604801", false),
        ("-1", false),
        ("1h", false),
        ("0", false),
    ] {
        let edge = edge(&[("SUPPORT_PIN_LIFETIME", value)]);
        assert_eq!(edge.support_pin_policy().is_ok(), good, "{value}");
        assert_eq!(edge.problems().is_empty(), good, "{value}");
    }
}

#[test]
fn short_codes_expire_after_ten_minutes_at_most() {
    let short = r#"{"PHONE":{"length":8,"alphabet":"0123456789"}}"#;
    for (lifetime, purposes, good) in [
        ("600", short, true),
        ("601", short, false),
        ("601", "", true),
        ("86400", "{}", true),
        ("86401", "", false),
    ] {
        let edge = edge(&[("PASSCODE_LIFETIME", lifetime), ("PASSCODE_PURPOSES", purposes)]);
        assert_eq!(edge.passcode_policy().is_ok(), good, "{lifetime} {purposes}");
    }
}

#[test]
fn no_lifetime_exceeds_the_retention_of_its_key() {
    use crate::domain::crypto::key::{OtpCodes, Passcodes, Purpose, SupportPins};
    for (more, good) in [(0, true), (1, false)] {
        let lives = |name, life: u64| edge(&[(name, &(life + more).to_string()), ("PASSCODE_PURPOSES", "{}")]);
        let pins = lives("SUPPORT_PIN_LIFETIME", SupportPins::LONGEST_LIFE);
        assert_eq!(pins.support_pin_policy().is_ok(), good);
        let passcodes = lives("PASSCODE_LIFETIME", Passcodes::LONGEST_LIFE);
        assert_eq!(passcodes.passcode_policy().is_ok(), good);
        assert_eq!(lives("OTP_LIFETIME", OtpCodes::LONGEST_LIFE).otp_policy().is_ok(), good);
    }
}

#[test]
fn links_must_be_https_or_local() {
    for (value, good) in [
        ("", true),
        ("/", true),
        ("/login?next=%2F#top", true),
        ("", true),
        ("https://pbx.example/login", true),
        ("https://pbx.example", true),
        ("https://pbx.example:8443/", true),
        ("http://127.0.0.1:3000/login", true),
        ("http://localhost", true),
        ("http://[::1]:3000/", true),
        ("http://pbx.example/login", false),
        ("http://localhost.evil.example/", false),
        ("http://localhost:3000@evil.example/", false),
        ("http://127.0.0.1:x/", false),
        ("https://", false),
        ("https:///login", false),
        ("https://:443/", false),
        ("https://pbx.example@evil.example/", false),
        ("//evil.example/", false),
        ("/\\evil.example/", false),
        ("/\t/evil.example/", false),
        ("/lo gin", false),
        ("/логин", false),
        ("login", false),
        ("javascript:alert(1)", false),
        ("JavaScript:alert(1)", false),
        ("data:text/html,x", false),
    ] {
        let edge = edge(&[("LOGIN_URL", value)]);
        match edge.login_url() {
            Ok(link) => assert_eq!(link.unwrap_or_default(), if good { value } else { "refused" }),
            Err(_) => assert!(!good, "{value:?}"),
        }
        assert_eq!(edge.problems().is_empty(), good, "{value:?}");
    }
}

#[test]
fn every_problem_is_reported_at_once() {
    let edge = edge(&[
        ("PASSCODE_LIFETIME", "x"),
        ("PASSCODE_LENGTH", "1000"),
        ("PASSCODE_GUESSES_PER_DAY", "11"),
        ("PASSCODE_PURPOSES", r#"{"A":{"length":1,"alphabet":"ab"},"B":{"length":6,"alphabet":"aa"}}"#),
    ]);
    assert!(edge.passcode_policy().is_err());
    assert_eq!(edge.problems().len(), 5, "{:?}", edge.problems());
}
