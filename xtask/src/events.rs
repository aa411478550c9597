//! `docs/events/*.json`: a JSON schema for the `detail` of each type of event that applications receive.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use syn::parse::{Parse, ParseStream};

use crate::{
    Generated,
    source::{Source, read},
};

/// Where the outcomes are declared, each with the type that it is published as.
const OUTCOMES: &str = "shared/src/observe/outcome.rs";

/// The folder of the schemas.
pub const SCHEMAS: &str = "docs/events";

/// When an event of each type is published.
const TYPES: &[(&str, &str)] = &[
    ("device.added", "A login made its device a known one."),
    ("factor.changed", "A second factor was set, enabled, disabled or reset."),
    ("mail.bounced", "A mail bounced permanently; nothing is mailed to the address for a while."),
    (
        "mail.complained",
        "A recipient reported a mail as spam; nothing is mailed to the address for a while.",
    ),
    ("passcode.consumed", "A passcode was right, and is used up."),
    ("passcode.invalidated", "A client invalidated a passcode."),
    ("passcode.issued", "A client retrieved a new passcode."),
    ("password.changed", "A password was set, by a mailed link or by its owner."),
    ("session.revoked", "The tokens of a user, or of a user and a client, ended."),
    ("support_pin.created", "A user created a support PIN, which replaces the one before."),
    ("support_pin.read", "An administrator read the support PIN of a user."),
    ("support_pin.revoked", "A support PIN was revoked."),
    ("user.administrator_changed", "A user was made an administrator, or is one no longer."),
    ("user.blocked", "A user was blocked: by an administrator, by failed attempts, or for erasure."),
    ("user.created", "A user was created by a client or by the operator."),
    ("user.erased", "All rows of a user were deleted."),
    ("user.registered", "A user completed a registration."),
    ("user.signed_in", "A user completed a login, and has an access token."),
    ("user.unblocked", "A user was unblocked."),
    ("verification.approved", "The code of a verification was right, or its account approved it."),
];

/// The published outcomes, by type.
pub struct Published(BTreeMap<String, Vec<String>>);

/// `Name = "word" => "type"`, or without a type.
struct Outcome {
    word: String,
    published_as: Option<String>,
}

impl Parse for Outcome {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.parse::<syn::Ident>()?;
        input.parse::<syn::Token![=]>()?;
        let word = input.parse::<syn::LitStr>()?.value();
        let published_as = match input.parse::<Option<syn::Token![=>]>>()? {
            Some(_) => Some(input.parse::<syn::LitStr>()?.value()),
            None => None,
        };
        Ok(Self { word, published_as })
    }
}

impl Published {
    /// Reads the outcomes; one that cannot be parsed, or a type without a description, is a problem.
    pub fn read(problems: &mut Vec<String>) -> Self {
        let mut published = Self::parse(&read(OUTCOMES), problems);
        for (name, _) in TYPES {
            if !published.0.contains_key(*name) {
                problems.push(format!("xtask/src/events.rs describes {name}, which {OUTCOMES} does not publish"));
            }
        }
        published.0.retain(|name, _| {
            let is_described = TYPES.iter().any(|(known, _)| known == name);
            if !is_described {
                problems.push(format!(
                    "{OUTCOMES} publishes {name}: say in TYPES of xtask/src/events.rs when such an event is published"
                ));
            }
            is_described
        });
        published
    }

    fn parse(source: &Source, problems: &mut Vec<String>) -> Self {
        type List = syn::punctuated::Punctuated<Outcome, syn::Token![,]>;
        let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let file = source.production();
        let list = file.items.iter().find_map(|item| match item {
            syn::Item::Macro(item) if item.ident.is_none() && item.mac.path.is_ident("outcomes") => Some(&item.mac),
            _ => None,
        });
        match list.map(|list| list.parse_body_with(List::parse_terminated)) {
            Some(Ok(outcomes)) => {
                for Outcome { word, published_as } in outcomes {
                    if let Some(name) = published_as {
                        types.entry(name).or_default().push(word);
                    }
                }
            }
            Some(Err(error)) => problems.push(format!(
                "{}: write each outcome as `Name = \"word\"` or `Name = \"word\" => \"type\"` ({error})",
                source.path
            )),
            None => problems.push(format!("{} has no list `outcomes! {{ … }}`", source.path)),
        }
        types.values_mut().for_each(|words| words.sort());
        Self(types)
    }

    /// The types, each with its outcomes.
    pub fn types(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, words)| (name.as_str(), words.as_slice()))
    }

    /// The schema of each type.
    pub fn schemas(&self) -> Vec<Generated> {
        let file = |(name, words): (&str, &[String])| Generated {
            path: format!("{SCHEMAS}/{name}.json"),
            text: serde_json::to_string_pretty(&schema(name, words)).expect("a schema is JSON") + "\n",
        };
        self.types().map(file).collect()
    }

    /// The table of types.
    pub fn table(&self) -> String {
        let mut text = "| Type | Published when | `outcome` |\n|---|---|---|\n".to_owned();
        for (name, words) in self.types() {
            let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            text += &format!("| [`{name}`](events/{name}.json) | {} | {} |\n", description(name), words.join(", "));
        }
        text
    }
}

fn description(name: &str) -> &'static str {
    TYPES.iter().find(|(known, _)| *known == name).map_or("", |(_, words)| words)
}

/// The schema of a detail. Other members are allowed: later versions may add some.
fn schema(name: &str, outcomes: &[String]) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": name,
        "description": description(name),
        "type": "object",
        "properties": {
            "id": {
                "description": "The identity of the event: an event that is delivered again has the same one.",
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
            },
            "time": {
                "description": "When it happened, in UTC.",
                "type": "string",
                "format": "date-time",
                "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
            },
            "domain": {
                "description": "The domain (tenant) of the subject; absent if it belongs to none.",
                "type": "string",
                "minLength": 1,
            },
            "actor": {
                "description": "Who did it: a user, a client or the operator; absent if no caller was authenticated.",
                "type": "string",
                "pattern": "^((user|client|account|key):.+|operator)$",
            },
            "subject": {
                "description": "Whom or what it happened to: user:ID, client:ID, passcode:ID, or a kind and a pseudonym.",
                "type": "string",
                "pattern": "^[A-Za-z]+:.+$",
            },
            "outcome": {
                "description": "What happened, in one word of the log.",
                "type": "string",
                "enum": outcomes,
            },
        },
        "required": ["id", "time", "subject", "outcome"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(list: &str) -> (Published, Vec<String>) {
        let text = format!("macro_rules! outcomes {{ () => {{}}; }}\n{list}");
        let path = "outcome.rs".to_owned();
        let mut problems = Vec::new();
        (Published::parse(&Source { path, text }, &mut problems), problems)
    }

    #[test]
    fn outcomes_are_grouped_by_their_type() {
        let (published, problems) = parsed(
            "outcomes! {\n    // Any route.\n    Fault = \"fault\",\n    B = \"b\" => \"user.blocked\",\n    A = \"a\" => \"user.blocked\",\n    \
             C = \"c\" => \"user.created\",\n}",
        );
        assert!(problems.is_empty(), "{problems:?}");
        let types: Vec<_> = published.types().map(|(name, words)| (name, words.join(" "))).collect();
        assert_eq!(types, [("user.blocked", "a b".to_owned()), ("user.created", "c".to_owned())]);
        let [blocked, created] = published.schemas().try_into().unwrap_or_else(|_| panic!("two schemas"));
        assert_eq!(
            (blocked.path.as_str(), created.path.as_str()),
            ("docs/events/user.blocked.json", "docs/events/user.created.json")
        );
        let schema: Value = serde_json::from_str(&blocked.text).expect("JSON");
        assert_eq!(schema["properties"]["outcome"]["enum"], json!(["a", "b"]));
        assert!(published.table().contains("| [`user.created`](events/user.created.json) |"));
    }

    #[test]
    fn a_list_that_cannot_be_parsed_is_a_problem() {
        for list in [
            "",
            "outcomes! { A => \"a\" }",
            "outcomes! { A = \"a\" = \"b\" }",
            "outcomes! { A = 1 }",
        ] {
            let (published, problems) = parsed(list);
            assert_eq!((published.types().count(), problems.len()), (0, 1), "{list}: {problems:?}");
        }
    }
}
