//! Writes the routes of template.yaml as Rust, for the functions that must know all of them.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its folder in the environment"
)]

use std::{env, fs, path::Path};

use saphyr::{LoadableYamlNode, Yaml};

fn main() {
    println!("cargo::rerun-if-changed=template.yaml");
    let text = fs::read_to_string("template.yaml").expect("template.yaml stands beside Cargo.toml");
    let documents = Yaml::load_from_str(&text).expect("template.yaml is YAML");
    let resources = documents[0]
        .as_mapping_get("Resources")
        .expect("a template has resources");
    let mut routes = Vec::new();
    for function in resources.as_mapping().expect("resources have names").values() {
        let text = |path: &[&str]| at(function, path).and_then(Yaml::as_str).map(str::to_owned);
        let Some(binary) = text(&["Metadata", "BuildProperties", "Binary"]) else {
            continue;
        };
        let Some(events) = at(function, &["Properties", "Events"]).and_then(Yaml::as_mapping) else {
            continue;
        };
        for event in events.values() {
            let of_event = |path: &[&str]| at(event, path).and_then(Yaml::as_str);
            if let (Some("HttpApi"), Some(path), Some(method)) = (
                of_event(&["Type"]),
                of_event(&["Properties", "Path"]),
                of_event(&["Properties", "Method"]),
            ) {
                routes.push((path.to_owned(), method.to_uppercase(), binary.clone()));
            }
        }
    }
    routes.sort();
    let mut code = String::from("const ROUTES: &[Route] = &[\n");
    for (path, method, function) in routes {
        code += &format!("    Route {{ method: {method:?}, path: {path:?}, function: {function:?} }},\n");
    }
    code += "];\n";
    let folder = env::var_os("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&folder).join("routes.rs"), code).expect("cargo's folder can be written");
}

fn at<'a>(node: &'a Yaml<'a>, path: &[&str]) -> Option<&'a Yaml<'a>> {
    path.iter().try_fold(node, |node, key| node.as_mapping_get(key))
}
