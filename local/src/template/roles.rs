//! Converts a role's policies to rights.

use serde_json::Value;

use super::eval::Scope;
use crate::rights::{Condition, Resource, Right};

/// The rights of a role. A policy that cannot be parsed is an error, not skipped: a cloud that allows less than AWS
/// would, or more, proves nothing.
pub(super) fn rights(scope: &Scope<'_>, role: &Value, at: &str) -> Result<Vec<Right>, String> {
    let properties = &role["Properties"];
    for key in ["ManagedPolicyArns", "PermissionsBoundary"] {
        if properties.get(key).is_some() {
            return Err(format!("{at} has {key}, which cannot be read here: write its statements out"));
        }
    }
    let policies = scope.value(&properties["Policies"], &format!("{at}.Policies"))?.unwrap_or_default();
    let mut rights = Vec::new();
    for policy in list(&policies) {
        for statement in list(&policy["PolicyDocument"]["Statement"]) {
            read(statement, at, &mut rights)?;
        }
    }
    Ok(rights)
}

fn read(statement: &Value, at: &str, rights: &mut Vec<Right>) -> Result<(), String> {
    if statement["Effect"] != "Allow" {
        return Err(format!("{at} has a statement that does not allow: only Allow is known here"));
    }
    for key in statement.as_object().into_iter().flat_map(|entries| entries.keys()) {
        if !["Sid", "Effect", "Action", "Resource", "NotResource", "Condition"].contains(&key.as_str()) {
            return Err(format!("{at} has a statement with {key}, which is not known here"));
        }
    }
    let texts = |value: &Value| -> Result<Vec<String>, String> {
        let text = |one: &Value| match one.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(format!("{at} has a statement about {one}, which is no text")),
        };
        list(value).iter().map(text).collect()
    };
    let resources = match (&statement["Resource"], &statement["NotResource"]) {
        (Value::Null, Value::Null) => return Err(format!("{at} has a statement without a Resource")),
        (resource, Value::Null) => texts(resource)?.into_iter().map(Resource::Like).collect(),
        (Value::Null, others) => vec![Resource::AllBut(texts(others)?)],
        (_, _) => return Err(format!("{at} has a statement with both Resource and NotResource")),
    };
    let condition = match &statement["Condition"] {
        Value::Null => None,
        condition => {
            let (key, patterns) = single(condition)
                .filter(|(operator, _)| *operator == "StringLike")
                .and_then(|(_, asked)| single(asked))
                .ok_or_else(|| {
                    format!("{at} has a condition that is no StringLike of one key: only that is known here")
                })?;
            Some(Condition {
                key: key.to_owned(),
                patterns: texts(patterns)?,
            })
        }
    };
    for action in texts(&statement["Action"])? {
        rights.extend(resources.iter().map(|resource| Right {
            action: action.clone(),
            resource: resource.clone(),
            condition: condition.clone(),
        }));
    }
    Ok(())
}

/// The only entry of an object.
fn single(object: &Value) -> Option<(&str, &Value)> {
    let mut entries = object.as_object()?.iter();
    let (key, value) = entries.next()?;
    entries.next().is_none().then_some((key.as_str(), value))
}

/// Where IAM takes a list, it also takes a single element.
fn list(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(items) => items,
        one @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => std::slice::from_ref(one),
    }
}
