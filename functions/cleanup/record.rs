//! Stream records as Lambda delivers them.

use countersign_shared::domain::time::Timestamp;
use serde_json::Value;

/// A record, reduced to what matters here.
pub enum Record<'a> {
    /// An expired row was removed (TTL).
    Removal(Removal<'a>),
    /// A row was written, changed or deleted by a request.
    Other,
    /// It is not a valid record of DynamoDB: this part is missing or wrong.
    Malformed(&'static str),
}

/// The removal of a row by DynamoDB itself.
pub struct Removal<'a> {
    /// The kind of the row: the table's name in the template, without `Table`.
    pub kind: &'a str,
    /// The row's key, as text.
    pub key: String,
    /// Time of the removal.
    pub at: Timestamp,
    stream: &'a str,
    id: &'a str,
    sequence_number: &'a str,
}

impl<'a> Record<'a> {
    /// Parses a record. The mapping's filter passes only removals, but it is not a safeguard: it can be changed without
    /// this code, and callers who may invoke the function can send anything.
    pub fn read(record: &'a Value) -> Self {
        match (record["eventSource"].as_str(), record["eventName"].as_str()) {
            (Some("aws:dynamodb"), Some("REMOVE")) => {}
            (Some("aws:dynamodb"), Some("INSERT" | "MODIFY")) => return Self::Other,
            (Some("aws:dynamodb"), _) => return Self::Malformed("eventName"),
            _ => return Self::Malformed("eventSource"),
        }
        let by = &record["userIdentity"];
        if by["type"] != "Service" || by["principalId"] != "dynamodb.amazonaws.com" {
            return Self::Other;
        }
        match Removal::read(record) {
            Ok(removal) => Self::Removal(removal),
            Err(what) => Self::Malformed(what),
        }
    }
}

impl<'a> Removal<'a> {
    fn read(record: &'a Value) -> Result<Self, &'static str> {
        let stream = record["eventSourceARN"].as_str().ok_or("eventSourceARN")?;
        let change = &record["dynamodb"];
        let is_number = |text: &&str| (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_id = |text: &&str| (1..=128).contains(&text.len());
        let keys = change["Keys"].as_object().filter(|keys| !keys.is_empty());
        Ok(Self {
            kind: kind(stream).ok_or("eventSourceARN")?,
            key: serde_json::to_string(keys.ok_or("Keys")?).map_err(|_| "Keys")?,
            at: time(&change["ApproximateCreationDateTime"]).ok_or("ApproximateCreationDateTime")?,
            stream,
            id: record["eventID"].as_str().filter(is_id).ok_or("eventID")?,
            sequence_number: change["SequenceNumber"].as_str().filter(is_number).ok_or("SequenceNumber")?,
        })
    }

    /// The globally unique identity of the record.
    pub fn source(&self) -> [&[u8]; 3] {
        [self.stream, self.id, self.sequence_number].map(str::as_bytes)
    }
}

/// `Tokens` of `arn:aws:dynamodb:eu-central-1:123456789012:table/countersign-TokensTable-1ABC/stream/2026-…`, as
/// CloudFormation names tables; the full name of any other table.
fn kind(stream: &str) -> Option<&str> {
    let (_, resource) = stream.strip_prefix("arn:")?.split_once(":table/")?;
    let (table, label) = resource.split_once("/stream/")?;
    if table.is_empty() || table.len() > 255 || label.is_empty() {
        return None;
    }
    let mut parts = table.split('-').filter_map(|part| part.strip_suffix("Table"));
    parts.rfind(|part| !part.is_empty()).or(Some(table))
}

/// Seconds since 1970, with or without a fraction.
fn time(value: &Value) -> Option<Timestamp> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the years that a time can have"
    )]
    let millis = |seconds: f64| (seconds * 1000.0).round() as u64;
    let seconds = value.as_f64()?;
    (1.0..253_402_300_800.0).contains(&seconds).then(|| Timestamp::from_millis(millis(seconds)))
}
