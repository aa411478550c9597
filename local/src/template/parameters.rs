//! The values of the template's parameters alone, for commands that start nothing.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::eval::object;
use super::yaml;

/// Each parameter of the file with the value that is given for it, or else with its default; those without either are
/// left out. The error is one line, and names an unknown parameter.
pub(crate) fn parameters(path: &Path, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let parsed = yaml::parse(&text).map_err(|error| format!("{shown} is not a template: {error}"))?;
    let default = |(name, parameter): (&String, &Value)| {
        let value = match parameter.get("Default")? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some((name.clone(), value))
    };
    let mut values: BTreeMap<_, _> = object(&parsed, "Parameters").filter_map(default).collect();
    for (name, value) in given {
        if parsed["Parameters"].get(name).is_none() {
            return Err(format!("{shown}: it has no parameter {name}"));
        }
        values.insert(name.clone(), value.clone());
    }
    Ok(values)
}
