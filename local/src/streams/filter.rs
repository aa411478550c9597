//! `FilterCriteria`: which records a subscription receives.

use serde_json::Value;

/// One `FilterCriteria` pattern: an object whose leaves are lists of allowed values, `null`, `{"exists": …}` or
/// `{"prefix": …}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filter(Value);

impl Filter {
    /// Parses a pattern and refuses unknown conditions.
    pub(crate) fn parse(pattern: &str) -> Result<Self, String> {
        let pattern: Value =
            serde_json::from_str(pattern).map_err(|error| format!("the pattern {pattern} is not JSON: {error}"))?;
        check(&pattern)?;
        Ok(Self(pattern))
    }

    pub(crate) fn matches(&self, record: &Value) -> bool {
        fits(&self.0, Some(record))
    }
}

fn check(pattern: &Value) -> Result<(), String> {
    match pattern {
        Value::Object(entries) => entries.values().try_for_each(check),
        Value::Array(allowed) => allowed.iter().try_for_each(|one| match one {
            Value::Object(test) if !test.keys().all(|key| key == "exists" || key == "prefix") => {
                Err(format!("the condition {one} is not known here"))
            }
            Value::Array(_) => Err(format!("the condition {one} is not known here")),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => Ok(()),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(format!("a pattern's leaves are lists, not {pattern}"))
        }
    }
}

fn fits(pattern: &Value, found: Option<&Value>) -> bool {
    match pattern {
        Value::Object(entries) => entries.iter().all(|(key, inner)| fits(inner, found.and_then(|found| found.get(key)))),
        Value::Array(allowed) => allowed.iter().any(|one| match one {
            Value::Object(test) => match (test.get("exists"), test.get("prefix")) {
                (Some(exists), _) => exists.as_bool() == Some(found.is_some()),
                (None, Some(prefix)) => {
                    matches!((found.and_then(Value::as_str), prefix.as_str()), (Some(text), Some(prefix)) if text.starts_with(prefix))
                }
                (None, None) => false,
            },
            plain => found == Some(plain),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_pattern_for_ttl_removals() {
        let pattern =
            r#"{"eventName":["REMOVE"],"userIdentity":{"type":["Service"],"principalId":["dynamodb.amazonaws.com"]}}"#;
        let filter = Filter::parse(pattern).expect("a pattern of AWS's own documentation");
        let ttl = json!({
            "eventName": "REMOVE",
            "userIdentity": { "type": "Service", "principalId": "dynamodb.amazonaws.com" },
        });
        assert!(filter.matches(&ttl));
        assert!(!filter.matches(&json!({ "eventName": "REMOVE" })));
        let prefix = Filter::parse(r#"{"dynamodb":{"Keys":{"pk":{"S":[{"prefix":"otp#"}]}}}}"#).expect("a prefix");
        assert!(prefix.matches(&json!({ "dynamodb": { "Keys": { "pk": { "S": "otp#1" } } } })));
        assert!(!prefix.matches(&json!({ "dynamodb": { "Keys": { "pk": { "S": "user#1" } } } })));
        assert!(Filter::parse(r#"{"a":[{"numeric":[">",1]}]}"#).is_err());
    }
}
