//! Domains (tenants) and their configuration.

use countersign_shared::{
    domain::{
        mail::sender::{MailDomain, Sender},
        password::{Alphabet, Policy},
        people::{
            locale::Locale,
            name::{DisplayName, DomainName, EmailAddress},
            tenant::{Domain, Opt, Template},
        },
    },
    observe::Outcome,
    store::table::Transaction,
};
use serde_json::{Map, Value, json};

use crate::{
    command::{DomainForm, OptForm, PasswordForm, field},
    handler::Operator,
    outcome::{Failed, Run},
};

impl Operator {
    /// A domain that already has this configuration is not written again.
    pub async fn set_domain(&self, form: DomainForm, run: Run<'_>) -> Result<Value, Failed> {
        let domain = form.read(&self.mail_domain)?;
        let mut answer = shown(&domain);
        let found = self.read_domains.get(&domain.name, run.now).await?;
        let changed = found.is_none_or(|found| shown(&found) != answer);
        if changed && !run.dry {
            let mut transaction = Transaction::default();
            transaction.put(&self.domains, &domain);
            let act = Outcome::DomainSet.of(format!("domain:{}", domain.name.as_str())).in_domain(&domain.name);
            self.audit.add(&mut transaction, run, act);
            transaction.commit().await?;
        }
        answer["changed"] = changed.into();
        Ok(answer)
    }
}

impl DomainForm {
    /// The domain, whose mail is sent from `mail_domain` or a subdomain: SES would reject any other sender.
    fn read(self, mail_domain: &MailDomain) -> Result<Domain, Failed> {
        let PasswordForm {
            alphabet,
            min,
            max,
            refuse_common,
        } = self.password;
        let sender = match (self.sender, self.sender_name, self.reply_to) {
            (None, None, None) => None,
            (None, _, _) => return Err("sender_name and reply_to need a sender".into()),
            (Some(address), name, reply_to) => Some(Sender {
                address: sender(&address, mail_domain)?,
                name: name.map(|name| field("sender_name", DisplayName::parse(&name))).transpose()?,
                reply_to: reply_to.map(|address| field("reply_to", EmailAddress::parse(&address))).transpose()?,
            }),
        };
        let opts = self.self_register_template.opts.into_iter().map(|(name, opt)| {
            let opt = match opt {
                OptForm::Flag(flag) => Opt::Flag(flag),
                OptForm::Number(number) => Opt::Number(number),
                OptForm::Text(text) => Opt::Text(text),
            };
            (name, opt)
        });
        Ok(Domain {
            name: field("domain", DomainName::parse(&self.domain))?,
            self_register_allowed: self.self_register_allowed,
            self_register_template: Template { opts: opts.collect() },
            passwords: Policy::new(alphabet.as_deref(), min, max, refuse_common)?,
            sender,
            locale: match self.locale {
                Some(tag) => Locale::parse(&tag).ok_or(Failed::from("locale is a language tag such as en"))?,
                None => Locale::default(),
            },
        })
    }
}

fn sender(address: &str, mail_domain: &MailDomain) -> Result<EmailAddress, Failed> {
    let address = field("sender", EmailAddress::parse(address))?;
    match mail_domain.name() {
        None => Err("a sender needs the parameter MailDomain".into()),
        Some(name) if !mail_domain.covers(&address) => {
            Err(Failed::Refused(format!("sender must be an address at {name} or below it")))
        }
        Some(_) if !mail_domain.sends_for(&address) => {
            Err("sender must be one that the parameter MailSenders lists".into())
        }
        Some(_) => Ok(address),
    }
}

/// A stored domain, in the form of the operator's commands.
fn shown(domain: &Domain) -> Value {
    let opts = domain.self_register_template.opts.iter().map(|(name, opt)| {
        let value = match opt {
            Opt::Flag(flag) => json!(flag),
            Opt::Number(number) => json!(number),
            Opt::Text(text) => json!(text),
        };
        (name.clone(), value)
    });
    let sender = domain.sender.as_ref();
    json!({
        "domain": domain.name.as_str(),
        "self_register_allowed": domain.self_register_allowed,
        "self_register_template": { "opts": opts.collect::<Map<_, _>>() },
        "password": {
            "alphabet": domain.passwords.alphabet.as_ref().map(Alphabet::as_str),
            "min": domain.passwords.min,
            "max": domain.passwords.max,
            "refuse_common": domain.passwords.refuse_common,
        },
        "sender": sender.map(|sender| sender.address.as_str()),
        "sender_name": sender.and_then(|sender| sender.name.as_ref()).map(DisplayName::as_str),
        "reply_to": sender.and_then(|sender| sender.reply_to.as_ref()).map(EmailAddress::as_str),
        "locale": domain.locale.as_str(),
    })
}
