//! Finds the locales: each file in `src/delivery/words/` is one, by its name.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its folder in the environment"
)]

use std::{env, fs, path::Path};

const FOLDER: &str = "src/delivery/words";

fn main() {
    println!("cargo::rerun-if-changed={FOLDER}");
    let entries = fs::read_dir(FOLDER).expect("the locales stand beside the code that reads them");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("a folder can be listed").file_name())
        .map(|name| name.into_string().expect("our names are ASCII"))
        .collect();
    names.sort();
    let mut code = String::from("pub(super) const LOCALES: &[(&str, &str)] = &[\n");
    for name in names {
        let locale = name.strip_suffix(".json").expect("a locale is a JSON file");
        let file = format!("/{FOLDER}/{name}");
        code += &format!("    ({locale:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {file:?}))),\n");
    }
    code += "];\n";
    let folder = env::var_os("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&folder).join("locales.rs"), code).expect("cargo's folder can be written");
}
