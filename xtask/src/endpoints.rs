//! Functions, as their sources declare them: what invokes each, what it may touch, what it reads.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use crate::{
    settings::Settings,
    source::{Source, folders, named, read},
    store::Store,
};

/// A function.
pub struct Function {
    /// The name of its folder and its bin.
    pub name: String,
    pub trigger: Trigger,
    /// The IAM actions on each of its tables, by the table's variable.
    pub tables: BTreeMap<&'static str, BTreeSet<String>>,
    /// The variables of the key secrets that it reads, and whether it writes them, too.
    pub secrets: BTreeSet<String>,
    pub writes_secrets: bool,
    pub sends_mail: bool,
    pub sends_text_messages: bool,
    /// Whether it hashes passwords.
    pub hashes: bool,
    /// Whether it counts attempts that a rate limit bounds.
    pub counts_attempts: bool,
    /// Whether an identity provider's tokens may open it.
    pub reads_claims: bool,
    /// The environment variables that it reads, without those that all functions read.
    pub variables: BTreeSet<String>,
}

/// What invokes a function: the first line of its main.rs says it.
#[derive(PartialEq)]
pub enum Trigger {
    /// `GET /path`: a route.
    Route { method: String, path: String },
    /// `$default`: whatever no route takes.
    Default,
    /// The streams of the tables whose rows expire.
    Streams,
    /// What SES publishes about mail.
    MailEvents,
    /// An operator, by IAM.
    Operator,
}

/// The IAM action of each right of a table.
pub const RIGHTS: &[(&str, &str)] = &[
    ("BatchGet", "dynamodb:BatchGetItem"),
    ("Check", "dynamodb:ConditionCheckItem"),
    ("Delete", "dynamodb:DeleteItem"),
    ("Get", "dynamodb:GetItem"),
    ("Put", "dynamodb:PutItem"),
    ("Scan", "dynamodb:Scan"),
    ("Update", "dynamodb:UpdateItem"),
];

/// The table of audit events, and the right that recording one takes.
const AUDIT: (&str, &str) = ("AUDIT_TABLE", "dynamodb:PutItem");

/// Types of fields that touch nothing.
const HARMLESS: &[&str] = &[
    "Bucket",
    "Budget",
    "Lifetimes",
    "MailDomain",
    "OpenApi",
    "Pages",
    "Policy",
    "Provider",
    "Source",
    "String",
    "bool",
];

impl Function {
    /// Every function, by name.
    pub fn read_all(store: &Store, settings: &Settings, problems: &mut Vec<String>) -> Vec<Self> {
        let functions = folders("functions");
        let functions = functions.iter().filter_map(|name| {
            let [main, handler] = ["main.rs", "handler.rs"].map(|file| read(&format!("functions/{name}/{file}")));
            Self::parse(name, &main, &handler, (store, settings), problems)
        });
        functions.collect()
    }

    fn parse(
        name: &str,
        main: &Source,
        handler: &Source,
        (store, settings): (&Store, &Settings),
        problems: &mut Vec<String>,
    ) -> Option<Self> {
        let path = &main.path;
        let said = main.text.lines().next().and_then(|line| line.strip_prefix("//! "));
        let trigger = Trigger::parse(said.unwrap_or_default());
        if trigger.is_none() {
            problems.push(format!(
                "{path} begins with {:?}: let its first line be `//! METHOD /path`, or one of `//! $default`, \
                 `//! Invoked by the streams …`, `//! Invoked by SNS …`, `//! Invoked by hand …`",
                said.unwrap_or_default()
            ));
        }
        let mut wiring = Wiring::default();
        wiring.visit_file(&main.production());
        let mut function = Self {
            name: name.to_owned(),
            trigger: trigger?,
            tables: BTreeMap::new(),
            secrets: BTreeSet::new(),
            writes_secrets: false,
            sends_mail: false,
            sends_text_messages: false,
            hashes: false,
            counts_attempts: false,
            reads_claims: false,
            variables: settings.read_by(&wiring.methods),
        };
        let everywhere = settings.read_by(&["start".to_owned()]);
        function.variables.retain(|variable| !everywhere.contains(variable));
        if wiring.is_recorded {
            function.may(AUDIT.1, AUDIT.0);
            function
                .variables
                .extend(settings.read_by(&["audit_policy".to_owned()]));
        }
        let path = &handler.path;
        let handler = handler.production();
        let endpoint = handler.items.iter().find_map(|item| match item {
            syn::Item::Struct(item) if wiring.made.iter().any(|made| item.ident == made) => Some(item),
            _ => None,
        });
        match endpoint {
            Some(endpoint) => {
                for field in &endpoint.fields {
                    if let Err(problem) = function.field(&field.ty, store) {
                        problems.push(format!("{path}: {problem}"));
                    }
                }
            }
            None => problems.push(format!("{} makes no struct of {path}", main.path)),
        }
        Some(function)
    }

    fn may(&mut self, action: &'static str, table: &str) {
        self.tables.entry(action).or_default().insert(table.to_owned());
        self.variables.insert(table.to_owned());
    }

    /// Adds what a field of that type may do.
    fn field(&mut self, ty: &syn::Type, store: &Store) -> Result<(), String> {
        let (of, arguments) = named(ty).unwrap_or_default();
        let arguments: Vec<_> = arguments.into_iter().filter_map(named).map(|(name, _)| name).collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        match (of.as_str(), arguments.as_slice()) {
            ("Table", [row, right]) => {
                let action = RIGHTS.iter().find(|(name, _)| name == right);
                let (_, action) = action.ok_or(format!("{right} is no right that xtask/src/endpoints.rs knows"))?;
                let variable = store.rows.get(*row);
                self.may(
                    action,
                    variable.ok_or(format!("{row} has no VARIABLE: implement Row for it"))?,
                );
                self.counts_attempts |= matches!((*row, *right), ("Spent", "Update"));
            }
            ("Keys" | "KeyShelf", [purpose]) => {
                let keys = store.keys.get(*purpose);
                let keys = keys.ok_or(format!("{purpose} has no VARIABLE: implement Kept for it"))?;
                self.secrets.insert(keys.variable.clone());
                self.variables.insert(keys.variable.clone());
                self.writes_secrets |= of == "KeyShelf";
            }
            // Counts what is made, which no limit of attempts is about.
            ("Creations", _) => self.may("dynamodb:UpdateItem", "BUDGETS_TABLE"),
            ("Mailer", _) => self.sends_mail = true,
            ("Texter", _) => self.sends_text_messages = true,
            ("Cost", _) => self.hashes = true,
            ("Trail", _) => self.may(AUDIT.1, AUDIT.0),
            ("Option", [of]) if HARMLESS.contains(of) => self.reads_claims |= *of == "Provider",
            (of, _) if HARMLESS.contains(&of) => {}
            (of, _) => {
                return Err(format!(
                    "what does {of} touch? Tell xtask/src/endpoints.rs: its IAM action, or HARMLESS"
                ));
            }
        }
        Ok(())
    }

    /// Whether each call of its route costs, or is a guess: such a route has the strict rate limit.
    pub fn is_sensitive(&self) -> bool {
        self.sends_mail || self.sends_text_messages || self.hashes || self.counts_attempts
    }

    /// Whether it changes nothing but the audit log.
    pub fn is_safe(&self) -> bool {
        const WRITES: &[&str] = &["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"];
        WRITES
            .iter()
            .flat_map(|action| self.tables.get(action))
            .all(|tables| tables.iter().all(|table| table == AUDIT.0))
    }

    /// Its routes, as method and path: with `HEAD` beside a `GET` that is safe.
    pub fn routes(&self) -> Vec<(&str, &str)> {
        match &self.trigger {
            Trigger::Route { method, path } if method == "GET" && self.is_safe() => {
                vec![("GET", path), ("HEAD", path)]
            }
            Trigger::Route { method, path } => vec![(method, path)],
            Trigger::Default | Trigger::Streams | Trigger::MailEvents | Trigger::Operator => Vec::new(),
        }
    }

    /// Whether callers wait for it.
    pub fn has_route(&self) -> bool {
        matches!(self.trigger, Trigger::Route { .. } | Trigger::Default)
    }
}

impl Trigger {
    fn parse(said: &str) -> Option<Self> {
        if said == "$default" {
            return Some(Self::Default);
        }
        for (start, trigger) in [
            ("Invoked by the streams ", Self::Streams),
            ("Invoked by SNS ", Self::MailEvents),
            ("Invoked by hand", Self::Operator),
        ] {
            if said.starts_with(start) {
                return Some(trigger);
            }
        }
        let (method, path) = said.split_once(' ')?;
        let is_route = ["DELETE", "GET", "PATCH", "POST", "PUT"].contains(&method) && path.starts_with('/');
        is_route.then(|| Self::Route {
            method: method.to_owned(),
            path: path.to_owned(),
        })
    }
}

/// What `main.rs` makes of its handler, and the methods that it calls.
#[derive(Default)]
struct Wiring {
    made: Vec<String>,
    methods: Vec<String>,
    /// Whether every call is recorded in the audit log.
    is_recorded: bool,
}

impl<'a> Visit<'a> for Wiring {
    fn visit_expr_struct(&mut self, made: &'a syn::ExprStruct) {
        let names: Vec<_> = made
            .path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if let [module, name] = names.as_slice()
            && module == "handler"
        {
            self.made.push(name.clone());
        }
        visit::visit_expr_struct(self, made);
    }

    fn visit_expr_call(&mut self, call: &'a syn::ExprCall) {
        if let syn::Expr::Path(of) = &*call.func {
            self.is_recorded |= of.path.segments.last().is_some_and(|name| name.ident == "run_recorded");
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        self.methods.push(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A function whose handler has these fields, and whose main.rs calls these methods of the edge.
    pub fn function(trigger: &str, run: &str, methods: &[&str], fields: &[&str]) -> (Function, Store) {
        let mut problems = Vec::new();
        let (store, settings) = (Store::read(&mut problems), Settings::read(&mut problems));
        let calls: String = methods.iter().map(|method| format!("edge.{method}();")).collect();
        let source = |path: &str, text| Source {
            path: path.to_owned(),
            text,
        };
        let main = format!(
            "//! {trigger}\nmod handler;\nfn main() {{ edge::{run}(async |edge| {{ {calls} Ok(handler::One {{}}) }}) }}"
        );
        let fields: String = fields.iter().map(|of| format!("f: {of},")).collect();
        let (main, handler) = (
            source("main.rs", main),
            source("handler.rs", format!("struct One {{ {fields} }}")),
        );
        let function = Function::parse("one-more", &main, &handler, (&store, &settings), &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        (function.expect("it has a trigger"), store)
    }

    #[test]
    fn fields_are_rights() {
        let fields = [
            "Table<User, BatchGet>",
            "Table<Token, BatchGet>",
            "Table<User, Update>",
            "Keys<OtpCodes>",
        ];
        let (one, _) = function("GET /one", "run", &[], &fields);
        let on = |tables: &[&str]| tables.iter().map(|table| (*table).to_owned()).collect::<BTreeSet<_>>();
        let expected = [
            ("dynamodb:BatchGetItem", on(&["TOKENS_TABLE", "USERS_TABLE"])),
            ("dynamodb:UpdateItem", on(&["USERS_TABLE"])),
        ];
        assert_eq!(one.tables, BTreeMap::from(expected));
        assert_eq!(one.secrets, on(&["OTP_KEYS_SECRET"]));
        assert_eq!(one.variables, on(&["OTP_KEYS_SECRET", "TOKENS_TABLE", "USERS_TABLE"]));
    }

    #[test]
    fn a_type_that_is_not_known_is_a_problem() {
        let (mut one, store) = function("GET /one", "run", &[], &[]);
        for unknown in [
            "Unheard",
            "Table<Unheard, Get>",
            "Table<User, Unheard>",
            "Keys<Unheard>",
            "Option<Unheard>",
        ] {
            let ty = syn::parse_str(unknown).expect("a type");
            let told = one.field(&ty, &store).expect_err(unknown);
            assert!(told.contains("Unheard") || told.contains("Option"), "{told}");
        }
    }

    #[test]
    fn environments_hold_what_is_read() {
        let (one, _) = function("GET /one", "run_recorded", &["support_pin_policy", "login_url"], &[]);
        let variables: Vec<_> = one.variables.iter().map(String::as_str).collect();
        assert_eq!(
            variables,
            [
                "AUDIT_RETENTION_DAYS",
                "AUDIT_TABLE",
                "LOGIN_URL",
                "SUPPORT_PIN_LIFETIME"
            ]
        );
        assert_eq!(one.tables.len(), 1, "it writes audit events");
    }

    #[test]
    fn routes_that_send_or_compare_are_throttled_more() {
        for (field, sensitive) in [
            ("Table<Spent, Update>", true),
            ("Mailer", true),
            ("Texter", true),
            ("Cost", true),
            ("Creations", false),
            ("Table<Spent, BatchGet>", false),
            ("Table<Passcode, Update>", false),
            ("Budget", false),
        ] {
            let (one, _) = function("POST /one", "run", &[], &[field]);
            assert_eq!(one.is_sensitive(), sensitive, "{field}");
        }
    }

    #[test]
    fn head_is_routed_to_what_reads() {
        let both = vec![("GET", "/one"), ("HEAD", "/one")];
        for (trigger, run, field, routes) in [
            ("GET /one", "run_recorded", "Table<SupportPin, Get>", both.clone()),
            ("GET /one", "run", "bool", both),
            ("GET /one", "run", "Table<Passcode, Put>", vec![("GET", "/one")]),
            ("GET /one", "run", "Table<User, Update>", vec![("GET", "/one")]),
            ("POST /one", "run", "Table<SupportPin, Get>", vec![("POST", "/one")]),
            ("Invoked by hand, with IAM: no route.", "run", "bool", vec![]),
        ] {
            let (one, _) = function(trigger, run, &[], &[field]);
            assert_eq!(one.routes(), routes, "{trigger} {field}");
        }
    }

    #[test]
    fn the_first_line_says_what_invokes_a_function() {
        for words in ["", "One more.", "GET one", "get /one", "FETCH /one", "/one"] {
            assert!(Trigger::parse(words).is_none(), "{words}");
        }
    }
}
