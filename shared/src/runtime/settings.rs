//! Floor 1: the operator's policies, read from the environment once, when a function starts. A number out of range
//! fails the start (ASVS 13.4.2): a policy is never guessed.

mod numbers;
mod provider;
mod second_factor;
mod sms;
#[cfg(test)]
mod tests;
mod verification;

pub use second_factor::{Lifetimes, SendingPolicy};
pub use sms::MessageLimits;
pub use verification::VerificationSending;

use std::collections::BTreeMap;

use serde::Deserialize;

use numbers::{
    AUDIT_RETENTION_DAYS, LONGEST_WAIT, MAIL_WAITS_MEMORY, MAILS_PER_DOMAIN_PER_HOUR, MAILS_PER_HOUR, NETWORK_SHARE,
    PASSCODE_GUESSES_PER_30_DAYS, PASSCODE_GUESSES_PER_DAY, PASSCODE_LENGTH, PASSCODE_LIFETIME, PASSCODE_RETENTION,
    PASSWORD_GUESSES_PER_DAY, PASSWORD_GUESSES_PER_HOUR, PASSWORD_ITERATIONS, PASSWORD_MEMORY_KIB,
    PASSWORD_RESET_LIFETIME, REGISTRATION_LIFETIME, REQUEST_WAIT, REQUESTS_PER_DOMAIN_PER_MINUTE,
    SHORT_PASSCODES_PER_DAY, SHORT_PASSCODES_PER_HOUR, SUPPORT_PIN_LIFETIME, SUPPRESSION_LIFETIME,
    UNCONFIRMED_MAILS_PER_HOUR,
};

use crate::{
    domain::{
        audit,
        auth::access::AdminFactor,
        limits::{
            bucket::Bucket,
            limit_keys::Limits,
            rate_limit::{RateLimit, Window},
        },
        mail::{
            link,
            sender::{self, MailDomain},
            suppression,
            waits::Waits,
        },
        passcode::{self, Shape},
        password::Cost,
        people::name::{DomainName, EmailAddress},
        support_pin,
    },
    runtime::edge::{Edge, Refused},
};

/// Longest lifetime of a code with low entropy, which could be guessed by brute force, in seconds (ASVS 6.5.5).
const SHORT_CODE_LIFETIME: u64 = 600;

const DAY: u64 = 86_400;

const PUBLIC_URL_IS: &str = "(the parameter PublicUrl) must be the https:// address that mailed links begin with, or an http:// address of this machine";

impl Edge {
    /// The policy of support PINs.
    ///
    /// # Errors
    /// [`Refused`] after every problem was recorded; likewise below.
    pub fn support_pin_policy(&self) -> Result<support_pin::Policy, Refused> {
        Ok(support_pin::Policy {
            lifetime: self.number(&SUPPORT_PIN_LIFETIME)?,
        })
    }

    /// The policy of passcodes.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn passcode_policy(&self) -> Result<passcode::Policy, Refused> {
        let lifetime = self.number(&PASSCODE_LIFETIME);
        let retention = self.number(&PASSCODE_RETENTION);
        let per_day = self.number(&PASSCODE_GUESSES_PER_DAY);
        let per_month = self.number(&PASSCODE_GUESSES_PER_30_DAYS);
        let issues_per_hour = self.number(&SHORT_PASSCODES_PER_HOUR);
        let issues_per_day = self.number(&SHORT_PASSCODES_PER_DAY);
        let length = self.number(&PASSCODE_LENGTH);
        let alphabet = self.text("PASSCODE_ALPHABET").unwrap_or(DEFAULT_ALPHABET);
        let shape = length.and_then(|length| self.shape("PASSCODE_LENGTH, PASSCODE_ALPHABET", length, alphabet));
        let by_purpose = self.passcode_purposes();

        let policy = passcode::Policy {
            shape: shape?,
            by_purpose: by_purpose?,
            lifetime: lifetime?,
            retention: retention?,
            guesses: RateLimit::new(vec![
                Window {
                    max: per_day?,
                    seconds: DAY,
                },
                Window {
                    max: per_month?,
                    seconds: 30 * DAY,
                },
            ]),
            issues: RateLimit::new(vec![
                Window {
                    max: issues_per_hour?,
                    seconds: 3600,
                },
                Window {
                    max: issues_per_day?,
                    seconds: DAY,
                },
            ]),
        };
        let some_are_short = [&policy.shape].into_iter().chain(policy.by_purpose.values()).any(Shape::is_short);
        if some_are_short && policy.lifetime > SHORT_CODE_LIFETIME {
            let words =
                format!("must be at most {SHORT_CODE_LIFETIME} while passcodes of fewer than 2^64 values exist");
            return Err(self.refuse("PASSCODE_LIFETIME", &words));
        }
        Ok(policy)
    }

    fn passcode_purposes(&self) -> Result<BTreeMap<String, Shape>, Refused> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Form {
            length: usize,
            alphabet: String,
        }
        const NAME: &str = "PASSCODE_PURPOSES";
        let Some(text) = self.text(NAME) else {
            return Ok(BTreeMap::new());
        };
        let forms: BTreeMap<String, Form> = serde_json::from_str(text).map_err(|_| {
            self.refuse(NAME, "must be JSON like {\"PURPOSE\":{\"length\":8,\"alphabet\":\"0123456789\"}}")
        })?;
        let shapes = forms.into_iter().map(|(purpose, form)| {
            let shape = self.shape(&format!("{NAME}, {purpose}"), form.length, &form.alphabet)?;
            Ok((purpose, shape))
        });
        // Read every purpose before the first problem ends the reading.
        shapes.collect::<Vec<_>>().into_iter().collect()
    }

    /// The policy of the audit log.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn audit_policy(&self) -> Result<audit::Policy, Refused> {
        let days: u64 = self.number(&AUDIT_RETENTION_DAYS)?;
        Ok(audit::Policy { retention: days * DAY })
    }

    /// The policy of suppressed addresses.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn suppression_policy(&self) -> Result<suppression::Policy, Refused> {
        Ok(suppression::Policy {
            lifetime: self.number(&SUPPRESSION_LIFETIME)?,
        })
    }

    /// The source of mail events.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn mail_events(&self) -> Result<suppression::Source, Refused> {
        let unset = |name| self.refuse(name, "is not set");
        let topic = self.text("MAIL_EVENTS_TOPIC").ok_or_else(|| unset("MAIL_EVENTS_TOPIC"));
        let set = self.text("MAIL_CONFIGURATION_SET");
        let set = set.ok_or_else(|| unset("MAIL_CONFIGURATION_SET"));
        Ok(suppression::Source {
            topic: topic?.to_owned(),
            configuration_set: set?.to_owned(),
        })
    }

    /// The login page that our page links to. `None` if unknown.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn login_url(&self) -> Result<Option<String>, Refused> {
        match self.text("LOGIN_URL") {
            None => Ok(None),
            Some(text) if is_link(text) => Ok(Some(text.to_owned())),
            Some(_) => Err(self.refuse(
                "LOGIN_URL",
                "must be an https:// address, an http:// address of this machine, or a path that begins with /",
            )),
        }
    }

    /// The base URL of mailed links, without a trailing slash, if known.
    ///
    /// # Errors
    /// [`Refused`] when it is not a valid base URL.
    pub fn public_url(&self) -> Result<Option<String>, Refused> {
        match self.text("PUBLIC_URL") {
            None => Ok(None),
            Some(base) if base.starts_with("http") && is_link(base) && !base.contains(['?', '#']) => {
                Ok(Some(base.trim_end_matches('/').to_owned()))
            }
            Some(_) => Err(self.refuse("PUBLIC_URL", PUBLIC_URL_IS)),
        }
    }

    /// Whether administrators need a second factor.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn admin_factor(&self) -> Result<AdminFactor, Refused> {
        match self.text("REQUIRE_ADMIN_FACTOR") {
            None | Some("false") => Ok(AdminFactor::Optional),
            Some("true") => Ok(AdminFactor::Required),
            Some(_) => Err(self.refuse("REQUIRE_ADMIN_FACTOR", "must be true or false")),
        }
    }

    /// Whether pages of other origins may call the API (CORS).
    ///
    /// # Errors
    /// None.
    pub fn has_cors(&self) -> Result<bool, Refused> {
        Ok(self.text("CORS_ORIGINS").is_some())
    }

    /// The policy of registrations.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn registration_policy(&self) -> Result<link::Policy, Refused> {
        self.link_policy(self.number(&REGISTRATION_LIFETIME))
    }

    /// The policy of password resets.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn password_reset_policy(&self) -> Result<link::Policy, Refused> {
        self.link_policy(self.number(&PASSWORD_RESET_LIFETIME))
    }

    fn link_policy(&self, lifetime: Result<u64, Refused>) -> Result<link::Policy, Refused> {
        let limits = self.mail_limits();
        let base = match self.public_url() {
            Ok(None) => Err(self.refuse("PUBLIC_URL", PUBLIC_URL_IS)),
            Ok(Some(base)) => Ok(base),
            Err(refused) => Err(refused),
        };
        Ok(link::Policy {
            lifetime: lifetime?,
            limits: limits?,
            base: base?,
        })
    }

    /// Rate limits of requests for links.
    fn mail_limits(&self) -> Result<Limits, Refused> {
        let request_wait = self.number(&REQUEST_WAIT);
        let per_minute = self.number(&REQUESTS_PER_DOMAIN_PER_MINUTE);
        let share = self.number(&NETWORK_SHARE);
        let domain_mails = self.number(&MAILS_PER_DOMAIN_PER_HOUR);
        let mails = self.number(&MAILS_PER_HOUR);
        let unconfirmed = self.unconfirmed_mails();
        let mailbox = self.mail_waits();
        let minute = |max| Window { max, seconds: 60 };
        let hour = |max| Window { max, seconds: 3600 };
        let (per_minute, domain_mails, mails, share): (usize, u64, u64, usize) =
            (per_minute?, domain_mails?, mails?, share?);
        let unconfirmed = unconfirmed?;
        let part = |of: usize| (of * share).div_ceil(100);
        let share = |per_hour: u64| {
            let per_hour = usize::try_from(per_hour).expect("settings are small");
            RateLimit::new(vec![minute(part(per_minute)), hour(part(per_hour))])
        };
        Ok(Limits {
            source: RateLimit::new(vec![Window {
                max: 1,
                seconds: request_wait?,
            }]),
            share: share(domain_mails),
            share_of_unconfirmed: share(unconfirmed.per_hour().min(domain_mails)),
            domain: RateLimit::new(vec![minute(per_minute)]),
            domain_mails: Bucket::new(domain_mails, domain_mails),
            mails: Bucket::new(mails, mails),
            unconfirmed,
            mailbox: mailbox?,
            after_complaint: Waits::new(vec![DAY], DAY),
        })
    }

    /// Rate limit of a domain's unconfirmed registrations: a burst of three hours' worth, then this many an hour.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn unconfirmed_mails(&self) -> Result<Bucket, Refused> {
        let per_hour = self.number(&UNCONFIRMED_MAILS_PER_HOUR)?;
        Ok(Bucket::new(3 * per_hour, per_hour))
    }

    /// The waits between mails of one kind to one mailbox. None exceeds four hours, so that no user is locked out for
    /// longer.
    fn mail_waits(&self) -> Result<Waits, Refused> {
        let memory = self.number(&MAIL_WAITS_MEMORY);
        let text = self.text("MAIL_WAITS").unwrap_or("120,240,900,3600,14400");
        let steps: Option<Vec<u64>> = text.split(',').map(|step| step.parse().ok()).collect();
        let steps = steps.filter(|steps| {
            let in_range = steps.iter().all(|step| (1..=LONGEST_WAIT).contains(step));
            steps.len() <= 10 && in_range && steps.is_sorted()
        });
        let words = format!(
            "must be 1 to 10 numbers from 1 to {LONGEST_WAIT} with commas between them, none smaller than the one before it"
        );
        let steps = steps.ok_or_else(|| self.refuse("MAIL_WAITS", &words));
        Ok(Waits::new(steps?, memory?))
    }

    /// The domain, verified in SES, that all mail is sent from.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn mail_domain(&self) -> Result<DomainName, Refused> {
        let text = self.text("MAIL_DOMAIN").unwrap_or_default();
        // A domain that cannot form a mail address cannot send mail.
        let address = EmailAddress::parse(&sender::default(text));
        let domain = address.and_then(|address| DomainName::parse(address.domain()));
        domain.map_err(|_| {
            self.refuse("MAIL_DOMAIN", "(the parameter MailDomain) must be a domain that is verified in SES")
        })
    }

    /// The same, optional, for functions that send nothing themselves.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn mail_domain_if_any(&self) -> Result<MailDomain, Refused> {
        let senders = self.text("MAIL_SENDERS").unwrap_or_default();
        if !sender::are_patterns(senders) {
            return Err(self.refuse(
                "MAIL_SENDERS",
                "(the parameter MailSenders) must be mail addresses with commas between them and * for any text, without spaces",
            ));
        }
        match self.text("MAIL_DOMAIN") {
            None => Ok(MailDomain::new(None, senders)),
            Some(_) => self.mail_domain().map(|domain| MailDomain::new(Some(domain), senders)),
        }
    }

    /// Cost of a password hash: at least OWASP's parameters, and at most what a function of 128 MB has the memory and
    /// processor time for.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn password_cost(&self) -> Result<Cost, Refused> {
        let memory = self.number(&PASSWORD_MEMORY_KIB);
        let iterations = self.number(&PASSWORD_ITERATIONS);
        Ok(Cost {
            memory_kib: memory?,
            iterations: iterations?,
        })
    }

    /// Rate limit of guesses at the current password by the holder of a token.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn password_guesses(&self) -> Result<RateLimit, Refused> {
        let per_hour = self.number(&PASSWORD_GUESSES_PER_HOUR);
        let per_day = self.number(&PASSWORD_GUESSES_PER_DAY);
        Ok(RateLimit::new(vec![
            Window {
                max: per_hour?,
                seconds: 3600,
            },
            Window {
                max: per_day?,
                seconds: DAY,
            },
        ]))
    }

    fn shape(&self, name: &str, length: usize, alphabet: &str) -> Result<Shape, Refused> {
        Shape::new(length, alphabet).map_err(|words| self.refuse(name, words))
    }
}

/// Whether a browser may be sent there: by TLS, within this machine, or to another path of the same origin. Characters
/// that browsers drop from addresses or read as a slash (tabs, line ends, backslashes) could change the destination.
fn is_link(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let authority = |rest: &str| rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned();
    let good = if let Some(rest) = text.strip_prefix("https://") {
        let authority = authority(rest);
        !authority.is_empty() && !authority.starts_with(':') && !authority.contains('@')
    } else if let Some(rest) = text.strip_prefix("http://") {
        let authority = authority(rest);
        let of_this_machine = |host: &str| {
            let port = authority.strip_prefix(host).and_then(|rest| rest.strip_prefix(':'));
            authority == host || port.is_some_and(|port| port.parse::<u16>().is_ok())
        };
        ["127.0.0.1", "localhost", "[::1]"].into_iter().any(of_this_machine)
    } else {
        text.starts_with('/') && !text.starts_with("//")
    };
    plain && good
}

const DEFAULT_ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
