use countersign_shared::{
    domain::{
        crypto::key::Verifications,
        verification::{
            attempt::{Attempt, Shelf, shard_of, sid_before},
            attempts::{Filter, Summary},
            destination::Destination,
            policy::VerificationKeys,
            record::record_of,
            sid::{AccountSid, AttemptSid},
        },
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::verify::{self, AttemptPage, AttemptQuery, Error, Urls},
        reply::Answer,
        serve::Endpoint,
    },
    runtime::{edge::Wire, keys::Keys},
    services::verify_accounts::{self, Applications},
    store::{
        item::bytes,
        table::{Query, Range, Table},
    },
};

/// Lists and counts the messages of an account's verifications.
#[derive(Wire)]
pub struct Attempts {
    pub applications: Applications,
    pub attempts: Table<Attempt, Query>,
    pub keys: Keys<Verifications>,
    #[wire(attempt_shards)]
    pub shards: u8,
    #[wire(public_url)]
    pub public_url: Option<String>,
}

impl Endpoint for Attempts {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let account = verify_accounts::account(&self.applications, call, |_| {}).await??.account;
        let keys = VerificationKeys::of(&self.keys.at(call.now).await);
        let urls = Urls::of(self.public_url.as_deref(), call);
        match call.route.as_str() {
            "GET /v2/Attempts/Summary" | "HEAD /v2/Attempts/Summary" => {
                let filter = verify::read_attempt_filter(call)?;
                Ok(verify::attempt_summary(&urls, self.summary(call, account, &keys, &filter).await?))
            }
            "GET /v2/Attempts/{attempt}" | "HEAD /v2/Attempts/{attempt}" => {
                let sid = AttemptSid::parse(call.path_parameter("attempt")).ok_or(Error::NotFound)?;
                let attempt = self.one(call, account, sid).await?.ok_or(Error::NotFound)?;
                let to = destination(&keys, &attempt);
                Ok(verify::attempt(&urls, &attempt, to.as_ref()))
            }
            _ => {
                let query = AttemptQuery::read(call)?;
                let page = self.page(call, account, &keys, &query).await?;
                Ok(verify::attempts(&urls, &query, page))
            }
        }
    }
}

/// The rows of one query: what DynamoDB reads at once is about as many.
const AT_ONCE: i32 = 1000;

impl Attempts {
    async fn one(&self, call: &Call, account: AccountSid, sid: AttemptSid) -> Result<Option<Attempt>, Fault> {
        let shelf = Shelf {
            account,
            shard: shard_of(&sid),
        };
        let range = Range {
            from: bytes(*sid.bytes()),
            to: bytes(*sid.bytes()),
        };
        Ok(self.attempts.newest(&shelf, range, 1, call.now).await?.rows.pop())
    }

    /// A page of the newest attempts of all shards.
    async fn page(
        &self,
        call: &Call,
        account: AccountSid,
        keys: &VerificationKeys,
        query: &AttemptQuery,
    ) -> Result<AttemptPage, Fault> {
        let wanted = query.size + 1;
        let mut found = Vec::new();
        for shard in 0..self.shards {
            let mut of_shard = Vec::new();
            self.each(call, Shelf { account, shard }, keys, (&query.filter, query.after), |attempt, to| {
                of_shard.push((attempt, to));
                of_shard.len() < wanted
            })
            .await?;
            found.append(&mut of_shard);
        }
        found.sort_by_key(|(attempt, _)| std::cmp::Reverse(attempt.sid));
        let has_more = found.len() > query.size;
        found.truncate(query.size);
        Ok(AttemptPage {
            attempts: found,
            has_more,
        })
    }

    async fn summary(
        &self,
        call: &Call,
        account: AccountSid,
        keys: &VerificationKeys,
        filter: &Filter,
    ) -> Result<Summary, Fault> {
        let mut summary = Summary::default();
        for shard in 0..self.shards {
            self.each(call, Shelf { account, shard }, keys, (filter, None), |attempt, _| {
                summary = summary.with(&attempt);
                true
            })
            .await?;
        }
        Ok(summary)
    }

    /// Calls `visit` with each wanted attempt of a shard, newest first, until it returns `false`.
    async fn each(
        &self,
        call: &Call,
        shelf: Shelf,
        keys: &VerificationKeys,
        (filter, after): (&Filter, Option<AttemptSid>),
        mut visit: impl FnMut(Attempt, Option<Destination>) -> bool,
    ) -> Result<(), Fault> {
        let (from, end) = filter.range(call.now, after);
        let mut to = sid_before(&end);
        loop {
            if to < from {
                return Ok(());
            }
            let range = Range {
                from: bytes(*from.bytes()),
                to: bytes(*to.bytes()),
            };
            let rows = self.attempts.newest(&shelf, range, AT_ONCE, call.now).await?;
            let last = rows.rows.last().map(|attempt| attempt.sid);
            for attempt in rows.rows {
                let to = destination(keys, &attempt);
                if filter.wants(&attempt, to.as_ref()) && !visit(attempt, to) {
                    return Ok(());
                }
            }
            match (rows.has_more, last) {
                (true, Some(last)) => to = sid_before(&last),
                (true, None) | (false, _) => return Ok(()),
            }
        }
    }
}

/// Where it went; `None` if its key was deleted.
fn destination(keys: &VerificationKeys, attempt: &Attempt) -> Option<Destination> {
    Destination::from_stored(keys.decrypt(&record_of(&attempt.verification), &attempt.to)?.expose())
}
