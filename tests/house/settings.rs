//! Numbers that stand twice, in the settings and in template.yaml, are equal.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use syn::visit::{self, Visit};

use super::{
    source::{Source, below, read, text_of, verdict},
    template::{Template, entries, list},
};

/// What the settings and the edge read.
#[derive(Default)]
struct Settings {
    /// The variables and the other methods that each method of `Edge` reads and calls.
    methods: BTreeMap<String, Method>,
    /// The numbers, by variable.
    numbers: Vec<Number>,
    /// The texts with a default, by variable.
    texts: Vec<(String, String)>,
}

#[derive(Default)]
struct Method {
    variables: Vec<String>,
    calls: Vec<String>,
}

struct Number {
    variable: String,
    default: Option<i64>,
    least: Option<i64>,
    most: Option<i64>,
}

impl Settings {
    fn read() -> Self {
        let files = ["shared/src/edge.rs", "shared/src/settings.rs"].map(read);
        let more = below("shared/src/settings", &[".rs"]);
        files.iter().chain(&more).fold(Self::default(), Self::with)
    }

    fn with(self, source: &Source) -> Self {
        let file = source.production();
        // Constants may stand below their use.
        let mut constants = Constants::default();
        constants.visit_file(&file);
        let mut reader = Reader {
            constants: constants.0,
            current: String::new(),
            settings: self,
        };
        reader.visit_file(&file);
        reader.settings
    }
}

/// The variables that these methods of `Edge` read, and the methods that they call. Lambda's own are nobody's to give.
pub fn read_by(methods: &[String]) -> BTreeSet<String> {
    let settings = Settings::read();
    let (mut waiting, mut seen, mut found) = (methods.to_vec(), BTreeSet::new(), BTreeSet::new());
    while let Some(name) = waiting.pop() {
        if let Some(method) = settings.methods.get(&name)
            && seen.insert(name)
        {
            found.extend(method.variables.iter().cloned());
            waiting.extend(method.calls.iter().cloned());
        }
    }
    found.retain(|variable| !variable.starts_with("AWS_"));
    found
}

#[derive(Default)]
struct Constants<'a>(BTreeMap<String, &'a syn::Expr>);

impl<'a> Visit<'a> for Constants<'a> {
    fn visit_item_const(&mut self, item: &'a syn::ItemConst) {
        self.0.insert(item.ident.to_string(), &item.expr);
    }
}

struct Reader<'a> {
    constants: BTreeMap<String, &'a syn::Expr>,
    current: String,
    settings: Settings,
}

impl Reader<'_> {
    fn resolve<'e>(&'e self, expression: &'e syn::Expr) -> &'e syn::Expr {
        match expression {
            syn::Expr::Path(path) => path
                .path
                .get_ident()
                .and_then(|name| self.constants.get(&name.to_string()).copied())
                .unwrap_or(expression),
            _ => expression,
        }
    }

    fn text(&self, expression: &syn::Expr) -> Option<String> {
        text_of(self.resolve(expression))
    }

    fn number(&self, expression: &syn::Expr) -> Option<i64> {
        match self.resolve(expression) {
            syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Int(number),
                ..
            }) => number.base10_parse().ok(),
            syn::Expr::Binary(syn::ExprBinary {
                left,
                op: syn::BinOp::Mul(_),
                right,
                ..
            }) => Some(self.number(left)? * self.number(right)?),
            _ => None,
        }
    }
}

impl<'a> Visit<'a> for Reader<'_> {
    // What is free, such as `start`, reads and calls like a method.
    fn visit_item_fn(&mut self, function: &'a syn::ItemFn) {
        self.current = function.sig.ident.to_string();
        self.settings.methods.insert(self.current.clone(), Method::default());
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        self.current = function.sig.ident.to_string();
        self.settings.methods.insert(self.current.clone(), Method::default());
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        let name = call.method.to_string();
        let arguments: Vec<_> = call.args.iter().collect();
        let variable = match (name.as_str(), arguments.as_slice()) {
            ("setting", [variable, default, syn::Expr::Range(range)]) => {
                let variable = self.text(variable);
                self.settings.numbers.extend(variable.clone().map(|variable| Number {
                    variable,
                    default: self.number(default),
                    least: range.start.as_deref().and_then(|start| self.number(start)),
                    most: range.end.as_deref().and_then(|end| self.number(end)),
                }));
                variable
            }
            ("text" | "required", [variable]) => self.text(variable),
            ("unwrap_or", [default]) => {
                if let syn::Expr::MethodCall(inner) = &*call.receiver
                    && inner.method == "text"
                    && let (Some(variable), Some(default)) =
                        (inner.args.first().and_then(|x| self.text(x)), self.text(default))
                {
                    self.settings.texts.push((variable, default));
                }
                None
            }
            _ => None,
        };
        if let Some(method) = self.settings.methods.get_mut(&self.current) {
            method.variables.extend(variable);
            method.calls.push(name);
        }
        visit::visit_expr_method_call(self, call);
    }
}

#[test]
fn parameters_have_the_settings_numbers() {
    let settings = Settings::read();
    let template = Template::read();
    let mut broken = Vec::new();
    assert!(
        !settings.numbers.is_empty() && !settings.texts.is_empty(),
        "nothing is read in the settings: teach tests/house/settings.rs how they read now"
    );
    for number in &settings.numbers {
        let variable = &number.variable;
        let Some((id, parameter)) = parameter(&template, variable, &mut broken) else {
            continue;
        };
        let (Some(default), Some(least), Some(most)) = (number.default, number.least, number.most) else {
            broken.push(format!(
                "the default or the range of {variable} in the settings is no product of numbers and constants: write it so"
            ));
            continue;
        };
        for (key, wanted) in [
            ("Type", json!("Number")),
            ("Default", json!(default)),
            ("MinValue", json!(least)),
            ("MaxValue", json!(most)),
        ] {
            if parameter[key] != wanted {
                broken.push(format!(
                    "{key} of the parameter {id} is {}, the settings have {wanted} for {variable}: make them equal",
                    parameter[key]
                ));
            }
        }
        let words = format!("({least} to {most}");
        if !parameter["Description"].as_str().unwrap_or_default().contains(&words) {
            broken.push(format!(
                "the Description of the parameter {id} does not say `{words}`: let it tell the range"
            ));
        }
    }
    for (variable, default) in &settings.texts {
        if let Some((id, parameter)) = parameter(&template, variable, &mut broken)
            && parameter["Default"] != json!(default)
        {
            broken.push(format!(
                "Default of the parameter {id} is {}, the settings have {default:?}: make them equal",
                parameter["Default"]
            ));
        }
    }
    verdict(broken);
}

/// The parameter behind a variable.
fn parameter<'a>(template: &'a Template, variable: &str, broken: &mut Vec<String>) -> Option<(String, &'a Value)> {
    let id = template.variable(variable);
    let found = id.and_then(|id| template.0["Parameters"].get(&id).map(|parameter| (id, parameter)));
    if found.is_none() {
        broken.push(format!(
            "the settings read {variable}, and an operator cannot set it: add a parameter to template.yaml, and \
             {variable}: !Ref … to the functions that read it"
        ));
    }
    found
}

#[test]
fn every_parameter_is_used() {
    let template = Template::read();
    let text = read("template.yaml").text;
    verdict(
        entries(&template.0["Parameters"])
            .into_iter()
            .filter(|(id, _)| !text.contains(&format!("!Ref {id}")) && !text.contains(&format!("${{{id}}}")))
            .map(|(id, _)| format!("nothing uses the parameter {id}: remove it from template.yaml"))
            .collect(),
    );
}

/// Where an operator reads what can be set.
const SETTINGS: &str = "docs/settings.md";

#[test]
fn every_parameter_is_told_of() {
    let template = Template::read();
    let mut table = "| Parameter | Default | Range | What it is |\n|---|---|---|---|\n".to_owned();
    for (id, parameter) in entries(&template.0["Parameters"]) {
        let description = parameter["Description"].as_str().unwrap_or_default();
        let what = description.replace('|', "\\|").replace('<', "\\<");
        table.push_str(&format!(
            "| `{id}` | {} | {} | {what} |\n",
            default(parameter),
            range(parameter)
        ));
    }
    assert!(
        read(SETTINGS).text.contains(&table),
        "\n\n{SETTINGS} has another table than template.yaml has parameters: write\n\n{table}"
    );
}

fn default(parameter: &Value) -> String {
    match &parameter["Default"] {
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

fn range(parameter: &Value) -> String {
    let words = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let allowed: Vec<_> = list(&parameter["AllowedValues"]).into_iter().map(words).collect();
    match (&parameter["MinValue"], &parameter["MaxValue"]) {
        (Value::Number(least), Value::Number(most)) => format!("{least} to {most}"),
        (Value::Number(least), _) => format!("from {least}"),
        _ if allowed.is_empty() => "–".to_owned(),
        _ => allowed.join(", "),
    }
}

/// The environments that an operator can deploy by their names.
const ENVIRONMENTS: &[&str] = &["dev", "staging", "prod"];

#[test]
fn environments_set_what_there_is() {
    const PATH: &str = "samconfig.toml";
    let template = Template::read();
    let text = read(PATH).text;
    let mut broken = Vec::new();
    for environment in ENVIRONMENTS {
        let heading = format!("[{environment}.deploy.parameters]\n");
        let own = text.split(&heading).nth(1).unwrap_or_default();
        let own = own.split("\n[").next().unwrap_or_default();
        for wanted in [
            format!("stack_name = \"countersign-{environment}\""),
            "resolve_s3 = true".to_owned(),
            "capabilities = \"CAPABILITY_IAM\"".to_owned(),
            format!("tags = \"application=countersign environment={environment}\""),
        ] {
            if !own.lines().any(|line| line == wanted) {
                broken.push(format!(
                    "{PATH} cannot deploy {environment} without questions: write {wanted} under {heading}"
                ));
            }
        }
        // What is commented out is there to be filled in, so it is looked at, too.
        let lines = own.lines().map(|line| line.trim().trim_start_matches("# "));
        for given in lines.filter_map(|line| line.strip_prefix('"')?.strip_suffix("\",")) {
            let (name, value) = given.split_once('=').unwrap_or((given, ""));
            let parameter = &template.0["Parameters"][name];
            let allowed = list(&parameter["AllowedValues"]);
            let number = |key: &str| parameter[key].as_i64();
            let fits = match (number("MinValue"), value.parse::<i64>()) {
                (Some(least), Ok(value)) => (least..=number("MaxValue").unwrap_or(i64::MAX)).contains(&value),
                (Some(_), Err(_)) => false,
                (None, number) => {
                    let is = |one: &Value| one == value || number.as_ref().is_ok_and(|number| *one == json!(number));
                    allowed.is_empty() || allowed.into_iter().any(is)
                }
            };
            if parameter.is_null() || !fits {
                broken.push(format!(
                    "{PATH} gives {environment} {given:?}, which template.yaml does not take: give a parameter of it a \
                     value that it allows"
                ));
            }
        }
    }
    verdict(broken);
}
