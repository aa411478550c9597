//! Reading the repository's files.

use std::{fs, path::Path};

use syn::visit::{self, Visit};

/// A text file, by its path from the repository's root.
pub struct Source {
    /// Its path from the repository's root.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

impl Source {
    /// A Rust file without its tests.
    pub fn production(&self) -> syn::File {
        let mut file = self.whole();
        strip(&mut file.items);
        file
    }

    /// The whole Rust file.
    pub fn whole(&self) -> syn::File {
        syn::parse_file(&self.text).unwrap_or_else(|error| panic!("{} is not Rust: {error}", self.path))
    }
}

/// Removes test-only items.
fn strip(items: &mut Vec<syn::Item>) {
    items.retain(|item| !match item {
        syn::Item::Fn(item) => item.attrs.iter().any(is_for_tests),
        syn::Item::Impl(item) => item.attrs.iter().any(is_for_tests),
        syn::Item::Mod(item) => item.attrs.iter().any(is_for_tests),
        syn::Item::Use(item) => item.attrs.iter().any(is_for_tests),
        _ => false,
    });
    for item in items {
        if let syn::Item::Mod(syn::ItemMod {
            content: Some((_, items)),
            ..
        }) = item
        {
            strip(items);
        }
    }
}

fn is_for_tests(attribute: &syn::Attribute) -> bool {
    match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    }
}

/// A file that must exist.
pub fn read(path: &str) -> Source {
    let text = fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("{path} cannot be read ({error}): this repository must have it"));
    Source {
        path: path.to_owned(),
        text,
    }
}

/// Every file below a folder whose name ends in one of `endings`, in order; none if the folder does not exist.
pub fn below(folder: &str, endings: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root().join(folder), &mut paths);
    paths.sort();
    paths
        .iter()
        .filter(|path| endings.iter().any(|ending| path.ends_with(ending)))
        .map(|path| read(path))
        .collect()
}

fn collect(folder: &Path, paths: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("a folder can be listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !["target", "node_modules", "__pycache__"].contains(&name) {
                collect(&path, paths);
            }
        } else {
            let path = path.strip_prefix(root()).expect("it lies below the root");
            paths.push(path.to_str().expect("our names are ASCII").replace('\\', "/"));
        }
    }
}

/// The names of the folders in a folder, in order.
pub fn folders(folder: &str) -> Vec<String> {
    let entries =
        fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}/ cannot be listed: {error}"));
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("a folder can be listed"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().expect("our names are ASCII"))
        .collect();
    names.sort();
    names
}

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is a folder of the repository")
}

/// Panics with all violations of a rule.
#[track_caller]
pub fn verdict(broken: Vec<String>) {
    assert!(broken.is_empty(), "\n\n- {}\n", broken.join("\n- "));
}

/// The differences between two lists, both ways.
pub fn compare(
    broken: &mut Vec<String>,
    left: &[String],
    right: &[String],
    only_left: impl Fn(&str) -> String,
    only_right: impl Fn(&str) -> String,
) {
    broken.extend(left.iter().filter(|x| !right.contains(x)).map(|x| only_left(x)));
    broken.extend(right.iter().filter(|x| !left.contains(x)).map(|x| only_right(x)));
}

/// Every path that a file names, in `use` and in code, from its first segment on: `crate::domain::time`.
/// `module` is the file's own, for `self` and `super`.
pub fn mentions(file: &syn::File, module: &[&str]) -> Vec<String> {
    let mut mentions = Mentions::default();
    mentions.visit_file(file);
    let module: Vec<_> = module.iter().map(|name| (*name).to_owned()).collect();
    mentions.paths.into_iter().map(|path| absolute(path, &module).join("::")).collect()
}

fn absolute(path: Vec<String>, module: &[String]) -> Vec<String> {
    let up = path.iter().take_while(|name| *name == "super").count();
    let own = usize::from(path.first().is_some_and(|name| name == "self"));
    if up + own == 0 {
        return path;
    }
    let kept = module.len().saturating_sub(up);
    let mut whole = vec!["crate".to_owned()];
    whole.extend_from_slice(&module[..kept]);
    whole.extend_from_slice(&path[up + own..]);
    whole
}

#[derive(Default)]
struct Mentions {
    paths: Vec<Vec<String>>,
}

impl<'a> Visit<'a> for Mentions {
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        flatten(&item.tree, Vec::new(), &mut self.paths);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'a syn::Macro) {
        visit::visit_macro(self, call);
        for expression in inside(call) {
            self.visit_expr(&expression);
        }
    }
}

/// The expressions in a call like `vec![a, b]`; none if the macro has its own syntax.
pub fn inside(call: &syn::Macro) -> Vec<syn::Expr> {
    type List = syn::punctuated::Punctuated<syn::Expr, syn::Token![,]>;
    call.parse_body_with(List::parse_terminated)
        .map(|expressions| expressions.into_iter().collect())
        .unwrap_or_default()
}

fn flatten(tree: &syn::UseTree, mut before: Vec<String>, paths: &mut Vec<Vec<String>>) {
    match tree {
        syn::UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, paths);
        }
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, before.clone(), paths);
            }
        }
        syn::UseTree::Name(name) => {
            if name.ident != "self" {
                before.push(name.ident.to_string());
            }
            paths.push(before);
        }
        syn::UseTree::Rename(rename) => {
            before.push(rename.ident.to_string());
            paths.push(before);
        }
        syn::UseTree::Glob(_) => paths.push(before),
    }
}

/// The last name of a type's path, and its type arguments: `Table<User, Put>` is `Table` and `[User, Put]`.
pub fn named(ty: &syn::Type) -> Option<(String, Vec<&syn::Type>)> {
    let syn::Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let arguments = match &last.arguments {
        syn::PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                syn::GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    Some((last.ident.to_string(), arguments))
}

/// The names of the types of a file's fields: the permissions of its structs.
pub fn field_types(file: &syn::File) -> Vec<String> {
    let structs = file.items.iter().filter_map(|item| match item {
        syn::Item::Struct(item) => Some(item),
        _ => None,
    });
    let types = structs.flat_map(|item| item.fields.iter().filter_map(|field| named(&field.ty)));
    types.map(|(name, _)| name).collect()
}

/// The text constants of the implementations of a trait, by type: `impl Row for User { const VARIABLE: &str = "…" }`.
pub fn constants(file: &syn::File, of_trait: &str, constant: &str) -> Vec<(String, String)> {
    let implementations = file.items.iter().filter_map(|item| match item {
        syn::Item::Impl(item) => Some(item),
        _ => None,
    });
    let mut found = Vec::new();
    for item in implementations {
        let is_it = item.trait_.as_ref().and_then(|of| of.0.segments.last()).is_some_and(|name| name.ident == of_trait);
        let Some((name, _)) = named(&item.self_ty).filter(|_| is_it) else {
            continue;
        };
        for inner in &item.items {
            if let syn::ImplItem::Const(item) = inner
                && item.ident == constant
                && let Some(text) = text_of(&item.expr)
            {
                found.push((name.clone(), text));
            }
        }
    }
    found
}

/// A string literal's text.
pub fn text_of(expression: &syn::Expr) -> Option<String> {
    match expression {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}

/// A doc comment, its lines joined.
pub fn documentation(attributes: &[syn::Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("doc") => text_of(&pair.value),
        _ => None,
    });
    lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>().join(" ")
}

/// The last segment of a path expression: `X` of `a::X`.
pub fn last_name(expression: &syn::Expr) -> Option<String> {
    match expression {
        syn::Expr::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}
