//! Floor 2: what one call spends of several budgets, and gives back when it comes to nothing.

use futures_util::future::join_all;

use crate::{
    domain::budget::{Act, Budget, Exhausted},
    fault::Fault,
    http::call::Call,
    store::{
        rows::budget::{self, Receipt, Spent},
        table::{Table, Update},
    },
};

/// What a call has spent so far.
#[derive(Debug)]
pub struct Spending<'a> {
    budgets: &'a Table<Spent, Update>,
    act: Act,
    receipts: Vec<Receipt>,
}

impl<'a> Spending<'a> {
    /// Nothing yet.
    #[must_use]
    pub fn new(budgets: &'a Table<Spent, Update>, call: &Call) -> Self {
        Self {
            budgets,
            act: Act {
                at: call.now,
                by: call.invocation.clone(),
            },
            receipts: Vec::new(),
        }
    }

    /// Spends one act of a subject's budget, in one conditional write. It is noted before it is written: where the answer is
    /// lost, it may have been spent, and is given back with the rest.
    ///
    /// # Errors
    /// `Err` within when there is none left; [`Fault`] when the store fails.
    pub async fn spend(&mut self, budget: &Budget, subject: &[u8; 32]) -> Result<Result<(), Exhausted>, Fault> {
        self.receipts.push(Receipt::of_first(*subject, self.act.clone()));
        let spent = budget::spend(self.budgets, budget, subject, &self.act).await?;
        self.receipts.pop();
        Ok(spent.map(|receipt| self.receipts.push(receipt)))
    }

    /// Gives everything back, all of it at once: the call came to nothing, and the next one shall not wait because of it.
    ///
    /// # Errors
    /// The first [`Fault`], after everything was tried.
    pub async fn give_back(self) -> Result<(), Fault> {
        let (budgets, at) = (self.budgets, self.act.at);
        let all = self
            .receipts
            .into_iter()
            .map(|receipt| budget::give_back(budgets, receipt, at));
        join_all(all).await.into_iter().collect()
    }
}
