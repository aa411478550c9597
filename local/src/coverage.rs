//! What no test has used: rights of the template's roles (security.md R60).

use std::path::Path;

use crate::record;
use crate::rights::line;
use crate::template::{Function, Template};

/// What the template allows and no cloud that wrote to `folder` has used, one line each.
///
/// # Errors
/// A template or a folder that cannot be read.
pub fn unused_rights(template: &Path, folder: &Path) -> Result<Vec<String>, String> {
    let template = Template::load(template, "http://127.0.0.1", &Default::default())?;
    let used = record::read(folder)?;
    Ok(of_calls(&template.functions)
        .filter(|line| !used.contains(line))
        .collect())
}

fn of_calls(functions: &[Function]) -> impl Iterator<Item = String> {
    functions.iter().flat_map(|function| {
        let rights = function.role.rights.iter().filter(|right| !right.is_lambdas_own());
        rights.map(|right| line(&function.name, right))
    })
}
