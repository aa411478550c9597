//! Reading the rows of one key in the order of their sort key.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Query, Row, Table,
    handle::{Boxed, Handle},
};
use crate::{domain::time::Timestamp, fault::Fault, store::item::Item};

/// The rows of one key whose sort keys lie between two, both included.
#[derive(Debug)]
pub struct Range {
    /// The smallest sort key.
    pub from: AttributeValue,
    /// The largest sort key.
    pub to: AttributeValue,
}

/// A part of a query's rows.
#[derive(Debug)]
pub struct Rows<R> {
    /// The rows, in the order that was asked for; expired ones are absent.
    pub rows: Vec<R>,
    /// Whether there may be more rows behind the last one.
    pub has_more: bool,
}

impl<R: Row> Table<R, Query> {
    /// The first rows of a range, from the largest sort key: as many as DynamoDB reads at once (1 MB), or `limit` rows.
    ///
    /// # Errors
    /// [`Fault`] when the store fails or a row is not as we write it.
    pub async fn newest(&self, id: &R::Id, range: Range, limit: i32, now: Timestamp) -> Result<Rows<R>, Fault> {
        let Range { from, to } = range;
        let values = vec![(":from", from), (":to", to)];
        let condition = "#key = :key AND #sort BETWEEN :from AND :to";
        self.found(self.handle.query(R::key(id), R::SORT, (condition, values), (false, limit)).await?, now)
    }

    /// The first rows of a key, from the row of that id on, the smallest sort key first: as many as DynamoDB reads at once
    /// (1 MB), or `limit` rows.
    ///
    /// # Errors
    /// As [`Self::newest`].
    ///
    /// # Panics
    /// Where ids have no sort key ([`Row::sort`]).
    pub async fn from(&self, id: &R::Id, limit: i32, now: Timestamp) -> Result<Rows<R>, Fault> {
        let first = R::sort(id).expect("the ids of these rows have a sort key");
        let condition = "#key = :key AND #sort >= :from";
        self.found(
            self.handle.query(R::key(id), R::SORT, (condition, vec![(":from", first)]), (true, limit)).await?,
            now,
        )
    }

    fn found(&self, (items, has_more): (Vec<Item>, bool), now: Timestamp) -> Result<Rows<R>, Fault> {
        let rows = items.iter().map(|item| self.read(item, now)).collect::<Result<Vec<_>, _>>()?;
        Ok(Rows {
            rows: rows.into_iter().flatten().collect(),
            has_more,
        })
    }
}

impl Handle {
    fn query(
        &self,
        key: AttributeValue,
        sort: &'static str,
        (condition, values): (&'static str, Vec<(&'static str, AttributeValue)>),
        (is_ascending, limit): (bool, i32),
    ) -> Boxed<'_, (Vec<Item>, bool)> {
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression(condition)
            .expression_attribute_names("#key", self.key)
            .expression_attribute_names("#sort", sort)
            .expression_attribute_values(":key", key)
            .scan_index_forward(is_ascending)
            .limit(limit);
        let request = values
            .into_iter()
            .fold(request, |request, (name, value)| request.expression_attribute_values(name, value));
        Box::pin(async move {
            let answer = request.send().await.map_err(|error| self.fault("Query", &error))?;
            let has_more = answer.last_evaluated_key.is_some();
            Ok((answer.items.unwrap_or_default(), has_more))
        })
    }
}
