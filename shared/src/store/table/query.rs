//! Reading the rows of one key in the order of their sort key, newest first.

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
    /// The rows, the largest sort key first; expired ones are absent.
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
        let (items, has_more) = self.handle.query(R::key(id), R::SORT, range, limit).await?;
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
        Range { from, to }: Range,
        limit: i32,
    ) -> Boxed<'_, (Vec<Item>, bool)> {
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("#key = :key AND #sort BETWEEN :from AND :to")
            .expression_attribute_names("#key", self.key)
            .expression_attribute_names("#sort", sort)
            .expression_attribute_values(":key", key)
            .expression_attribute_values(":from", from)
            .expression_attribute_values(":to", to)
            .scan_index_forward(false)
            .limit(limit);
        Box::pin(async move {
            let answer = request.send().await.map_err(|error| self.fault("Query", &error))?;
            let has_more = answer.last_evaluated_key.is_some();
            Ok((answer.items.unwrap_or_default(), has_more))
        })
    }
}
