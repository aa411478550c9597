//! Tables and keys, as the code writes and reads them.

use std::collections::BTreeMap;

use syn::visit::{self, Visit};

use crate::source::{Source, below, constants, documentation, named, read};

/// A table, by its first `Row`: several kinds of rows may share one.
pub struct Table {
    /// The environment variable that names it.
    pub variable: String,
    /// Its hash key, and its range key if there is one.
    pub keys: Vec<Attribute>,
    /// Whether rows expire, by the attribute `ttl` (TTL).
    pub expires: bool,
    /// Whether the audit log records that expired rows were deleted.
    pub is_reported: bool,
    /// Whether rows are append-only: a history. It survives the stack although its rows expire, and its stream carries each
    /// new row; no stream reports their removal.
    pub is_history: bool,
    /// Whether rows last unless they say when they expire.
    pub lasts: bool,
}

/// A key attribute.
pub struct Attribute {
    pub name: String,
    /// `S` or `B`, as DynamoDB names types.
    pub kind: &'static str,
}

impl Table {
    /// Whether a stream reports expired rows.
    pub fn reports(&self) -> bool {
        self.expires && self.is_reported && !self.is_history
    }
}

/// All tables and keys.
pub struct Store {
    /// By variable.
    pub tables: BTreeMap<String, Table>,
    /// The variable of each kind of row.
    pub rows: BTreeMap<String, String>,
    /// The keys of each purpose.
    pub keys: BTreeMap<String, Keys>,
}

/// The keys of one purpose.
pub struct Keys {
    /// The environment variable that names their secret.
    pub variable: String,
    /// Their purpose, in a sentence.
    pub words: String,
}

impl Store {
    pub fn read(problems: &mut Vec<String>) -> Self {
        let mut store = Self {
            tables: BTreeMap::new(),
            rows: BTreeMap::new(),
            keys: BTreeMap::new(),
        };
        for source in below("shared/src/store/rows", &[".rs"]) {
            store.add(&source, problems);
        }
        let words = purposes();
        for (purpose, variable) in constants(&read("shared/src/runtime/edge.rs").production(), "Kept", "VARIABLE") {
            let Some(words) = words.get(&purpose).filter(|words| !words.is_empty()) else {
                problems.push(format!(
                    "{purpose} in shared/src/domain/crypto/key.rs has no doc comment: say what its keys are for"
                ));
                continue;
            };
            let words = words.clone();
            store.keys.insert(purpose, Keys { variable, words });
        }
        store
    }

    fn add(&mut self, source: &Source, problems: &mut Vec<String>) {
        let file = source.production();
        let of_row = |row: &str, constant| {
            let found = constants(&file, "Row", constant).into_iter();
            found.filter(|(of, _)| of == row).map(|(_, text)| text).next()
        };
        for (row, variable) in constants(&file, "Row", "VARIABLE") {
            let mut kinds = Kinds::default();
            kinds.visit_file(&file);
            let (Some(key), Some(kind)) = (of_row(&row, "KEY"), kinds.key) else {
                problems.push(format!(
                    "{}: the key of {row} is no constant KEY, or `key` makes neither text(…) nor bytes(…)",
                    source.path
                ));
                continue;
            };
            let mut keys = vec![Attribute { name: key, kind }];
            if let Some(name) = of_row(&row, "SORT") {
                match kinds.sort {
                    Some(kind) => keys.push(Attribute { name, kind }),
                    None => problems.push(format!(
                        "{}: {row} has a SORT that `to_item` does not write with text(…) or bytes(…)",
                        source.path
                    )),
                }
            }
            let expires = [".with(\"ttl\"", ".with_some(\"ttl\""].iter().any(|write| source.text.contains(write));
            let lasts = source.text.contains("const LASTS: bool = true");
            let is_history = source.text.contains("const IS_PUBLISHED: bool = true");
            let is_reported = !source.text.contains("const IS_REPORTED: bool = false");
            let table = self.tables.entry(variable.clone()).or_insert(Table {
                variable: variable.clone(),
                keys: Vec::new(),
                expires,
                is_reported,
                is_history,
                lasts,
            });
            let names =
                |keys: &[Attribute]| -> Vec<_> { keys.iter().map(|key| (key.name.clone(), key.kind)).collect() };
            if !table.keys.is_empty() && (names(&table.keys) != names(&keys) || table.expires != expires) {
                problems.push(format!(
                    "{}: {row} has another key than the other rows of {variable}, or expires where they do not",
                    source.path
                ));
            }
            table.keys = keys;
            self.rows.insert(row, variable);
        }
    }
}

/// The types of the key attributes, by how the row's code constructs them.
#[derive(Default)]
struct Kinds {
    key: Option<&'static str>,
    sort: Option<&'static str>,
}

fn kind(expression: &syn::Expr) -> Option<&'static str> {
    let syn::Expr::Call(call) = expression else { return None };
    let syn::Expr::Path(path) = &*call.func else {
        return None;
    };
    match path.path.get_ident()?.to_string().as_str() {
        "bytes" => Some("B"),
        "text" => Some("S"),
        _ => None,
    }
}

impl<'a> Visit<'a> for Kinds {
    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        if function.sig.ident == "key"
            && let [syn::Stmt::Expr(made, None)] = function.block.stmts.as_slice()
        {
            self.key = self.key.or(kind(made));
        }
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        let arguments: Vec<_> = call.args.iter().collect();
        if let (true, [syn::Expr::Path(name), made]) = (call.method == "with", arguments.as_slice())
            && name.path.segments.last().is_some_and(|name| name.ident == "SORT")
        {
            self.sort = self.sort.or(kind(made));
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// The purpose of each kind of keys: the doc comment of the type.
fn purposes() -> BTreeMap<String, String> {
    let file = read("shared/src/domain/crypto/key.rs").production();
    let purposes: Vec<_> = file
        .items
        .iter()
        .filter_map(|item| match item {
            syn::Item::Impl(item) => {
                let of = item.trait_.as_ref()?.0.segments.last()?;
                (of.ident == "Purpose").then(|| named(&item.self_ty))?
            }
            _ => None,
        })
        .map(|(name, _)| name)
        .collect();
    file.items
        .iter()
        .filter_map(|item| match item {
            syn::Item::Enum(item) => Some((item.ident.to_string(), documentation(&item.attrs))),
            _ => None,
        })
        .filter(|(name, _)| purposes.contains(name))
        .collect()
}
