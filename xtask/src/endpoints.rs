//! Functions, as their sources declare them: what invokes each, its permissions, its settings.

use std::collections::{BTreeMap, BTreeSet};

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
    /// The variables of the key secrets that it reads, and whether it also writes them.
    pub secrets: BTreeSet<String>,
    pub writes_secrets: bool,
    pub sends_mail: bool,
    pub sends_text_messages: bool,
    /// Whether it publishes on the event bus, if there is one.
    pub publishes: bool,
    /// Whether it hashes passwords.
    pub hashes: bool,
    /// Whether it counts attempts that a rate limit bounds.
    pub counts_attempts: bool,
    /// Whether it accepts tokens of an identity provider.
    pub reads_claims: bool,
    /// The environment variables that it reads, without those that all functions read.
    pub variables: BTreeSet<String>,
}

/// What invokes a function, as declared in the first lines of its main.rs.
#[derive(PartialEq)]
pub enum Trigger {
    /// `GET /path`: a route; each further one has a line of its own.
    Routes(Vec<Route>),
    /// `$default`: requests that match no route.
    Default,
    /// The streams of the tables whose rows expire.
    Streams,
    /// The stream of the audit log.
    AuditStream,
    /// The delivery events that SES publishes about mail.
    MailEvents,
    /// An operator, authorized by IAM.
    Operator,
}

/// A method and a path with parameters in braces.
#[derive(PartialEq)]
pub struct Route {
    pub method: String,
    pub path: String,
}

/// The IAM action of each right of a table.
pub const RIGHTS: &[(&str, &str)] = &[
    ("BatchGet", "dynamodb:BatchGetItem"),
    ("Check", "dynamodb:ConditionCheckItem"),
    ("Delete", "dynamodb:DeleteItem"),
    ("Get", "dynamodb:GetItem"),
    ("Put", "dynamodb:PutItem"),
    ("Query", "dynamodb:Query"),
    ("Scan", "dynamodb:Scan"),
    ("Update", "dynamodb:UpdateItem"),
];

/// The variable of the table of audit events.
const AUDIT: &str = "AUDIT_TABLE";

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
        let said: Vec<_> = main.text.lines().map_while(|line| line.strip_prefix("//! ")).collect();
        let trigger = Trigger::parse(&said);
        if trigger.is_none() {
            problems.push(format!(
                "{path} begins with {:?}: let each of its first lines be `//! METHOD /path`, or the first one of `//! $default`, \
                 `//! Invoked by the streams …`, `//! Invoked by the stream of the audit log.`, `//! Invoked by SNS …`, `//! Invoked by hand …`",
                said.first().unwrap_or(&"")
            ));
        }
        let Some(endpoint) = entry(&main.production()) else {
            problems.push(format!("{path} has no `countersign_shared::main!(…)` with the struct of its handler"));
            return None;
        };
        let mut function = Self {
            name: name.to_owned(),
            trigger: trigger?,
            tables: BTreeMap::new(),
            secrets: BTreeSet::new(),
            writes_secrets: false,
            sends_mail: false,
            sends_text_messages: false,
            publishes: false,
            hashes: false,
            counts_attempts: false,
            reads_claims: false,
            variables: BTreeSet::new(),
        };
        let path = &handler.path;
        let handler = handler.production();
        let found = handler.items.iter().find_map(|item| match item {
            syn::Item::Struct(item) if item.ident == endpoint => Some(item),
            _ => None,
        });
        match found {
            Some(found) => {
                for field in &found.fields {
                    if let Err(problem) = function.field(field, (store, settings)) {
                        problems.push(format!("{path}: {problem}"));
                    }
                }
            }
            None => problems.push(format!("{} names {endpoint}, which is no struct of {path}", main.path)),
        }
        let everywhere = settings.read_by(&["start".to_owned()]);
        function.variables.retain(|variable| !everywhere.contains(variable));
        Some(function)
    }

    /// Adds what this method of `Edge` reads.
    fn reads(&mut self, method: &str, settings: &Settings) {
        self.variables.extend(settings.read_by(&[method.to_owned()]));
    }

    fn may(&mut self, action: &'static str, table: &str) {
        self.tables.entry(action).or_default().insert(table.to_owned());
        self.variables.insert(table.to_owned());
    }

    /// Adds the permissions of a field, from its type, and the variables that `#[wire(method)]` reads.
    fn field(&mut self, field: &syn::Field, (store, settings): (&Store, &Settings)) -> Result<(), String> {
        let (of, arguments) = named(&field.ty).unwrap_or_default();
        let arguments: Vec<_> = arguments.into_iter().filter_map(named).map(|(name, _)| name).collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        if let Some(method) = wired(field) {
            self.reads(&method, settings);
            self.hashes |= of == "Cost";
            self.reads_claims |= (of.as_str(), arguments.as_slice()) == ("Option", &["Provider"]);
            return Ok(());
        }
        // Codes that are guessed are counted in their own rows.
        self.counts_attempts |= matches!(of.as_str(), "Verifier" | "VerificationChecker");
        match (of.as_str(), arguments.as_slice()) {
            ("Table", [row, right]) => {
                let action = RIGHTS.iter().find(|(name, _)| name == right);
                let (_, action) = action.ok_or(format!("{right} is no right that xtask/src/endpoints.rs knows"))?;
                let variable = store.rows.get(*row);
                self.may(action, variable.ok_or(format!("{row} has no VARIABLE: implement Row for it"))?);
                self.counts_attempts |= matches!((*row, *right), ("Usage", "Update"));
            }
            ("Keys" | "KeyShelf", [purpose]) => {
                let keys = store.keys.get(*purpose);
                let keys = keys.ok_or(format!("{purpose} has no VARIABLE: implement Kept for it"))?;
                self.secrets.insert(keys.variable.clone());
                self.variables.insert(keys.variable.clone());
                self.writes_secrets |= of == "KeyShelf";
            }
            // Counts creations, which no limit of attempts covers.
            ("Creations", _) => self.may("dynamodb:UpdateItem", "BUDGETS_TABLE"),
            ("Mailer", _) | ("Option", ["Mailer"]) => {
                self.sends_mail = true;
                self.reads("mailer", settings);
            }
            ("Option", ["EventBus"]) => {
                self.publishes = true;
                self.reads("event_bus", settings);
            }
            ("Texter", _) => {
                self.sends_text_messages = true;
                self.reads("texter", settings);
            }
            (of, _) => match (settings.wired.get(of), settings.capabilities.get(of)) {
                (Some(methods), _) => self.variables.extend(settings.read_by(methods)),
                (None, Some(fields)) => {
                    for field in fields {
                        self.field(field, (store, settings))?;
                    }
                }
                (None, None) => {
                    return Err(format!(
                        "what does {of} touch? Give the field #[wire(method)] if it is read of the environment, derive Wire \
                         for {of}, or tell xtask/src/endpoints.rs its IAM actions"
                    ));
                }
            },
        }
        Ok(())
    }

    /// Whether each call of its route costs money, or is a guess: such a route has the strict rate limit.
    pub fn is_sensitive(&self) -> bool {
        self.sends_mail || self.sends_text_messages || self.hashes || self.counts_attempts
    }

    /// Whether it changes nothing but the audit log.
    pub fn is_safe(&self) -> bool {
        const WRITES: &[&str] = &["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"];
        WRITES
            .iter()
            .flat_map(|action| self.tables.get(action))
            .all(|tables| tables.iter().all(|table| table == AUDIT))
    }

    /// Its routes, as method and path: a safe `GET` also has `HEAD`. Of a function with several routes, those of other
    /// methods make the changes.
    pub fn routes(&self) -> Vec<(&str, &str)> {
        match &self.trigger {
            Trigger::Routes(routes) => {
                let has_head = self.is_safe() || routes.iter().any(|route| route.method != "GET");
                let mut all = Vec::new();
                for Route { method, path } in routes {
                    all.push((method.as_str(), path.as_str()));
                    if method == "GET" && has_head {
                        all.push(("HEAD", path));
                    }
                }
                all
            }
            Trigger::Default | Trigger::Streams | Trigger::AuditStream | Trigger::MailEvents | Trigger::Operator => {
                Vec::new()
            }
        }
    }

    /// Whether a caller waits for its response.
    pub fn has_route(&self) -> bool {
        matches!(self.trigger, Trigger::Routes(_) | Trigger::Default)
    }
}

impl Trigger {
    fn parse(lines: &[&str]) -> Option<Self> {
        let said = *lines.first()?;
        if said == "$default" {
            return Some(Self::Default);
        }
        for (start, trigger) in [
            ("Invoked by the streams ", Self::Streams),
            ("Invoked by the stream of the audit log.", Self::AuditStream),
            ("Invoked by SNS ", Self::MailEvents),
            ("Invoked by hand", Self::Operator),
        ] {
            if said.starts_with(start) {
                return Some(trigger);
            }
        }
        lines.iter().map(|line| Route::parse(line)).collect::<Option<_>>().map(Self::Routes)
    }
}

impl Route {
    fn parse(said: &str) -> Option<Self> {
        let (method, path) = said.split_once(' ')?;
        let is_route = ["DELETE", "GET", "PATCH", "POST", "PUT"].contains(&method) && path.starts_with('/');
        is_route.then(|| Self {
            method: method.to_owned(),
            path: path.to_owned(),
        })
    }
}

/// The method in `#[wire(method)]`.
fn wired(field: &syn::Field) -> Option<String> {
    let attribute = field.attrs.iter().find(|attribute| attribute.path().is_ident("wire"))?;
    attribute.parse_args::<syn::Ident>().ok().map(|method| method.to_string())
}

/// The name of the struct that `main!` starts.
fn entry(main: &syn::File) -> Option<String> {
    let call = main.items.iter().find_map(|item| match item {
        syn::Item::Macro(item) if item.mac.path.segments.last()?.ident == "main" => Some(&item.mac),
        _ => None,
    })?;
    call.tokens.to_string().split_whitespace().last().map(str::to_owned)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A function whose handler has fields of these types, each with the attribute before it.
    pub fn function(trigger: &str, kind: &str, fields: &[&str]) -> (Function, Store) {
        let mut problems = Vec::new();
        let (store, settings) = (Store::read(&mut problems), Settings::read(&mut problems));
        let source = |path: &str, text| Source {
            path: path.to_owned(),
            text,
        };
        let main = format!("//! {trigger}\nmod handler;\n\ncountersign_shared::main!({kind} handler::One);\n");
        let fields: String = fields
            .iter()
            .map(|field| match field.rsplit_once("] ") {
                Some((attribute, of)) => format!("{attribute}] f: {of},"),
                None => format!("f: {field},"),
            })
            .collect();
        let (main, handler) = (source("main.rs", main), source("handler.rs", format!("struct One {{ {fields} }}")));
        let function = Function::parse("one-more", &main, &handler, (&store, &settings), &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        (function.expect("it has a trigger"), store)
    }

    #[test]
    fn fields_determine_permissions() {
        let fields = [
            "Table<User, BatchGet>",
            "Table<Token, BatchGet>",
            "Table<User, Update>",
            "Keys<OtpCodes>",
        ];
        let (one, _) = function("GET /one", "", &fields);
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
    fn the_capabilities_of_services_determine_permissions() {
        let (one, _) = function("POST /one", "", &["AuditLog", "Option<Mailer>", "Option<EventBus>"]);
        assert!(one.sends_mail && one.publishes && !one.sends_text_messages);
        assert_eq!(one.tables, BTreeMap::from([("dynamodb:PutItem", BTreeSet::from([AUDIT.to_owned()]))]));
        for variable in [
            "AUDIT_RETENTION_DAYS",
            "AUDIT_TABLE",
            "EVENT_BUS",
            "MAIL_CONFIGURATION_SET",
            "MAIL_DOMAIN",
        ] {
            assert!(one.variables.contains(variable), "{variable}: {:?}", one.variables);
        }
        for (capability, table) in [("Lockouts", "USERS_TABLE"), ("IdempotentWrites", "REPETITIONS_TABLE")] {
            let (one, _) = function("POST /one", "", &[capability]);
            let tables: BTreeSet<_> = one.tables.values().flatten().map(String::as_str).collect();
            assert!(tables.contains(table), "{capability}: {tables:?}");
        }
    }

    #[test]
    fn an_unknown_type_is_a_problem() {
        let (mut one, store) = function("GET /one", "", &[]);
        let settings = Settings::read(&mut Vec::new());
        for unknown in [
            "Unheard",
            "Table<Unheard, Get>",
            "Table<User, Unheard>",
            "Keys<Unheard>",
            "Option<Unheard>",
        ] {
            let text = format!("struct One {{ f: {unknown} }}");
            let parsed: syn::ItemStruct = syn::parse_str(&text).expect("a struct");
            let field = parsed.fields.iter().next().expect("it has one");
            let problem = one.field(field, (&store, &settings)).expect_err(unknown);
            assert!(problem.contains("Unheard") || problem.contains("Option"), "{problem}");
        }
    }

    #[test]
    fn environments_have_the_variables_that_are_read() {
        let (one, _) = function(
            "GET /one",
            "",
            &[
                "AuditLog",
                "#[wire(support_pin_policy)] Policy",
                "#[wire(login_url)] String",
            ],
        );
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
    fn routes_that_send_or_compare_have_a_lower_rate_limit() {
        for (field, sensitive) in [
            ("Table<Usage, Update>", true),
            ("Verifier", true),
            ("VerificationChecker", true),
            ("Mailer", true),
            ("Texter", true),
            ("#[wire(password_cost)] Cost", true),
            ("Creations", false),
            ("Table<Usage, BatchGet>", false),
            ("Table<Passcode, Update>", false),
            ("#[wire(failed_logins)] Budget", false),
        ] {
            let (one, _) = function("POST /one", "", &[field]);
            assert_eq!(one.is_sensitive(), sensitive, "{field}");
        }
    }

    #[test]
    fn head_is_routed_to_functions_that_only_read() {
        let both = vec![("GET", "/one"), ("HEAD", "/one")];
        for (trigger, kind, field, routes) in [
            ("GET /one", "", "Table<SupportPin, Get>", both.clone()),
            ("GET /one", "", "AuditLog", both.clone()),
            ("GET /one", "", "#[wire(has_cors)] bool", both),
            ("GET /one", "", "Table<Passcode, Put>", vec![("GET", "/one")]),
            ("GET /one", "", "Table<User, Update>", vec![("GET", "/one")]),
            ("POST /one", "", "Table<SupportPin, Get>", vec![("POST", "/one")]),
            (
                "GET /one\n//! POST /one\n//! GET /one/{id}",
                "",
                "Table<User, Update>",
                vec![
                    ("GET", "/one"),
                    ("HEAD", "/one"),
                    ("POST", "/one"),
                    ("GET", "/one/{id}"),
                    ("HEAD", "/one/{id}"),
                ],
            ),
            ("Invoked by hand, with IAM: no route.", "", "#[wire(has_cors)] bool", vec![]),
        ] {
            let (one, _) = function(trigger, kind, &[field]);
            assert_eq!(one.routes(), routes, "{trigger} {field}");
        }
    }

    #[test]
    fn an_invalid_trigger_line_is_refused() {
        assert!(Trigger::parse(&[]).is_none());
        for words in ["", "One more.", "GET one", "get /one", "FETCH /one", "/one"] {
            assert!(Trigger::parse(&[words]).is_none(), "{words}");
            assert!(Trigger::parse(&["GET /one", words]).is_none(), "{words}");
        }
    }
}
