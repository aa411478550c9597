//! Suppressed addresses, which receive no mail for a while. Their rows hold digests: an address can be looked up, but
//! not read from them.

use countersign_shared::{
    domain::{
        audit::pseudonym,
        mail::suppression::{Suppression, subject},
        time::Timestamp,
    },
    observe::Outcome,
    store::table::{Cursor, Transaction},
};
use serde_json::{Value, json};

use crate::{
    command::email_of,
    handler::Operator,
    outcome::{Failed, Run, done},
};

/// Default number of rows to read for a list.
const PAGE: i32 = 100;

impl Operator {
    pub async fn list_suppressions(
        &self,
        limit: Option<i32>,
        after: Option<String>,
        run: Run<'_>,
    ) -> Result<Value, Failed> {
        let limit = limit.unwrap_or(PAGE);
        if !(1..=1000).contains(&limit) {
            return Err("limit is 1 to 1000".into());
        }
        let after = match after {
            Some(text) => Some(Cursor::parse(&text).ok_or(Failed::from("after is what next was"))?),
            None => None,
        };
        let page = self.find_suppressions.page(None, after.as_ref(), Some(limit)).await?;
        let live = page.rows.iter().filter(|row| !row.ends_at.is_expired(run.now));
        let next = page.next.map(|cursor| cursor.text());
        Ok(json!({ "suppressions": live.map(shown).collect::<Vec<_>>(), "next": next }))
    }

    pub async fn suppression(&self, email: &str, run: Run<'_>) -> Result<Value, Failed> {
        let subject = subject(&email_of(email)?);
        let found = self.read_suppressions.get(&subject, run.now).await?;
        Ok(json!({ "suppression": found.as_ref().map(shown) }))
    }

    /// SES's own suppression list of the account is separate and is not changed.
    pub async fn lift_suppression(&self, email: &str, run: Run<'_>) -> Result<Value, Failed> {
        let subject = subject(&email_of(email)?);
        let found = self.read_suppressions.get(&subject, run.now).await?;
        if found.is_some() && !run.dry {
            let mut transaction = Transaction::default();
            transaction.delete(&self.lift, &subject);
            self.audit.add(&mut transaction, run, Outcome::SuppressionLifted.of(pseudonym("Mail", &subject)));
            transaction.commit().await?;
        }
        Ok(done(found.is_some()))
    }
}

fn shown(row: &Suppression) -> Value {
    let subject: String = row.subject.iter().map(|byte| format!("{byte:02x}")).collect();
    let (since, until) = (Timestamp::iso(row.at), Timestamp::iso(row.ends_at));
    json!({ "subject": subject, "reason": row.reason.name(), "since": since, "until": until })
}
