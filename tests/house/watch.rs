//! Alarms and dashboards use metrics that are counted, and every alarm has a runbook.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use syn::visit::{self, Visit};

use countersign_xtask::{
    source::{below, compare, named, read, verdict},
    template::{Template, list},
};

/// The runbook, and the heading above its parts.
const RUNBOOK: (&str, &str) = ("docs/operations.md", "## When an alarm rings");

/// The namespace of our own metrics, as in template.yaml.
const OURS: &str = "Countersign/${AWS::StackName}";

/// The metrics that the functions count, and their dimensions. `""` is the sum of all.
const COUNTED: &[(&str, &[&str])] = &[
    ("Bounced", &["Type", ""]),
    ("Complained", &["Type", ""]),
    ("Expired", &["Table", ""]),
    ("Faults", &["Family"]),
    ("Issued", &["Family"]),
    ("MailFailed", &["Message", ""]),
    ("MailOverBudget", &["Budget", ""]),
    ("MailSent", &["Message", ""]),
    ("Refused", &["Family", "Family,Reason"]),
    ("Rejected", &["Type", ""]),
    ("SmsFailed", &["Reason", ""]),
    ("SmsSent", &["Country", ""]),
    ("Throttled", &["Family"]),
    ("UnverifiedBudgetExhausted", &["Country", ""]),
    ("VerificationApproved", &["Country", ""]),
    ("VerificationSent", &["Country", ""]),
    ("Verified", &["Family"]),
];

/// AWS's own metrics: "CloudWatch metrics" in the guides of each service.
const AWS: &[(&str, &str, &str)] = &[
    ("AWS/ApiGateway", "4xx", "ApiId"),
    ("AWS/ApiGateway", "5xx", "ApiId"),
    ("AWS/ApiGateway", "Count", "ApiId"),
    ("AWS/ApiGateway", "Latency", "ApiId"),
    ("AWS/Lambda", "Errors", "FunctionName"),
    ("AWS/Lambda", "IteratorAge", "FunctionName"),
    ("AWS/Lambda", "Throttles", ""),
    ("AWS/SES", "Reputation.BounceRate", ""),
    ("AWS/SES", "Reputation.ComplaintRate", ""),
    ("AWS/SNS", "SMSMonthToDateSpentUSD", ""),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName"),
];

/// A metric on a dashboard or alarm.
struct Watched {
    by: String,
    namespace: String,
    name: String,
    /// The names of its dimensions, separated by commas.
    dimensions: String,
}

/// A text of template.yaml, with or without `!Sub`.
fn text(value: &Value) -> String {
    let text = value.as_str().or(value["!Sub"].as_str());
    text.unwrap_or_default().to_owned()
}

fn watched_by_alarms(template: &Template) -> Vec<Watched> {
    let mut watched = Vec::new();
    for (id, alarm) in template.resources("AWS::CloudWatch::Alarm") {
        let properties = &alarm["Properties"];
        let inner = list(&properties["Metrics"]);
        let metrics = inner.iter().map(|metric| &metric["MetricStat"]["Metric"]);
        for metric in metrics.chain([properties]).filter(|metric| !metric["MetricName"].is_null()) {
            let names = list(&metric["Dimensions"]);
            let names: Vec<_> = names.iter().filter_map(|one| one["Name"].as_str()).collect();
            watched.push(Watched {
                by: id.to_owned(),
                namespace: text(&metric["Namespace"]),
                name: text(&metric["MetricName"]),
                dimensions: names.join(","),
            });
        }
    }
    watched
}

/// The metrics that a dashboard shows, directly and by searching.
fn watched_by_dashboards(template: &Template, broken: &mut Vec<String>) -> Vec<Watched> {
    let mut watched = Vec::new();
    for (id, dashboard) in template.resources("AWS::CloudWatch::Dashboard") {
        let body = text(&dashboard["Properties"]["DashboardBody"]);
        let body: Value = serde_json::from_str(&body).unwrap_or_else(|error| {
            broken.push(format!("the body of {id} is no JSON: {error}"));
            Value::Null
        });
        for widget in list(&body["widgets"]) {
            let title = widget["properties"]["title"].as_str().unwrap_or_default();
            let by = format!("{id}, {title},");
            for metric in list(&widget["properties"]["metrics"]) {
                match metric[0]["expression"].as_str() {
                    None => watched.push(shown(&by, metric)),
                    Some(expression) if expression.contains("SEARCH") => match searched(&by, expression) {
                        Some(found) => watched.push(found),
                        None => broken.push(format!(
                            "{by} searches by {expression}: write SEARCH('{{\"namespace\",Dimension}} MetricName=\"Name\"','Sum')"
                        )),
                    },
                    // An expression computes from the other metrics.
                    Some(_) => {}
                }
            }
        }
    }
    watched
}

/// `[namespace, name, dimension, value, …, options]`
fn shown(by: &str, metric: &Value) -> Watched {
    let words = list(metric);
    let words: Vec<_> = words.iter().map_while(|word| word.as_str()).collect();
    let names: Vec<_> = words.iter().skip(2).step_by(2).copied().collect();
    Watched {
        by: by.to_owned(),
        namespace: words.first().copied().unwrap_or_default().to_owned(),
        name: words.get(1).copied().unwrap_or_default().to_owned(),
        dimensions: names.join(","),
    }
}

/// `SEARCH('{"namespace",dimension,…} MetricName="name" …', 'Sum')`
fn searched(by: &str, expression: &str) -> Option<Watched> {
    let (namespace, rest) = expression.strip_prefix("SEARCH('{\"")?.split_once("\",")?;
    let (dimensions, terms) = rest.split_once('}')?;
    let name = terms.split_once("MetricName=\"")?.1.split('"').next()?;
    Some(Watched {
        by: by.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        dimensions: dimensions.to_owned(),
    })
}

#[test]
fn every_metric_is_both_counted_and_monitored() {
    let template = Template::read();
    let mut broken = Vec::new();
    let mut watched = watched_by_alarms(&template);
    watched.extend(watched_by_dashboards(&template, &mut broken));
    for one in &watched {
        let (name, dimensions) = (one.name.as_str(), one.dimensions.as_str());
        let counted = match one.namespace.as_str() {
            OURS => COUNTED.iter().any(|(counted, by)| *counted == name && by.contains(&dimensions)),
            namespace => AWS.contains(&(namespace, name, dimensions)),
        };
        if !counted {
            broken.push(format!(
                "{} watches {name} of {} by [{dimensions}], which no code counts: name a metric of COUNTED or AWS in \
                 tests/house/watch.rs, or, if there is such a one, add it",
                one.by, one.namespace
            ));
        }
    }
    let watched: Vec<_> = watched.into_iter().filter(|one| one.namespace == OURS).collect();
    for (name, _) in COUNTED {
        if !watched.iter().any(|one| one.name == *name) {
            broken.push(format!(
                "no alarm or dashboard uses {name}: show it in the dashboard of template.yaml, or count it no longer"
            ));
        }
    }
    verdict(broken);
}

/// Where functions count metrics.
const COUNTS: &str = "shared/src/observe";

/// The string arguments of functions with one of these names.
struct Texts<'n> {
    within: &'n [&'n str],
    found: BTreeSet<String>,
}

impl<'a> Visit<'a> for Texts<'_> {
    // Comments are strings, too.
    fn visit_attribute(&mut self, _: &'a syn::Attribute) {}

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        if self.within.iter().any(|name| function.sig.ident == name) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_fn(&mut self, function: &'a syn::ItemFn) {
        if self.within.iter().any(|name| function.sig.ident == name) {
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_lit_str(&mut self, text: &'a syn::LitStr) {
        self.found.insert(text.value());
    }
}

#[test]
fn counted_metrics_are_those_in_the_code() {
    let mut texts = Texts {
        within: &["counted", "name"],
        found: BTreeSet::new(),
    };
    for source in below(COUNTS, &[".rs"]).iter().chain([&read(&format!("{COUNTS}.rs"))]) {
        for item in source.production().items {
            // A metric's name, and not that of a reason or a family.
            let other = match &item {
                syn::Item::Impl(item) => named(&item.self_ty).is_some_and(|(name, _)| name != "Metric"),
                _ => false,
            };
            if !other {
                texts.visit_item(&item);
            }
        }
    }
    let dimensions = ["Family", "Reason"];
    let printed: Vec<_> = texts.found.into_iter().filter(|text| !dimensions.contains(&text.as_str())).collect();
    let counted: Vec<_> = COUNTED.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut broken = Vec::new();
    compare(
        &mut broken,
        &printed,
        &counted,
        |name| format!("{COUNTS} counts {name}: add it to COUNTED in tests/house/watch.rs"),
        |name| format!("{COUNTS} does not count {name}: take it out of COUNTED in tests/house/watch.rs"),
    );
    verdict(broken);
}

#[test]
fn monitored_dimension_values_exist_in_the_code() {
    let template = Template::read();
    let said = below("shared/src", &[".rs"]);
    let mut broken = Vec::new();
    for (id, alarm) in template.resources("AWS::CloudWatch::Alarm") {
        let properties = &alarm["Properties"];
        let inner = list(&properties["Metrics"]);
        let metrics = inner.iter().map(|metric| &metric["MetricStat"]["Metric"]);
        let dimensions = metrics.chain([properties]).flat_map(|metric| list(&metric["Dimensions"]));
        for value in dimensions.filter_map(|dimension| dimension["Value"].as_str()) {
            if !said.iter().any(|source| source.text.contains(&format!("\"{value}\""))) {
                broken.push(format!(
                    "{id} waits for {value:?}, which nothing says: write a word of shared/src/http or {COUNTS}"
                ));
            }
        }
    }
    verdict(broken);
}

#[test]
fn every_alarm_has_a_runbook() {
    let template = Template::read();
    let (path, section) = RUNBOOK;
    let text = read(path).text;
    let runbook = text.split(section).nth(1).unwrap_or_default();
    let runbook = runbook.split("\n## ").next().unwrap_or_default();
    let headings: Vec<_> = runbook.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect();
    let mut broken = Vec::new();
    let mut named = BTreeSet::new();
    for (id, alarm) in template.resources("AWS::CloudWatch::Alarm") {
        let properties = &alarm["Properties"];
        let says = properties["AlarmDescription"].as_str().unwrap_or_default();
        match says.split_once(&format!("See {path}, ")) {
            Some((_, heading)) => {
                named.insert(heading.to_owned());
            }
            None => broken.push(format!(
                "{id} does not say what to do: end its AlarmDescription in `See {path}, ` and a heading of its own there"
            )),
        }
        let topic = json!([{ "!Ref": "AlarmTopic" }]);
        for (name, given, wanted) in [
            ("Condition", &alarm["Condition"], json!("Alarmed")),
            ("AlarmActions", &properties["AlarmActions"], topic.clone()),
            ("OKActions", &properties["OKActions"], topic),
        ] {
            if *given != wanted {
                broken.push(format!("{name} of {id} is {given}: write {wanted}"));
            }
        }
        if properties["TreatMissingData"].is_null() {
            broken.push(format!(
                "{id} leaves open what silence means: write TreatMissingData, notBreaching for what is counted"
            ));
        }
    }
    let named: Vec<_> = named.into_iter().collect();
    compare(
        &mut broken,
        &named,
        &headings,
        |heading| format!("{path} does not say what to do about {heading:?}: add `### {heading}` under `{section}`"),
        |heading| format!("no alarm leads to {heading:?}: remove it from {path}, or name it in an AlarmDescription"),
    );
    verdict(broken);
}
