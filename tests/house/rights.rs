//! A function may do what its role says, and its role says what it does: the fields of its struct, both directions.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use syn::visit::{self, Visit};

use super::{
    settings,
    source::{below, compare, constants, named, read, verdict},
    template::{Function, Template, entries, list, texts},
};

/// What a right of a table is called in IAM.
const RIGHTS: &[(&str, &str)] = &[
    ("BatchGet", "dynamodb:BatchGetItem"),
    ("Check", "dynamodb:ConditionCheckItem"),
    ("Get", "dynamodb:GetItem"),
    ("Put", "dynamodb:PutItem"),
    ("Scan", "dynamodb:Scan"),
    ("Update", "dynamodb:UpdateItem"),
    ("Delete", "dynamodb:DeleteItem"),
];

/// What a `KeyShelf` does; `Keys` are only read.
const SHELF: &[&str] = &["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"];

/// What a `Mailer` sends from, and with.
const MAILER: &[&str] = &[
    "ses:SendEmail on identity/${MailDomain}",
    "ses:SendEmail on configuration-set/${MailConfiguration}",
];

/// The condition under which a `Mailer` sends: as the deployment's senders, and as nobody else at the domain.
fn senders() -> Value {
    let listed = json!({ "!Sub": "no-reply@${MailDomain},${MailSenders}" });
    let any = json!({ "!Sub": "*@${MailDomain},*@*.${MailDomain}" });
    let patterns = json!({ "!Split": [",", { "!If": ["ListsMailSenders", listed, any] }] });
    json!({ "StringLike": { "ses:FromAddress": patterns } })
}

/// All topics. A phone number is no resource that a statement could name: what may be published on is all but these.
const TOPICS: &str = "arn:${AWS::Partition}:sns:*:*:*";

/// What stands before the part of an SES resource that differs.
const SES: &str = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:";

/// Types of fields that touch nothing.
const HARMLESS: &[&str] = &[
    "Bucket",
    "Budget",
    "Cost",
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

/// What a function needs: the actions that its role allows, and the variables that its environment holds.
struct Needs {
    /// `dynamodb:GetItem on UsersTable`, and the field that needs it.
    actions: Vec<(String, String)>,
    variables: BTreeSet<String>,
}

/// The variable of each row type and each purpose of keys.
struct Variables {
    rows: Vec<(String, String)>,
    keys: Vec<(String, String)>,
}

impl Variables {
    fn read() -> Self {
        let rows = below("shared/src/store/rows", &[".rs"]);
        Self {
            rows: rows
                .iter()
                .flat_map(|source| constants(&source.production(), "Row", "VARIABLE"))
                .collect(),
            keys: constants(&read("shared/src/edge.rs").production(), "Kept", "VARIABLE"),
        }
    }
}

fn needs(function: &Function<'_>, template: &Template, known: &Variables, broken: &mut Vec<String>) -> Needs {
    let path = format!("functions/{}/handler.rs", function.name);
    let main = read(&format!("functions/{}/main.rs", function.name)).production();
    let mut wiring = Wiring::default();
    wiring.visit_file(&main);
    let mut needs = Needs {
        actions: Vec::new(),
        variables: settings::read_by(&wiring.methods),
    };
    let log = function.properties["LoggingConfig"]["LogGroup"]["!Ref"]
        .as_str()
        .unwrap_or("its own log group");
    for action in ["logs:CreateLogStream", "logs:PutLogEvents"] {
        needs.actions.push((format!("{action} on {log}"), "its log".to_owned()));
    }
    needs.actions.extend(invoked(function));
    if wiring.is_recorded {
        needs.actions.push((RECORDS.to_owned(), "run_recorded".to_owned()));
        needs.variables.insert("AUDIT_TABLE".to_owned());
        needs.variables.extend(settings::read_by(&["audit_policy".to_owned()]));
    }
    let handler = read(&path).production();
    let endpoint = handler.items.iter().find_map(|item| match item {
        syn::Item::Struct(item) if wiring.made.iter().any(|made| item.ident == made) => Some(item),
        _ => None,
    });
    let Some(endpoint) = endpoint else {
        broken.push(format!(
            "functions/{}/main.rs makes no struct of {path}: write handler::Name {{ … }}, with all that it touches",
            function.name
        ));
        return needs;
    };
    for field in &endpoint.fields {
        let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        let (of, arguments) = named(&field.ty).unwrap_or_default();
        let arguments: Vec<_> = arguments.into_iter().filter_map(named).map(|(name, _)| name).collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let (actions, variables, argument) = match (of.as_str(), arguments.as_slice()) {
            ("Table", [row, right]) => match RIGHTS.iter().find(|(name, _)| name == right) {
                Some((_, action)) => (std::slice::from_ref(action), &known.rows, *row),
                None => {
                    broken.push(format!(
                        "{path}: {name} has the right {right}: tell RIGHTS in tests/house/rights.rs"
                    ));
                    continue;
                }
            },
            ("Keys", [purpose]) => (&SHELF[..1], &known.keys, *purpose),
            ("KeyShelf", [purpose]) => (SHELF, &known.keys, *purpose),
            ("Mailer", _) => {
                let actions = MAILER.iter().map(|action| ((*action).to_owned(), format!("`{name}`")));
                needs.actions.extend(actions);
                continue;
            }
            ("Texter", _) => {
                let action = format!("sns:Publish on all but {TOPICS}");
                needs.actions.push((action, format!("`{name}`")));
                continue;
            }
            ("Trail", _) => continue,
            ("Option", [of]) if HARMLESS.contains(of) => continue,
            (of, _) if HARMLESS.contains(&of) => continue,
            (of, _) => {
                broken.push(format!(
                    "{path}: what does {name}, a {of}, touch? Tell tests/house/rights.rs: its IAM action, or HARMLESS"
                ));
                continue;
            }
        };
        let Some((_, variable)) = variables.iter().find(|(name, _)| name == argument) else {
            broken.push(format!(
                "{path}: {name} is of {argument}, which has no VARIABLE: implement Row or Kept for it"
            ));
            continue;
        };
        needs.variables.insert(variable.clone());
        match template.variable(variable) {
            Some(resource) => needs.actions.extend(
                actions
                    .iter()
                    .map(|action| (format!("{action} on {resource}"), format!("`{name}`"))),
            ),
            None => broken.push(format!(
                "{path}: {name} wants {variable}: add {variable}: !Ref … to the Environment of {} in template.yaml",
                function.logical_id
            )),
        }
    }
    needs
}

/// What writing a call down takes. A handler that does so before it shows something has a `Trail`, which is the same.
const RECORDS: &str = "dynamodb:PutItem on AuditTable";

/// What Lambda does in the function's name: it reads the streams that feed it, and puts aside what it cannot do.
fn invoked(function: &Function<'_>) -> Vec<(String, String)> {
    let mut actions = Vec::new();
    let mut targets = vec![&function.properties["EventInvokeConfig"]["DestinationConfig"]];
    for event in function.events() {
        let of = &event["Properties"];
        targets.push(&of["DestinationConfig"]);
        if let Some(stream) = of["Stream"]["!GetAtt"].as_str() {
            let table = stream.strip_suffix(".StreamArn").unwrap_or(stream);
            for action in ["DescribeStream", "GetRecords", "GetShardIterator"] {
                actions.push((format!("dynamodb:{action} on {stream}"), "a stream".to_owned()));
            }
            actions.push((
                format!("dynamodb:ListStreams on {}", streams(table)),
                "a stream".to_owned(),
            ));
        }
    }
    for target in targets {
        if let Some(queue) = target["OnFailure"]["Destination"]["!GetAtt"].as_str() {
            let queue = queue.strip_suffix(".Arn").unwrap_or(queue);
            let action = (format!("sqs:SendMessage on {queue}"), "a failure".to_owned());
            if !actions.contains(&action) {
                actions.push(action);
            }
        }
    }
    actions
}

/// All streams of a table: `ListStreams` is about no single one, so it is the one action whose resource has a star.
fn streams(table: &str) -> String {
    format!("${{{table}.Arn}}/stream/*")
}

/// What `main.rs` makes of its handler, and the methods that it calls.
#[derive(Default)]
struct Wiring {
    made: Vec<String>,
    methods: Vec<String>,
    /// Whether every call is written down.
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

#[test]
fn fields_are_rights() {
    let template = Template::read();
    let known = Variables::read();
    let mut broken = Vec::new();
    for function in template.functions() {
        let needs = needs(&function, &template, &known, &mut broken);
        let id = role_of(&function);
        let role = &template.0["Resources"][&id]["Properties"];
        let allowed = allowed(&id, role, &mut broken);
        let needed: Vec<_> = needs.actions.iter().map(|(action, _)| action.clone()).collect();
        let name = function.name;
        let field = |action: &str| {
            let found = needs.actions.iter().find(|(needed, _)| needed == action);
            found.map_or("", |(_, field)| field).to_owned()
        };
        compare(
            &mut broken,
            &needed,
            &allowed,
            |action| {
                let field = field(action);
                format!("{name} does {action} ({field}), and may not: allow it in {id} of template.yaml")
            },
            |action| {
                format!(
                    "{name} may do {action}, and no field does: remove it from {id} of template.yaml, or add the field"
                )
            },
        );
    }
    verdict(broken);
}

/// The logical id of a function's role.
fn role_of(function: &Function<'_>) -> String {
    let role = function.properties["Role"]["!GetAtt"].as_str().unwrap_or_default();
    role.strip_suffix(".Arn").unwrap_or_default().to_owned()
}

/// What a role allows, as `action on resource`.
fn allowed(id: &str, role: &Value, broken: &mut Vec<String>) -> Vec<String> {
    let mut allowed = Vec::new();
    for policy in list(&role["Policies"]) {
        for statement in list(&policy["PolicyDocument"]["Statement"]) {
            if statement["Effect"] != "Allow" {
                broken.push(format!("{id} has a statement that allows nothing: remove it"));
            }
            for (key, _) in entries(statement) {
                if !["Effect", "Action", "Resource", "NotResource", "Condition"].contains(&key) {
                    broken.push(format!(
                        "{id} has a statement with {key}, which nothing here reads: leave it out"
                    ));
                }
            }
            let sends = list(&statement["Action"]).contains(&&json!("ses:SendEmail"));
            match (sends, &statement["Condition"]) {
                (true, condition) if *condition != senders() => broken.push(format!(
                    "{id} may send as anybody at the domain: give its ses:SendEmail the Condition {}",
                    senders()
                )),
                (false, condition) if !condition.is_null() => {
                    broken.push(format!("{id} has a Condition, which nothing here reads: leave it out"))
                }
                (_, _) => {}
            }
            let named = list(&statement["Resource"]).into_iter().map(|resource| ("", resource));
            let others = list(&statement["NotResource"]).into_iter();
            let resources: Vec<_> = named.chain(others.map(|resource| ("all but ", resource))).collect();
            for action in list(&statement["Action"]) {
                for (but, resource) in &resources {
                    let resource = match (&resource["!GetAtt"], &resource["!Ref"], &resource["!Sub"]) {
                        (Value::String(text), _, _) => text.strip_suffix(".Arn").unwrap_or(text),
                        (_, Value::String(text), _) => text,
                        (_, _, Value::String(text)) => text.strip_prefix(SES).unwrap_or(text),
                        _ => "something that is no !GetAtt X.Arn, no !Ref X and no !Sub",
                    };
                    let action = action.as_str().unwrap_or_default();
                    let entry = format!("{action} on {but}{resource}");
                    if allowed.contains(&entry) {
                        broken.push(format!("{id} allows {entry} twice: once is enough"));
                    }
                    allowed.push(entry);
                }
            }
        }
    }
    allowed
}

#[test]
fn environments_hold_what_is_read() {
    let template = Template::read();
    let known = Variables::read();
    let mut broken = Vec::new();
    for function in template.functions() {
        let needs = needs(&function, &template, &known, &mut broken);
        let needed: Vec<_> = needs.variables.into_iter().collect();
        let given: Vec<_> = function
            .variables()
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let id = function.logical_id;
        compare(
            &mut broken,
            &needed,
            &given,
            |name| format!("{id} reads {name}, which its Environment in template.yaml does not hold: add it"),
            |name| format!("{id} does not read {name}: remove it from its Environment in template.yaml"),
        );
        for (name, value) in function.variables() {
            let given = value["!Ref"].as_str().or(value["!Sub"].as_str());
            if given.map(str::to_owned) != template.variable(name) {
                broken.push(format!(
                    "{name} of {id} is something else than elsewhere: give it the same !Ref everywhere"
                ));
            }
        }
    }
    verdict(broken);
}

#[test]
fn all_functions_are_given_what_all_read() {
    let template = Template::read();
    let mut broken = Vec::new();
    // Whatever a function is, `edge::start` starts it.
    let wanted: Vec<_> = settings::read_by(&["start".to_owned()]).into_iter().collect();
    let given: Vec<_> = entries(&template.0["Globals"]["Function"]["Environment"]["Variables"])
        .into_iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    compare(
        &mut broken,
        &wanted,
        &given,
        |name| format!("every function reads {name}: add it to Globals.Function.Environment in template.yaml"),
        |name| format!("not every function reads {name}: give it to those that do, and not in Globals"),
    );
    verdict(broken);
}

#[test]
fn nothing_is_allowed_by_a_star() {
    let template = Template::read();
    let mut broken = Vec::new();
    for (id, role) in template.resources("AWS::IAM::Role") {
        for text in texts(&without_phones_and_conditions(&role["Properties"])) {
            let table = text.strip_prefix("${").and_then(|text| text.split_once(".Arn}"));
            let lists = table.is_some_and(|(table, _)| text == streams(table));
            if text.contains('*') && !lists {
                broken.push(format!(
                    "{id} allows {text}: name the actions and the resources one by one"
                ));
            }
        }
        if role["Properties"].get("ManagedPolicyArns").is_some() {
            broken.push(format!(
                "{id} takes a managed policy, which allows more than is used: write the statements out"
            ));
        }
    }
    verdict(broken);
}

/// Whatever gives a right besides a role's own statements.
const POLICIES: &[&str] = &[
    "AWS::IAM::GroupPolicy",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::RolePolicy",
    "AWS::IAM::UserPolicy",
];

#[test]
fn nothing_but_tracing_is_allowed_outside_of_roles() {
    let template = Template::read();
    let roles = template.resources("AWS::IAM::Role").into_iter();
    let roles: Vec<_> = roles.map(|(id, _)| json!({ "!Ref": id })).collect();
    // X-Ray knows no resource, so this is the one star; it is there while functions are traced, and for all of them.
    let tracing = json!({
        "Type": "AWS::IAM::ManagedPolicy",
        "Condition": "Traced",
        "Properties": {
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
                    "Resource": "*",
                }],
            },
            "Roles": roles,
        },
    });
    let mut broken = Vec::new();
    for (id, policy) in POLICIES.iter().flat_map(|of_type| template.resources(of_type)) {
        if id != "TracingPolicy" {
            broken.push(format!(
                "{id} allows something outside of roles: write its statements in the roles of those who need them"
            ));
        } else if *policy != tracing {
            broken.push(format!("{id} is {policy}: write {tracing}"));
        }
    }
    let globals = &template.0["Globals"]["Function"];
    for (given, wanted) in [
        (
            &template.0["Conditions"]["Traced"],
            json!({ "!Equals": [{ "!Ref": "Tracing" }, "Active"] }),
        ),
        (&globals["Tracing"], json!({ "!Ref": "Tracing" })),
        (
            &globals["Tags"]["countersign:tracing"],
            json!({ "!If": ["Traced", { "!Ref": "TracingPolicy" }, "none"] }),
        ),
    ] {
        if *given != wanted {
            broken.push(format!(
                "functions are traced, or may be, by {given}: write {wanted}, so that the right is there while, and \
                 before, it is needed"
            ));
        }
    }
    verdict(broken);
}

/// A role's properties without its conditions, and without what lets it send to phones: the one statement that says what it does not allow.
fn without_phones_and_conditions(properties: &Value) -> Value {
    let mut properties = properties.clone();
    let phones = json!({ "Effect": "Allow", "Action": "sns:Publish", "NotResource": { "!Sub": TOPICS } });
    for policy in properties["Policies"].as_array_mut().into_iter().flatten() {
        if let Some(statements) = policy["PolicyDocument"]["Statement"].as_array_mut() {
            statements.retain(|statement| *statement != phones);
            for statement in statements {
                // A condition only takes away; `allowed` holds which one it is.
                statement.as_object_mut().map(|entries| entries.remove("Condition"));
            }
        }
    }
    properties
}

#[test]
fn each_function_has_its_own_role_and_log() {
    let template = Template::read();
    let mut broken = Vec::new();
    let mut seen = BTreeSet::new();
    for function in template.functions() {
        let id = function.logical_id;
        let stem = id.strip_suffix("Function").unwrap_or(id);
        for (what, found, wanted) in [
            (
                "role",
                &function.properties["Role"],
                json!({ "!GetAtt": format!("{stem}Role.Arn") }),
            ),
            (
                "log group",
                &function.properties["LoggingConfig"]["LogGroup"],
                json!({ "!Ref": format!("{stem}Log") }),
            ),
        ] {
            if *found != wanted {
                broken.push(format!("{id} has the {what} {found}: give it its own, {wanted}"));
            }
        }
        if function.properties.get("Policies").is_some() {
            broken.push(format!(
                "{id} has Policies, which SAM widens: write the statements in {stem}Role"
            ));
        }
        seen.extend([format!("{stem}Role"), format!("{stem}Log")]);
    }
    for (id, role) in template.resources("AWS::IAM::Role") {
        if !seen.contains(id) {
            broken.push(format!("no function has the role {id}: remove it"));
        }
        let trust = &role["Properties"]["AssumeRolePolicyDocument"]["Statement"];
        let lambda = json!([{
            "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole",
        }]);
        if *trust != lambda {
            broken.push(format!(
                "{id} can be assumed by others than Lambda: let its trust be as the other roles'"
            ));
        }
    }
    verdict(broken);
}
