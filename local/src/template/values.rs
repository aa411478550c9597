//! Values with their own notation: generated secrets and rates.

use std::time::Duration;

use serde_json::{Map, Value};

use super::SecretSource;

/// Parses `GenerateSecretString`.
pub(super) fn generated(options: &Map<String, Value>, at: &str) -> Result<SecretSource, String> {
    let flag = |key: &str| options.get(key).and_then(Value::as_bool).unwrap_or(false);
    let excluded = options.get("ExcludeCharacters").and_then(Value::as_str).unwrap_or_default();
    let mut alphabet = String::new();
    for (left_out, characters) in [
        ("ExcludeLowercase", "abcdefghijklmnopqrstuvwxyz"),
        ("ExcludeUppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("ExcludeNumbers", "0123456789"),
        ("ExcludePunctuation", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    ] {
        if !flag(left_out) {
            alphabet.extend(characters.chars().filter(|character| !excluded.contains(*character)));
        }
    }
    if flag("IncludeSpace") {
        alphabet.push(' ');
    }
    if alphabet.is_empty() {
        return Err(format!("{at} leaves no character to draw from"));
    }
    let length = options.get("PasswordLength").and_then(Value::as_u64).unwrap_or(32);
    let length = usize::try_from(length).ok().filter(|length| (1..=4096).contains(length));
    let length = length.ok_or_else(|| format!("{at}.PasswordLength must be from 1 to 4096"))?;
    let inside = match (options.get("SecretStringTemplate"), options.get("GenerateStringKey")) {
        (Some(Value::String(template)), Some(Value::String(key))) => {
            let object = serde_json::from_str(template)
                .map_err(|error| format!("{at}.SecretStringTemplate is not a JSON object: {error}"))?;
            Some((object, key.clone()))
        }
        (None, None) => None,
        _ => {
            return Err(format!("{at} needs SecretStringTemplate and GenerateStringKey together, as texts"));
        }
    };
    Ok(SecretSource::Generated {
        length,
        alphabet,
        inside,
    })
}

/// `rate(5 minutes)`.
pub(super) fn rate(expression: &str) -> Option<Duration> {
    let (count, unit) = expression.trim().strip_prefix("rate(")?.strip_suffix(')')?.trim().split_once(' ')?;
    let seconds = match unit.trim() {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3600,
        "day" | "days" => 86400,
        _ => return None,
    };
    let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
    Some(Duration::from_secs(count.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rates() {
        for (expression, seconds) in [
            ("rate(1 minute)", Some(60)),
            ("rate(5 minutes)", Some(300)),
            (" rate( 2 hours ) ", Some(7200)),
            ("rate(1 day)", Some(86400)),
            ("rate(0 minutes)", None),
            ("rate(1 fortnight)", None),
            ("cron(0 12 * * ? *)", None),
        ] {
            assert_eq!(rate(expression).map(|every| every.as_secs()), seconds, "{expression}");
        }
    }

    #[test]
    fn generated_secrets() {
        for (options, alphabet) in [
            (
                json!({ "ExcludePunctuation": true, "ExcludeNumbers": true, "ExcludeLowercase": true }),
                Some("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            ),
            (
                json!({ "ExcludePunctuation": true, "ExcludeUppercase": true, "ExcludeLowercase": true, "ExcludeCharacters": "01" }),
                Some("23456789"),
            ),
            (json!({ "PasswordLength": 0 }), None),
            (json!({ "SecretStringTemplate": "{}" }), None),
            (json!({ "SecretStringTemplate": "[]", "GenerateStringKey": "1" }), None),
        ] {
            let Value::Object(options) = options else {
                unreachable!("every case is an object")
            };
            match (generated(&options, "here"), alphabet) {
                (Ok(SecretSource::Generated { alphabet: drawn, .. }), Some(alphabet)) => assert_eq!(drawn, alphabet),
                (Err(error), None) => assert!(error.starts_with("here"), "{error}"),
                (other, _) => panic!("{options:?} gave {other:?}"),
            }
        }
    }
}
