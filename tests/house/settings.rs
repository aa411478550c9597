//! Parameters: an operator can set exactly what the settings read.

use countersign_xtask::{
    settings::Settings,
    source::{read, verdict},
    template::{Template, entries, list},
};
use serde_json::{Value, json};

#[test]
fn parameters_have_the_defaults_of_the_settings() {
    let template = Template::read();
    let mut broken = Vec::new();
    let settings = Settings::read(&mut broken);
    assert!(!settings.texts.is_empty(), "no text is read: teach xtask/src/settings.rs how texts are read now");
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
            "the settings read {variable}, and an operator cannot set it: add a parameter to template.yaml"
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

/// The environments that an operator can deploy by name.
const ENVIRONMENTS: &[&str] = &["dev", "staging", "prod"];

#[test]
fn environments_set_valid_parameters_only() {
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
        // Commented-out lines are there to be filled in, so they are checked, too.
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
