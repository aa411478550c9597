//! Names in template.yaml.

/// The logical id or parameter behind an environment variable: `TOKENS_TABLE` is `TokensTable`. The suffix for the kind
/// of resource is omitted where the resource shows it: `OTP_KEYS_SECRET` is `OtpKeys`.
pub fn behind(variable: &str) -> String {
    let plain = ["_SECRET", "_SET", "_TOPIC"]
        .iter()
        .find_map(|kind| variable.strip_suffix(kind))
        .unwrap_or(variable);
    pascal(plain, '_')
}

/// `support-pin-create` is `SupportPinCreate`.
pub fn stem(function: &str) -> String {
    pascal(function, '-')
}

fn pascal(name: &str, separator: char) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters.map(|letter| letter.to_ascii_lowercase())).collect::<String>()
    };
    name.split(separator).map(word).collect()
}

/// A text that YAML reads as itself, without quotes.
pub fn plain(text: &str) -> bool {
    !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && !text.starts_with(['[', '{', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_variables_and_folders() {
        for (variable, id) in [
            ("TOKENS_TABLE", "TokensTable"),
            ("OTP_GUESSES_PER_30_DAYS", "OtpGuessesPer30Days"),
            ("SUPPORT_PIN_KEYS_SECRET", "SupportPinKeys"),
            ("MAIL_CONFIGURATION_SET", "MailConfiguration"),
            ("MAIL_EVENTS_TOPIC", "MailEvents"),
        ] {
            assert_eq!(behind(variable), id);
        }
        assert_eq!(stem("support-pin-show-user"), "SupportPinShowUser");
    }
}
