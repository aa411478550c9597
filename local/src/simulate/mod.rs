//! `cargo local simulate`: replays a file of text messages against the limits of a deployment, by the rules that the
//! functions use, and tells what would have been sent, refused and spent. It starts nothing and sends nothing.

mod chart;
mod replay;
mod table;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use countersign_shared::runtime::settings::MessageLimits;

use crate::template::parameters;

/// Replays the file with the parameters of the template, and returns a table; writes a chart, if a path is given for it.
/// Without `SmsCountries` every country of the file is listed.
///
/// # Errors
/// One line: what is wrong with the file, the template or a parameter.
pub fn simulate(
    template: &Path,
    given: &BTreeMap<String, String>,
    file: &Path,
    svg: Option<&Path>,
) -> Result<String, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let messages = traffic::parse(&text).map_err(|error| format!("{shown}: {error}"))?;
    let mut variables: BTreeMap<_, _> =
        parameters(template, given)?.into_iter().map(|(name, value)| (variable(&name), value)).collect();
    let countries = variables.entry("SMS_COUNTRIES".to_owned()).or_default();
    if countries.is_empty() {
        let all: BTreeSet<_> = messages.iter().map(|message| message.country.as_str()).collect();
        *countries = all.into_iter().collect::<Vec<_>>().join(",");
    }
    let limits =
        MessageLimits::of_variables(variables.into_iter().collect()).map_err(|problems| problems.join("; "))?;
    let report = replay::replay(&limits, &messages);
    if let Some(svg) = svg {
        let chart = chart::draw(&report);
        std::fs::write(svg, chart).map_err(|error| format!("cannot write {}: {error}", svg.display()))?;
    }
    Ok(table::print(&report))
}

/// The environment variable of a parameter: `SMS_PER_DAY` of `SmsPerDay`.
fn variable(parameter: &str) -> String {
    let mut name = String::new();
    for letter in parameter.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests;
