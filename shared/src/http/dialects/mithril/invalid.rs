//! Invalid values in a request.

use serde::Serialize;
use utoipa::{ToSchema, openapi::Object};

use crate::{
    domain::{
        password::{Policy, Weak},
        people::name::Malformed,
    },
    http::{schema::one_of, sentences},
};

const IN_BODY: &str = "json_data_property";
const IN_QUERY: &str = "query_parameter";

fn entry_types() -> Object {
    one_of([IN_BODY, IN_QUERY])
}

/// An invalid value and the rule that it breaks.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invalid {
    /// The part of the request.
    #[schema(schema_with = entry_types)]
    entry_type: &'static str,
    /// The field of the body, wrapped or not, or the parameter of the query.
    #[schema(example = "$.type")]
    entry: String,
    /// The first rule that it breaks.
    rules: [Rule; 1],
}

/// A rule for values.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rule {
    /// The name of the rule, for programs.
    #[schema(example = "inclusion")]
    rule: &'static str,
    /// The parameters of the rule.
    #[schema(example = json!(["SMS"]))]
    params: Vec<String>,
    /// The description, for users.
    #[schema(example = "is invalid")]
    description: String,
}

impl Invalid {
    /// A field that is absent, `null` or empty.
    #[must_use]
    pub fn required(field: &str) -> Self {
        Self::new(field, "required", &[], "can't be blank")
    }

    /// A field that is not of this type: `string`, `boolean`.
    #[must_use]
    pub fn cast(field: &str, to: &str) -> Self {
        Self::new(field, "cast", &[to], "is invalid")
    }

    /// A field with none of these values.
    #[must_use]
    pub fn inclusion(field: &str, of: &[&str]) -> Self {
        Self::new(field, "inclusion", of, "is invalid")
    }

    /// A field that does not match this regular expression.
    #[must_use]
    pub fn format(field: &str, pattern: &str) -> Self {
        Self::new(field, "format", &[pattern], "has invalid format")
    }

    /// A text that is not a code with this number of digits.
    #[must_use]
    pub fn no_code(field: &str, length: usize) -> Self {
        Self::format(field, &format!("^[0-9]{{{length}}}$"))
    }

    /// A phone number that is not valid in its country's numbering plan, or that SNS does not accept.
    #[must_use]
    pub fn impossible_phone(field: &str) -> Self {
        Self::new(field, "format", &[], "is not a possible phone number")
    }

    /// A field whose text is not a valid name of its kind.
    #[must_use]
    pub fn malformed(field: &str, malformed: Malformed) -> Self {
        match malformed {
            Malformed::Empty => Self::required(field),
            Malformed::TooLong | Malformed::InvalidSymbols | Malformed::MixedScripts => {
                Self::new(field, "format", &[], sentences::malformed(malformed))
            }
        }
    }

    /// An unknown field; a long name is truncated.
    #[must_use]
    pub fn unknown(field: &str) -> Self {
        let name: String = field.chars().take(64).collect();
        Self::new(&name, "additionalProperties", &[], "schema does not allow additional properties")
    }

    /// A field whose value is taken.
    #[must_use]
    pub fn taken(field: &str) -> Self {
        Self::new(field, "unique", &[], "has already been taken")
    }

    /// A password that this policy rejects.
    #[must_use]
    pub fn weak(field: &str, weak: Weak, policy: &Policy) -> Self {
        let rule = match weak {
            Weak::TooShort { .. } | Weak::TooLong { .. } => "length",
            Weak::InvalidSymbols => "format",
            Weak::Common => "exclusion",
        };
        Self::new(field, rule, &[], &sentences::weak(weak, policy.alphabet.as_ref()))
    }

    /// The same for a parameter of the query, which is not part of a document.
    #[must_use]
    pub fn in_query(self) -> Self {
        Self {
            entry_type: IN_QUERY,
            entry: self.entry.trim_start_matches("$.").to_owned(),
            rules: self.rules,
        }
    }

    fn new(field: &str, rule: &'static str, params: &[&str], description: &str) -> Self {
        Self {
            entry_type: IN_BODY,
            entry: format!("$.{field}"),
            rules: [Rule {
                rule,
                params: params.iter().map(|param| (*param).to_owned()).collect(),
                description: description.to_owned(),
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::http::{call::tests::call, dialects::mithril::Error, reply::Dialect};

    impl Invalid {
        /// The entry and the rule.
        pub(in crate::http::dialects::mithril) fn short(&self) -> String {
            let [Rule { rule, .. }] = &self.rules;
            format!("{} {rule}", self.entry)
        }
    }

    #[test]
    fn all_invalid_fields_are_in_one_response() {
        let reply = Error::Invalid(vec![
            Invalid::inclusion("type", &["SMS"]),
            Invalid::cast("is_active", "boolean").in_query(),
        ])
        .reply(&call(&json!({})));
        let entry = |entry_type: &str, entry: &str, rule: &str, param: &str| {
            let rule = json!({ "rule": rule, "params": [param], "description": "is invalid" });
            json!({ "entry_type": entry_type, "entry": entry, "rules": [rule] })
        };
        let body: Value = serde_json::from_str(&reply.body).expect("JSON");
        assert_eq!((reply.status, &body["meta"]["code"]), (422, &json!(422)));
        assert_eq!(
            body["error"],
            json!({
                "type": "validation_failed", "message": "Validation failed.",
                "invalid": [
                    entry("json_data_property", "$.type", "inclusion", "SMS"),
                    entry("query_parameter", "is_active", "cast", "boolean"),
                ],
            })
        );
    }

    #[test]
    fn every_rule_has_its_description() {
        let check = |invalid: Invalid, entry: &str, rule: &str, params: &[&str], description: &str| {
            let [found] = invalid.rules;
            assert_eq!((invalid.entry.as_str(), found.rule), (entry, rule));
            assert_eq!((found.params.join(" "), found.description.as_str()), (params.join(" "), description));
        };
        check(Invalid::required("otp"), "$.otp", "required", &[], "can't be blank");
        check(Invalid::cast("token", "string"), "$.token", "cast", &["string"], "is invalid");
        check(Invalid::inclusion("type", &["SMS"]), "$.type", "inclusion", &["SMS"], "is invalid");
        check(Invalid::format("otp", "^[0-9]{6}$"), "$.otp", "format", &["^[0-9]{6}$"], "has invalid format");
        check(Invalid::malformed("name", Malformed::Empty), "$.name", "required", &[], "can't be blank");
        check(Invalid::malformed("name", Malformed::TooLong), "$.name", "format", &[], "is too long");
        let words = "is not a possible phone number";
        check(Invalid::impossible_phone("factor"), "$.factor", "format", &[], words);
        check(Invalid::taken("email"), "$.email", "unique", &[], "has already been taken");
        let words = "schema does not allow additional properties";
        let begins = format!("$.{}", "x".repeat(64));
        check(Invalid::unknown(&"x".repeat(65)), &begins, "additionalProperties", &[], words);
        let weak = |weak, rule, words| {
            let invalid = Invalid::weak("password", weak, &Policy::default());
            check(invalid, "$.password", rule, &[], words);
        };
        weak(Weak::TooShort { min: 8 }, "length", "is too short. Expected: at least 8 characters");
        weak(Weak::InvalidSymbols, "format", "contains invalid symbols. Expected: A-Za-z0-9_-.~!");
        weak(Weak::Common, "exclusion", "is one of the most common passwords");
    }
}
