//! The rows that a request writes, of the tables whose stream carries their new image.

use serde_json::{Map, Value};

use crate::template::Table;

/// A row by its key.
#[derive(Debug)]
pub(super) struct Row<'t> {
    pub(super) table: &'t Table,
    pub(super) key: Value,
}

/// The view type of a table's stream; empty without one.
pub(super) fn view(table: &Table) -> &str {
    table.create["StreamSpecification"]["StreamViewType"].as_str().unwrap_or_default()
}

/// The key of a row.
pub(super) fn key(table: &Table, row: &Value) -> Value {
    let schema = table.create["KeySchema"].as_array().into_iter().flatten();
    let names = schema.filter_map(|part| part["AttributeName"].as_str());
    Value::Object(names.map(|name| (name.to_owned(), row[name].clone())).collect::<Map<_, _>>())
}

/// The rows of a write; none of any other operation, or if no table has such a stream.
pub(super) fn rows<'t>(operation: &str, body: &[u8], tables: &'t [Table]) -> Vec<Row<'t>> {
    let watched = |name: &Value| {
        let mut tables = tables.iter().filter(|table| table.stream_arn.is_some() && view(table).contains("NEW"));
        tables.find(|table| *name == table.name)
    };
    let row = |table: &Value, write: &Value| {
        let table = watched(table)?;
        let named = if write["Item"].is_object() {
            &write["Item"]
        } else {
            &write["Key"]
        };
        Some(Row {
            table,
            key: key(table, named),
        })
    };
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut rows = Vec::new();
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" => rows.extend(row(&request["TableName"], &request)),
        "TransactWriteItems" => {
            for item in request["TransactItems"].as_array().into_iter().flatten() {
                let writes = item.as_object().into_iter().flatten().filter(|(what, _)| *what != "ConditionCheck");
                rows.extend(writes.filter_map(|(_, write)| row(&write["TableName"], write)));
            }
        }
        "BatchWriteItem" => {
            for (table, writes) in request["RequestItems"].as_object().into_iter().flatten() {
                let table = Value::from(table.as_str());
                let writes = writes.as_array().into_iter().flatten().filter_map(Value::as_object).flatten();
                rows.extend(writes.filter_map(|(_, write)| row(&table, write)));
            }
        }
        _ => {}
    }
    rows
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table(name: &str, view: &str) -> Table {
        Table {
            logical_id: format!("{name}Table"),
            name: name.to_owned(),
            create: json!({
                "KeySchema": [{ "AttributeName": "id" }, { "AttributeName": "at" }],
                "StreamSpecification": { "StreamViewType": view },
            }),
            ttl_attribute: None,
            stream_arn: Some("arn".to_owned()),
        }
    }

    #[test]
    fn the_rows_of_each_kind_of_write_are_found() {
        let tables = [table("audit", "NEW_IMAGE"), table("pins", "KEYS_ONLY")];
        let key = |id: &str| json!({ "id": { "S": id }, "at": { "N": "1" } });
        let item = |id: &str| json!({ "id": { "S": id }, "at": { "N": "1" }, "type": { "S": "x" } });
        for (operation, request, expected) in [
            ("PutItem", json!({ "TableName": "audit", "Item": item("a") }), &["a"][..]),
            ("UpdateItem", json!({ "TableName": "audit", "Key": key("a") }), &["a"]),
            ("DeleteItem", json!({ "TableName": "audit", "Key": key("a") }), &["a"]),
            ("PutItem", json!({ "TableName": "pins", "Item": item("a") }), &[]),
            ("GetItem", json!({ "TableName": "audit", "Key": key("a") }), &[]),
            (
                "TransactWriteItems",
                json!({ "TransactItems": [
                    { "Put": { "TableName": "audit", "Item": item("a") } },
                    { "ConditionCheck": { "TableName": "audit", "Key": key("b") } },
                    { "Update": { "TableName": "pins", "Key": key("c") } },
                    { "Delete": { "TableName": "audit", "Key": key("d") } },
                ] }),
                &["a", "d"],
            ),
            (
                "BatchWriteItem",
                json!({ "RequestItems": {
                    "audit": [{ "PutRequest": { "Item": item("a") } }, { "DeleteRequest": { "Key": key("b") } }],
                    "pins": [{ "PutRequest": { "Item": item("c") } }],
                } }),
                &["a", "b"],
            ),
        ] {
            let found = rows(operation, request.to_string().as_bytes(), &tables);
            let keys: Vec<_> = found.iter().map(|row| row.key.clone()).collect();
            let expected: Vec<_> = expected.iter().map(|id| key(id)).collect();
            assert_eq!(keys, expected, "{operation} {request}");
        }
    }
}
