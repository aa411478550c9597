//! The texts of mails, built purely.
//!
//! Mails never contain text that a requester wrote: only our own words, the domain's name, the link, the time and a
//! masked phone number (R32).

use super::{
    layout::{self, Action, Parts},
    vocabulary::{Invitation, Plain, Words, fill, words_of},
};
use crate::domain::{
    audit::Notice,
    crypto::secret::Secret,
    mail::link::Life,
    people::{locale::Locale, name::DomainName},
    time::Timestamp,
};

/// The content of a mail to a user.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// The link that completes a registration.
    ConfirmRegistration {
        /// The page to choose a password.
        link: &'a Secret,
        /// The lifetime of the link.
        life: Life,
    },
    /// Replaces [`Self::ConfirmRegistration`] where the address already has an account. Without a link.
    AlreadyRegistered,
    /// The link that sets a new password.
    ResetPassword {
        /// The page to choose a new password.
        link: &'a Secret,
        /// The lifetime of the link.
        life: Life,
    },
    /// Replaces [`Self::ResetPassword`] where the address has no account. Without a link.
    NoAccount,
    /// The notice after a change to an account. Without a link (R41).
    Notice {
        /// What was changed.
        notice: &'a Notice,
        /// When it was changed.
        at: Timestamp,
    },
}

/// A composed mail. It may contain a link, and so has no `Debug`.
pub struct Mail {
    /// One line of plain text.
    pub subject: String,
    /// The part for programs that show plain text.
    pub text: String,
    /// The part for all others.
    pub html: String,
}

/// Composes a message in the domain's language; in English where that language is not supported.
///
/// # Panics
/// Never: a test reads every locale's file.
#[must_use]
pub fn compose(locale: &Locale, domain: &DomainName, message: &Message<'_>) -> Mail {
    let (lang, words) = words_of(locale);
    put(lang, &words, domain.as_str(), message)
}

fn put(lang: &str, words: &Words, domain: &str, message: &Message<'_>) -> Mail {
    let invitation = |invitation: &Invitation, link: &Secret, life: Life| {
        let life = match life {
            Life::Hours(n) => words.hours.form(lang, n),
            Life::Minutes(n) => words.minutes.form(lang, n),
        };
        let said = |text: &String| fill(text, &[("domain", domain), ("life", &life)]);
        Parts {
            subject: said(&invitation.subject),
            heading: said(&invitation.heading),
            before: invitation.before.iter().map(said).collect(),
            action: Some(Action::Link {
                button: said(&invitation.button),
                copy: said(&words.copy),
                link: link.clone(),
            }),
            after: invitation.after.iter().map(said).collect(),
        }
    };
    let plain = |plain: &Plain, values: &[(&str, &str)]| {
        let values = [&[("domain", domain)], values].concat();
        let said = |text: &String| fill(text, &values);
        Parts {
            subject: said(&plain.subject),
            heading: said(&plain.heading),
            before: plain.paragraphs.iter().map(said).collect(),
            action: None,
            after: Vec::new(),
        }
    };
    let parts = match *message {
        Message::ConfirmRegistration { link, life } => invitation(&words.confirm_registration, link, life),
        Message::AlreadyRegistered => plain(&words.already_registered, &[]),
        Message::ResetPassword { link, life } => invitation(&words.reset_password, link, life),
        Message::NoAccount => plain(&words.no_account, &[]),
        Message::Notice { notice, at } => {
            let text = match notice {
                Notice::PasswordChanged => &words.password_changed,
                Notice::FactorChanged { .. } => &words.factor_changed,
                Notice::FactorReset => &words.factor_reset,
                Notice::FactorDisabled => &words.factor_disabled,
                Notice::Locked => &words.locked,
                Notice::CodeFailed => &words.code_failed,
                Notice::AppChanged => &words.app_changed,
                Notice::FactorRemoved => &words.factor_removed,
                Notice::RecoveryCodeUsed { .. } => &words.recovery_code_used,
                Notice::RecoveryCodesReplaced => &words.recovery_codes_replaced,
                Notice::DeviceAdded => &words.device_added,
            };
            plain(text, &[("time", &utc(at)), ("detail", &notice.detail().unwrap_or_default())])
        }
    };
    Mail {
        subject: layout::one_line(&parts.subject),
        text: layout::text(&parts),
        html: layout::html(lang, &parts),
    }
}

/// In a readable form: `2026-02-27 22:06:57 UTC`.
fn utc(at: Timestamp) -> String {
    at.iso().replace('T', " ").replace('Z', " UTC")
}

#[cfg(test)]
mod tests {
    use super::{super::vocabulary::LOCALES, *};

    const LINK: &str = "https://id.example.com/app-root#/self_register/1b4e28ba-2fa1-41d2-883f-0016d3cca427";

    fn link() -> Secret {
        Secret::new(LINK.into())
    }

    fn notices() -> [Notice; 11] {
        [
            Notice::PasswordChanged,
            Notice::FactorChanged {
                phone: "+38088*****30".to_owned(),
            },
            Notice::FactorReset,
            Notice::FactorDisabled,
            Notice::Locked,
            Notice::CodeFailed,
            Notice::AppChanged,
            Notice::FactorRemoved,
            Notice::RecoveryCodeUsed { left: 9 },
            Notice::RecoveryCodesReplaced,
            Notice::DeviceAdded,
        ]
    }

    fn messages<'a>(link: &'a Secret, notices: &'a [Notice]) -> Vec<Message<'a>> {
        let at = Timestamp::from_seconds(1_772_230_017);
        let others = [
            Message::ConfirmRegistration {
                link,
                life: Life::Hours(24),
            },
            Message::AlreadyRegistered,
            Message::ResetPassword {
                link,
                life: Life::Minutes(5),
            },
            Message::NoAccount,
        ];
        others.into_iter().chain(notices.iter().map(|notice| Message::Notice { notice, at })).collect()
    }

    fn locale(tag: &str) -> Locale {
        Locale::parse(tag).expect("a good tag")
    }

    fn domain() -> DomainName {
        DomainName::parse("pbx.example.com").expect("a good name")
    }

    /// Each locale with each message, composed.
    fn each(check: impl Fn(&str, &Message<'_>, &Mail)) {
        let (link, notices) = (link(), notices());
        for (name, _) in LOCALES {
            for message in messages(&link, &notices) {
                check(name, &message, &compose(&locale(name), &domain(), &message));
            }
        }
    }

    #[test]
    fn every_mail_has_all_parts_and_leaves_no_placeholder() {
        each(|name, message, mail| {
            let context = format!("{name} {message:?}");
            for part in [&mail.subject, &mail.text, &mail.html] {
                assert!(!part.is_empty() && part.trim_end_matches('\n') == part.trim(), "{context}");
                assert!(!part.contains(['{', '}']), "{context}: {part}");
                assert!(part.contains("pbx.example.com"), "{context}: {part}");
            }
            assert!(!mail.subject.contains(char::is_control), "{context}");
            assert!(mail.html.contains(&format!("<html lang=\"{name}\"")), "{context}");
            for line in mail.text.lines().filter(|line| *line != LINK) {
                assert!(line.chars().count() <= 72, "{context}: {line}");
            }
        });
    }

    #[test]
    fn a_link_appears_only_in_confirmation_and_reset_mails() {
        each(|name, message, mail| {
            let context = format!("{name} {message:?}");
            let links = match message {
                Message::ConfirmRegistration { .. } | Message::ResetPassword { .. } => 1,
                Message::AlreadyRegistered | Message::NoAccount | Message::Notice { .. } => 0,
            };
            let lines = mail.text.lines().filter(|line| *line == LINK).count();
            assert_eq!(lines, links, "{context}: alone on a line of the text");
            assert_eq!(mail.text.matches("://").count(), links, "{context}");
            assert_eq!(mail.html.matches("<a ").count(), links, "{context}");
            assert_eq!(mail.html.matches(&format!("href=\"{LINK}\"")).count(), links, "{context}");
            assert_eq!(mail.html.matches(&format!(">{LINK}<")).count(), links, "{context}");
            assert_eq!(mail.html.matches("://").count(), 2 * links, "{context}: nothing else is remote");
            assert!(!mail.subject.contains("://"), "{context}");
        });
    }

    #[test]
    fn a_lifetime_has_the_plural_form_of_its_language() {
        let hours = [1, 2, 5, 21, 24].map(Life::Hours);
        let minutes = [5, 21, 42, 61, 90].map(Life::Minutes);
        for (name, lives, forms) in [
            ("en", hours, ["1 hour.", "2 hours.", "5 hours.", "21 hours.", "24 hours."]),
            ("ru", hours, ["1 час.", "2 часа.", "5 часов.", "21 час.", "24 часа."]),
            ("uk", hours, ["1 годину.", "2 години.", "5 годин.", "21 годину.", "24 години."]),
            ("en", minutes, ["5 minutes.", "21 minutes.", "42 minutes.", "61 minutes.", "90 minutes."]),
            ("ru", minutes, ["5 минут.", "21 минуту.", "42 минуты.", "61 минуту.", "90 минут."]),
            ("uk", minutes, ["5 хвилин.", "21 хвилину.", "42 хвилини.", "61 хвилину.", "90 хвилин."]),
        ] {
            for (life, form) in lives.into_iter().zip(forms) {
                let link = link();
                for message in [
                    Message::ConfirmRegistration { link: &link, life },
                    Message::ResetPassword { link: &link, life },
                ] {
                    let mail = compose(&locale(name), &domain(), &message);
                    for part in [&mail.text.replace('\n', " "), &mail.html] {
                        assert!(part.contains(&format!(" {form}")), "{name} {life:?}: {part}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_notice_of_a_change_states_its_time() {
        each(|name, message, mail| {
            let has_time = matches!(message, Message::Notice { .. });
            let number = matches!(
                message,
                Message::Notice {
                    notice: Notice::FactorChanged { .. },
                    ..
                }
            );
            for part in [&mail.text.replace('\n', " "), &mail.html] {
                assert_eq!(part.contains("2026-02-27 22:06:57 UTC"), has_time, "{name}: {part}");
                assert_eq!(part.contains("+38088*****30"), number, "{name}: {part}");
            }
        });
    }

    #[test]
    fn an_unknown_language_falls_back_to_english() {
        let said = |tag: &str| compose(&locale(tag), &domain(), &Message::NoAccount);
        for tag in ["xx", "en-GB", "tlh"] {
            assert_eq!(said(tag).html, said("en").html, "{tag}");
        }
        assert_eq!(said("uk-UA").text, said("uk").text);
        assert_ne!(said("uk").text, said("en").text);
    }

    #[test]
    fn inserted_values_stay_inert() {
        let hostile = "{life}<script>\"'&</title><a href=x>\r\nBcc: eve@example.org\u{2028}{domain}{{ lang }}";
        let link = Secret::new("https://example.com/\"><a href='x'>&{domain}".into());
        for (name, _) in LOCALES {
            let (_, words) = words_of(&locale(name));
            for message in messages(&link, &notices()) {
                let mail = put(name, &words, hostile, &message);
                assert!(!mail.subject.contains(['\r', '\n', '\u{2028}']), "{}", mail.subject);
                assert!(mail.subject.contains("{domain}"), "it is not filled twice: {}", mail.subject);
                let links = mail.text.matches("https://").count();
                assert_eq!(mail.html.matches("<a ").count(), links, "{}", mail.html);
                assert_eq!(mail.html.matches("</title>").count(), 1, "{}", mail.html);
                assert!(!mail.html.contains("<script"), "{}", mail.html);
            }
        }
    }
}
