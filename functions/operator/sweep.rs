//! Sweeps of tables, and the progress of an erasure.

use std::collections::BTreeMap;

use countersign_shared::{
    domain::{people::phone::Phone, time::Timestamp},
    fault::Fault,
    runtime::edge::system_time,
    store::table::{Condition, Cursor, Delete, Get, Row, Scan, Table},
};

use crate::{handler::Operator, outcome::Run};

/// The tables to sweep, in this order. Links come last: they can be requested as long as the user exists, and not after
/// that.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Tokens,
    Registrations,
    Repetitions,
    PasswordResets,
}

impl Part {
    pub const ALL: [Self; 4] = [
        Self::Tokens,
        Self::Registrations,
        Self::Repetitions,
        Self::PasswordResets,
    ];

    pub fn table(self) -> &'static str {
        match self {
            Self::Tokens => "TokensTable",
            Self::Registrations => "RegistrationRequestsTable",
            Self::Repetitions => "RepetitionsTable",
            Self::PasswordResets => "PasswordResetRequestsTable",
        }
    }

    /// The next table to sweep while the user exists.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Tokens => Some(Self::Registrations),
            Self::Registrations => Some(Self::Repetitions),
            Self::Repetitions | Self::PasswordResets => None,
        }
    }
}

/// Where one command stops and the next one continues: valid while the user is unchanged.
pub struct Place {
    pub generation: u64,
    pub part: Part,
    pub after: Option<Cursor>,
}

impl Place {
    /// The generation, the table and the last row, separated by spaces.
    pub fn text(&self) -> String {
        let after = self.after.as_ref().map(Cursor::text).unwrap_or_default();
        format!("{} {} {after}", self.generation, self.part.table())
    }

    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (generation, table, after) = (words.next()?, words.next()?, words.next()?);
        let place = Self {
            generation: generation.parse().ok()?,
            part: Part::ALL.into_iter().find(|part| part.table() == table)?,
            after: match after {
                "" => None,
                text => Some(Cursor::parse(text)?),
            },
        };
        words.next().is_none().then_some(place)
    }
}

/// How far a command got.
pub enum Came {
    /// It is complete.
    Through,
    /// It stopped here when its time limit was reached.
    To(Place),
    /// The user has changed since being shut out: start again.
    Nowhere,
}

/// The context and the progress of one command.
pub struct Work<'a> {
    pub run: Run<'a>,
    pub generation: u64,
    pub until: Timestamp,
    pub counts: BTreeMap<&'static str, u64>,
    /// Numbers whose counters were deleted.
    pub phones: Vec<Phone>,
}

/// A table to sweep, and how to identify its rows.
pub struct Sweep<'a, R: Row> {
    pub part: Part,
    pub find: &'a Table<R, Scan>,
    pub erase: &'a Table<R, Delete>,
    pub id: fn(&R) -> &R::Id,
    pub phone: fn(&R) -> Option<&Phone>,
}

impl Work<'_> {
    /// Deletes one row if it exists, even if expired.
    pub async fn row<R: Row>(
        &mut self,
        table: &'static str,
        read: &Table<R, Get>,
        erase: &Table<R, Delete>,
        id: &R::Id,
    ) -> Result<(), Fault> {
        if read.get(id, Timestamp::from_seconds(0)).await?.is_some() {
            if !self.run.dry {
                erase.delete(id).await?;
            }
            self.count(table);
        }
        Ok(())
    }

    fn count(&mut self, table: &'static str) {
        *self.counts.entry(table).or_default() += 1;
    }
}

impl<R: Row> Sweep<'_, R> {
    /// Deletes every row of the user, page by page, at least one page.
    pub async fn all(
        &self,
        operator: &Operator,
        work: &mut Work<'_>,
        mut after: Option<Cursor>,
        wanted: impl Fn() -> Condition,
        is_theirs: impl Fn(&R) -> bool,
    ) -> Result<Came, Fault> {
        loop {
            let page = self.find.page(Some(wanted()), after.as_ref(), None).await?;
            for row in page.rows.iter().filter(|row| is_theirs(row)) {
                if let Some(phone) = (self.phone)(row) {
                    operator.erase_sms_counter(phone, work).await?;
                }
                if !work.run.dry {
                    self.erase.delete((self.id)(row)).await?;
                }
                work.count(self.part.table());
            }
            let Some(part) = page.next.as_ref().map_or(self.part.next(), |_| Some(self.part)) else {
                return Ok(Came::Through);
            };
            if work.until.is_expired(system_time()) {
                return Ok(Came::To(Place {
                    generation: work.generation,
                    part,
                    after: page.next,
                }));
            }
            match page.next {
                Some(cursor) => after = Some(cursor),
                None => return Ok(Came::Through),
            }
        }
    }
}
