//! The messages of a verification, built purely: a code for a service of a tenant, by text message or mail.
//!
//! The service's name, the amount and the payee come from the tenant's own requests, so they are kept to one line,
//! escaped in HTML, and no link in a mail.

use super::{
    layout::{self, Action, Parts, one_line},
    segments::segments,
    vocabulary::{fill, words_of},
    words::Mail,
};
use crate::domain::{
    crypto::secret::Secret,
    people::{locale::Locale, name::DomainName},
};

/// The content of a text message.
#[derive(Clone, Copy, Debug)]
pub struct VerificationText<'a> {
    /// The name of the service that the code is for.
    pub name: &'a str,
    /// The code.
    pub code: &'a Secret,
    /// The time in which the code can be used, in whole minutes, rounded down.
    pub expires_in_minutes: u64,
    /// The payment that the code approves.
    pub payment: Option<Payment<'a>>,
    /// Whether the tenant wants a warning not to share the code.
    pub do_not_share: bool,
    /// The line that programs read.
    pub last_line: LastLine<'a>,
}

/// What a code approves: it is always part of the message (PSD2's dynamic linking, Delegated Regulation (EU) 2018/389
/// Article 5).
#[derive(Clone, Copy, Debug)]
pub struct Payment<'a> {
    /// The amount with its currency, as the tenant writes it.
    pub amount: &'a str,
    /// Who is paid.
    pub payee: &'a str,
}

/// The line of a text message that programs read.
#[derive(Clone, Copy, Debug)]
pub enum LastLine<'a> {
    /// The only origin that the code is for (WICG, "Origin-bound one-time codes delivered via SMS").
    Origin(&'a DomainName),
    /// The hash of the Android app that may read the message (SMS Retriever API), instead of an origin.
    AppHash(&'a str),
    /// None: a tenant without an origin.
    None,
}

/// Composes a text message: the most complete one of those that need the fewest segments.
///
/// The name, the code, the payment and the last line are in all of them, uncut. The rest gives way in this order: the
/// expiry, the full sentence for a short one, the warning for a shorter one, the warning itself. So the message is one
/// segment whenever a name, a code and a last line fit into one.
///
/// # Panics
/// Never: a test reads every locale's file.
#[must_use]
pub fn verification_text(locale: &Locale, text: &VerificationText<'_>) -> Secret {
    let candidates = candidates(locale, text);
    let best = candidates.into_iter().min_by_key(|candidate| segments(candidate));
    Secret::new(best.expect("there is a sentence, with and without an expiry"))
}

/// The possible messages, in the order of preference.
fn candidates(locale: &Locale, text: &VerificationText<'_>) -> Vec<String> {
    let (lang, words) = words_of(locale);
    let code = text.code.expose();
    let values = Values::new(text.name, text.payment);
    let said = |form: &String| values.fill(form, &[("code", code)]);
    let forms = match text.payment {
        Some(_) => &words.verification_text.payment,
        None => &words.verification_text.code,
    };
    let life = words.life(lang, text.expires_in_minutes);
    let expiry = values.fill(&words.verification_text.expiry, &[("life", &life)]);
    let sentences: Vec<_> = forms.iter().map(said).collect();
    let with_expiry = sentences.iter().take(1).map(|sentence| format!("{sentence} {expiry}"));
    let openings: Vec<_> = with_expiry.chain(sentences.iter().cloned()).collect();
    let warnings: Vec<_> = match text.do_not_share {
        true => words.verification_text.warning.iter().map(|warning| format!("\n{warning}")).collect(),
        false => Vec::new(),
    };
    let last_line = match text.last_line {
        LastLine::Origin(domain) => format!("\n\n@{} #{code}", domain.as_str()),
        LastLine::AppHash(hash) => format!("\n\n{hash}"),
        LastLine::None => String::new(),
    };
    let warnings = warnings.iter().map(String::as_str).chain([""]);
    warnings
        .flat_map(|warning| openings.iter().map(move |opening| format!("{opening}{warning}")))
        .map(|said| said + &last_line)
        .collect()
}

/// Composes a mail. The code is not in its subject, which SES repeats in its events and mail servers write to their
/// logs.
///
/// # Panics
/// Never: a test reads every locale's file.
#[must_use]
pub fn verification_mail(
    locale: &Locale,
    name: &str,
    code: &Secret,
    expires_in_minutes: u64,
    payment: Option<Payment<'_>>,
    do_not_share: bool,
) -> Mail {
    let (lang, words) = words_of(locale);
    let life = words.life(lang, expires_in_minutes);
    let words = words.verification_mail;
    let values = Values::new(name, payment);
    // A subject is no place where programs look for links.
    let subject = values.fill(&words.subject, &[]);
    let values = values.without_links();
    let said = |form: &String| values.fill(form, &[("life", &life)]);
    let unrequested = match payment {
        Some(_) => &words.unrequested_payment,
        None => &words.unrequested,
    };
    let warning = do_not_share.then_some(&words.warning);
    let parts = Parts {
        subject,
        heading: said(&words.heading),
        before: payment.iter().map(|_| said(&words.payment)).collect(),
        action: Some(Action::Code(code.clone())),
        after: [&words.expiry].into_iter().chain(warning).chain([unrequested]).map(said).collect(),
    };
    Mail {
        subject: one_line(&parts.subject),
        text: layout::text(&parts),
        html: layout::html(lang, &parts),
    }
}

/// The texts that a tenant chose, each on one line.
struct Values {
    name: String,
    amount: String,
    payee: String,
}

impl Values {
    fn new(name: &str, payment: Option<Payment<'_>>) -> Self {
        let (amount, payee) = payment.map_or(("", ""), |payment| (payment.amount, payment.payee));
        Self {
            name: one_line(name),
            amount: one_line(amount),
            payee: one_line(payee),
        }
    }

    /// The same texts for programs that make links of what looks like an address.
    fn without_links(&self) -> Self {
        Self {
            name: unlinked(&self.name),
            amount: unlinked(&self.amount),
            payee: unlinked(&self.payee),
        }
    }

    fn fill(&self, form: &str, others: &[(&str, &str)]) -> String {
        let values = [
            ("name", &*self.name),
            ("amount", &*self.amount),
            ("payee", &*self.payee),
        ];
        fill(form, &[&values, others].concat())
    }
}

/// Divides addresses by spaces without a width, which readers do not see: after `:` before slashes, after `@`, and after
/// each dot that a letter follows or precedes. `39.99` is no address.
fn unlinked(text: &str) -> String {
    let mut unlinked = String::with_capacity(text.len());
    let mut symbols = text.chars().peekable();
    let mut before = ' ';
    while let Some(symbol) = symbols.next() {
        unlinked.push(symbol);
        let after = symbols.peek().copied().unwrap_or(' ');
        let divides = match symbol {
            ':' => after == '/',
            '@' => true,
            '.' => after.is_alphanumeric() && !(before.is_ascii_digit() && after.is_ascii_digit()),
            _ => false,
        };
        if divides {
            unlinked.push('\u{200b}');
        }
        before = symbol;
    }
    unlinked
}

#[cfg(test)]
mod tests;
