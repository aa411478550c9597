//! Log lines of functions.

use serde_json::Value;

use crate::support::world::World;

impl World {
    /// The metric lines of a function that count this metric once.
    pub fn metrics(&self, function: &str, name: &str) -> Vec<Value> {
        let lines = self.cloud().logs();
        let own = lines.iter().filter_map(|line| line.strip_prefix(&format!("{function} | ")));
        let lines = own.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line[name] == 1).collect()
    }

    /// The lines that end requests, without those of the start of the cloud.
    pub fn request_lines(&self) -> Vec<Value> {
        self.json_lines(|line| line.get("route").is_some())
    }

    /// The JSON lines of all functions that match.
    pub fn json_lines(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let logs = self.cloud().logs();
        let json = logs.iter().filter_map(|line| line.find('{').map(|at| &line[at..]));
        let lines = json.filter_map(|text| serde_json::from_str::<Value>(text).ok());
        lines.filter(wanted).collect()
    }
}
