//! Settings: the numbers that an operator can set, and the variables that each method of `Edge` reads.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use crate::source::{Source, below, documentation, named, read, text_of};

/// The settings, and the variables that the edge reads.
#[derive(Default)]
pub struct Settings {
    /// The variables and the other methods that each method of `Edge` reads and calls.
    methods: BTreeMap<String, Method>,
    /// The numbers, in the order of their declaration.
    pub numbers: Vec<Number>,
    /// The texts with a default, by variable.
    pub texts: Vec<(String, String)>,
    /// The fields of each struct of the shared crate that derives `Wire`.
    pub(crate) capabilities: BTreeMap<String, Vec<syn::Field>>,
    /// The methods of `Edge` that functions call to wire their own types, by type.
    pub(crate) wired: BTreeMap<String, Vec<String>>,
}

#[derive(Default)]
struct Method {
    variables: Vec<String>,
    calls: Vec<String>,
}

/// A constant of type `Setting`.
#[derive(Clone)]
pub struct Number {
    /// The environment variable.
    pub variable: String,
    /// The value if the operator sets none.
    pub default: i64,
    /// The least value.
    pub least: i64,
    /// The greatest value.
    pub most: i64,
    /// Its doc comment: its meaning and its unit.
    pub words: String,
}

impl Settings {
    /// Reads the sources; a declaration that cannot be parsed is a problem.
    pub fn read(problems: &mut Vec<String>) -> Self {
        let files = [
            "shared/src/runtime/edge.rs",
            "shared/src/start.rs",
            "shared/src/runtime/settings.rs",
        ]
        .map(read);
        let more = below("shared/src/runtime/settings", &[".rs"]);
        let mut settings = Self::default();
        settings.declared(&read("shared/src/runtime/settings/numbers.rs"), problems);
        for source in below("shared/src", &[".rs"]) {
            settings.add_capabilities(&source, problems);
        }
        for source in below("functions", &[".rs"]) {
            settings.add_wired(&source.production());
        }
        files.iter().chain(&more).fold(settings, Self::with)
    }

    fn declared(&mut self, source: &Source, problems: &mut Vec<String>) {
        let file = source.production();
        let mut constants = Constants::default();
        constants.visit_file(&file);
        for item in &file.items {
            let syn::Item::Const(item) = item else { continue };
            if !matches!(&named(&item.ty), Some((name, _)) if name == "Setting") {
                continue;
            }
            let words = documentation(&item.attrs);
            match constants.setting(&item.expr) {
                Some(number) if item.ident == number.variable && words.ends_with('.') => {
                    self.numbers.push(Number { words, ..number });
                }
                _ => problems.push(format!(
                    "{}: write the setting {name} as `const {name}: Setting<…> = setting(\"{name}\", default, least..=most)`, \
                     numbers being products of literals and constants of the file, with a doc comment that says what it is",
                    source.path,
                    name = item.ident,
                )),
            }
        }
    }

    fn add_capabilities(&mut self, source: &Source, problems: &mut Vec<String>) {
        if !source.text.contains("Wire)]") {
            return;
        }
        for item in source.production().items {
            let syn::Item::Struct(item) = item else { continue };
            let derives = item.attrs.iter().any(|attribute| match &attribute.meta {
                syn::Meta::List(list) => list.path.is_ident("derive") && list.tokens.to_string().contains("Wire"),
                syn::Meta::Path(_) | syn::Meta::NameValue(_) => false,
            });
            let name = item.ident.to_string();
            if derives && self.capabilities.insert(name.clone(), item.fields.into_iter().collect()).is_some() {
                problems.push(format!("{}: another struct {name} derives Wire, too: rename one", source.path));
            }
        }
    }

    fn add_wired(&mut self, file: &syn::File) {
        for item in &file.items {
            if let syn::Item::Impl(item) = item
                && let Some(of) = item.trait_.as_ref().and_then(|of| of.0.segments.last())
                && of.ident == "Wire"
                && let Some((name, _)) = named(&item.self_ty)
            {
                let mut calls = Calls::default();
                calls.visit_item_impl(item);
                self.wired.insert(name, calls.0);
            }
        }
    }

    fn with(self, source: &Source) -> Self {
        let file = source.production();
        // A constant may be declared below its use.
        let mut constants = Constants::default();
        constants.visit_file(&file);
        let mut reader = Reader {
            constants,
            current: String::new(),
            settings: self,
        };
        reader.visit_file(&file);
        reader.settings
    }

    /// The variables that these methods of `Edge` read, and the methods that they call; without those that Lambda sets.
    pub fn read_by(&self, methods: &[String]) -> BTreeSet<String> {
        let (mut waiting, mut seen, mut found) = (methods.to_vec(), BTreeSet::new(), BTreeSet::new());
        while let Some(name) = waiting.pop() {
            if let Some(method) = self.methods.get(&name)
                && seen.insert(name)
            {
                found.extend(method.variables.iter().cloned());
                waiting.extend(method.calls.iter().cloned());
            }
        }
        found.retain(|variable| !variable.starts_with("AWS_"));
        found
    }
}

#[derive(Default)]
struct Constants<'a>(BTreeMap<String, &'a syn::Expr>);

impl<'a> Visit<'a> for Constants<'a> {
    fn visit_item_const(&mut self, item: &'a syn::ItemConst) {
        self.0.insert(item.ident.to_string(), &item.expr);
    }
}

impl<'a> Constants<'a> {
    fn resolve<'e>(&self, expression: &'e syn::Expr) -> &'e syn::Expr
    where
        'a: 'e,
    {
        match expression {
            syn::Expr::Path(path) => {
                path.path.get_ident().and_then(|name| self.0.get(&name.to_string()).copied()).unwrap_or(expression)
            }
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

    /// `setting("NAME", default, least..=most)`.
    fn setting(&self, expression: &syn::Expr) -> Option<Number> {
        let syn::Expr::Call(call) = expression else { return None };
        let arguments: Vec<_> = call.args.iter().collect();
        let [variable, default, syn::Expr::Range(range)] = arguments.as_slice() else {
            return None;
        };
        Some(Number {
            variable: self.text(variable)?,
            default: self.number(default)?,
            least: self.number(range.start.as_deref()?)?,
            most: self.number(range.end.as_deref()?)?,
            words: String::new(),
        })
    }
}

/// The names of the methods that are called.
#[derive(Default)]
struct Calls(Vec<String>);

impl<'a> Visit<'a> for Calls {
    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        self.0.push(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }
}

struct Reader<'a> {
    constants: Constants<'a>,
    current: String,
    settings: Settings,
}

impl Reader<'_> {
    fn enter(&mut self, name: &syn::Ident) {
        self.current = name.to_string();
        self.settings.methods.insert(self.current.clone(), Method::default());
    }
}

impl<'a> Visit<'a> for Reader<'a> {
    // Free functions, such as `start`, read and call like methods.
    fn visit_item_fn(&mut self, function: &'a syn::ItemFn) {
        self.enter(&function.sig.ident);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        self.enter(&function.sig.ident);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        let name = call.method.to_string();
        let first = call.args.first();
        let variable = match name.as_str() {
            // The constant has the variable's name.
            "number" => first.and_then(|setting| match setting {
                syn::Expr::Reference(setting) => crate::source::last_name(&setting.expr),
                _ => None,
            }),
            "text" | "required" => first.and_then(|variable| self.constants.text(variable)),
            "unwrap_or" => {
                if let syn::Expr::MethodCall(inner) = &*call.receiver
                    && inner.method == "text"
                    && let (Some(variable), Some(default)) = (
                        inner.args.first().and_then(|name| self.constants.text(name)),
                        first.and_then(|default| self.constants.text(default)),
                    )
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
