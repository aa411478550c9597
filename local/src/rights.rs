//! IAM: the permissions of a role, and those that a call needs.

use std::fmt;

use crate::record::Record;

/// A permission: one action on one resource, both possibly with wildcards. Everything else is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Right {
    pub(crate) action: String,
    pub(crate) resource: Resource,
    pub(crate) condition: Option<Condition>,
}

/// `StringLike`: the call's value for that key matches one of these patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) key: String,
    pub(crate) patterns: Vec<String>,
}

/// The resources of a right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    /// `Resource`: an ARN.
    Like(String),
    /// `NotResource`: every resource except these.
    AllBut(Vec<String>),
}

/// A role of the template.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Role {
    /// Its name once deployed.
    pub(crate) name: String,
    pub(crate) rights: Vec<Right>,
}

/// The resource of a call that has none: only a right on `*` allows it.
pub(crate) const NOTHING: &str = "*";

/// An action that a call needs. A right on one of the resources is enough.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) action: String,
    pub(crate) resources: Vec<String>,
    /// The value that conditions can test.
    pub(crate) context: Option<(&'static str, String)>,
}

impl Need {
    /// An action on one resource.
    pub(crate) fn new(action: String, resource: String) -> Self {
        Self {
            action,
            resources: vec![resource],
            context: None,
        }
    }
}

impl Condition {
    fn holds(&self, need: &Need) -> bool {
        let value = need.context.as_ref().filter(|(key, _)| *key == self.key);
        value.is_some_and(|(_, value)| {
            let mut patterns = self.patterns.iter();
            patterns.any(|pattern| is_like(pattern.as_bytes(), value.as_bytes()))
        })
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.resource {
            Resource::Like(resource) => write!(f, "{} on {resource}", self.action),
            Resource::AllBut(resources) => write!(f, "{} on all but {}", self.action, resources.join(" and ")),
        }
    }
}

impl Right {
    fn allows(&self, need: &Need) -> bool {
        let fits = |resource: &String| match &self.resource {
            Resource::Like(pattern) => is_like(pattern.as_bytes(), resource.as_bytes()),
            Resource::AllBut(patterns) => {
                !patterns.iter().any(|pattern| is_like(pattern.as_bytes(), resource.as_bytes()))
            }
        };
        let (pattern, action) = (self.action.to_ascii_lowercase(), need.action.to_ascii_lowercase());
        is_like(pattern.as_bytes(), action.as_bytes())
            && need.resources.iter().any(fits)
            && self.condition.as_ref().is_none_or(|condition| condition.holds(need))
    }

    /// Whether Lambda itself uses the right on the function's behalf, so that no call of the function shows its use:
    /// the function's log, the stream that feeds it, its failure queue, traces.
    pub(crate) fn is_lambdas_own(&self) -> bool {
        self.action.starts_with("logs:")
            || self.action.starts_with("xray:")
            || [
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:ListStreams",
                "sqs:SendMessage",
            ]
            .contains(&self.action.as_str())
    }
}

/// Whether a text matches an IAM pattern: `*` matches any characters, `?` one.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => is_like(rest, text) || (!text.is_empty() && is_like(pattern, &text[1..])),
        ([b'?', rest @ ..], [_, others @ ..]) => is_like(rest, others),
        ([one, rest @ ..], [other, others @ ..]) => one == other && is_like(rest, others),
        ([_, ..], []) | ([], [_, ..]) => false,
    }
}

/// Authorizes a call's needs against the role of the calling function, and records the rights it uses. The error is the
/// first need that the role does not allow.
pub(crate) fn check<'n>(usage: &Record, function: &str, role: &Role, needs: &'n [Need]) -> Result<(), &'n Need> {
    for need in needs {
        let mut allowed = role.rights.iter().filter(|right| right.allows(need)).peekable();
        if allowed.peek().is_none() {
            return Err(need);
        }
        allowed.for_each(|right| usage.note(line(function, right)));
    }
    Ok(())
}

/// A function's right, as it is recorded and reported.
pub(crate) fn line(function: &str, right: &Right) -> String {
    format!("{function} may {right}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_any_text_and_other_characters_match_themselves() {
        for (pattern, text, expected) in [
            ("table/a", "table/a", true),
            ("table/a", "table/ab", false),
            ("table/a", "table/", false),
            ("table/a/stream/*", "table/a/stream/local", true),
            ("table/a/stream/*", "table/b/stream/local", false),
            ("*", "", true),
            ("a*c*", "abcd", true),
            ("a*c", "abcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
        ] {
            assert_eq!(is_like(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_permission_applies_to_its_action_and_resources() {
        let like = |resource: &str| Resource::Like(resource.to_owned());
        let all_but = Resource::AllBut(vec!["arn:aws:sns:*".to_owned()]);
        for (action, resource, needed, resources, expected) in [
            ("s:Get", like("a"), "s:Get", &["a"][..], true),
            ("s:get", like("a"), "S:Get", &["a"], true),
            ("s:*", like("a"), "s:Get", &["a"], true),
            ("s:Get", like("a"), "s:Put", &["a"], false),
            ("s:Get", like("a"), "s:Get", &["b"], false),
            ("s:Get", like("a"), "s:Get", &["b", "a"], true),
            ("s:Get", like("a"), "s:Get", &[], false),
            ("sns:Publish", all_but.clone(), "sns:Publish", &["+1"], true),
            ("sns:Publish", all_but, "sns:Publish", &["arn:aws:sns:x"], false),
        ] {
            let right = Right {
                action: action.to_owned(),
                resource,
                condition: None,
            };
            let need = Need {
                action: needed.to_owned(),
                resources: resources.iter().map(|&resource| resource.to_owned()).collect(),
                context: None,
            };
            assert_eq!(right.allows(&need), expected, "{right} for {need:?}");
        }
    }

    #[test]
    fn a_permission_may_have_a_condition() {
        let right = Right {
            action: "s:Get".to_owned(),
            resource: Resource::Like("a".to_owned()),
            condition: Some(Condition {
                key: "s:From".to_owned(),
                patterns: vec!["a@b".to_owned(), "*@c".to_owned()],
            }),
        };
        for (context, expected) in [
            (None, false),
            (Some(("s:From", "a@b")), true),
            (Some(("s:From", "b@c")), true),
            (Some(("s:From", "A@b")), false),
            (Some(("s:From", "b@b")), false),
            (Some(("s:To", "a@b")), false),
        ] {
            let need = Need {
                context: context.map(|(key, value)| (key, value.to_owned())),
                ..Need::new("s:Get".to_owned(), "a".to_owned())
            };
            assert_eq!(right.allows(&need), expected, "{need:?}");
        }
    }
}
