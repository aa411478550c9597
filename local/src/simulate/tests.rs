//! The shipped example: what the limits make of a launch, of an attack on one country, and of a slow one.

use std::fs::read_to_string;
use std::path::PathBuf;
use std::process::Command;

use super::replay::{Counts, Report};
use super::*;

const FIRST_DAY: u64 = 20_727;

fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

const PRICES: (&str, &str) = ("SmsPrices", "380=0.0927,44=0.0345,992=0.1750");

fn limits(given: &[(&str, &str)]) -> MessageLimits {
    let given = given.iter().chain([&PRICES, &("SmsCountries", "380,44,992")]);
    let given = given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let values = parameters(&workspace().join("template.yaml"), &given).expect("parameters of the template");
    let variables = values.into_iter().map(|(name, value)| (variable(&name), value));
    MessageLimits::of_variables(variables.collect()).expect("good settings")
}

fn example() -> Vec<traffic::Message> {
    let text = read_to_string(workspace().join("benches/traffic.csv")).expect("the example is there");
    traffic::parse(&text).expect("a good file")
}

fn of(report: &Report, day: u64, country: &str) -> Counts {
    report.get(&(FIRST_DAY + day, country.to_owned())).copied().unwrap_or_default()
}

fn sum(report: &Report) -> Counts {
    report.values().fold(Counts::default(), |sum, counts| sum.and(counts))
}

#[test]
fn the_example_is_what_its_generator_writes() {
    let output = Command::new("python3").arg(workspace().join("benches/traffic.py")).output().expect("python3 runs");
    let written = read_to_string(workspace().join("benches/traffic.csv")).expect("the example is there");
    assert_eq!(
        String::from_utf8(output.stdout).expect("text"),
        written,
        "run python3 benches/traffic.py > benches/traffic.csv"
    );
}

#[test]
fn the_runbook_shows_the_result_of_the_example() {
    let document = read_to_string(workspace().join("docs/operations.md")).expect("the runbook is there");
    let printed = table::print(&replay::replay(&limits(&[]), &example()));
    for line in printed.lines().filter(|line| line.starts_with("total") || line.starts_with("day")) {
        assert!(document.lines().any(|written| written == line), "docs/operations.md lacks this line: {line}");
    }
}

#[test]
fn pumping_is_stopped_within_the_first_hours_budget() {
    let messages = example();
    let report = replay::replay(&limits(&[]), &messages);
    let attack = of(&report, 14, "992");
    assert_eq!((attack.messages, attack.sent, attack.by_budget), (2000, 20, 1980), "{attack:?}");
    // All that its first hour gets are three.
    let start = messages.iter().find(|one| one.country == "992").expect("it begins").at;
    let end = start.deadline(3600);
    let hour: Vec<_> = messages.into_iter().filter(|one| one.country == "992" && one.at < end).collect();
    let report = replay::replay(&limits(&[]), &hour);
    assert_eq!((sum(&report).messages, sum(&report).sent), (84, 3));
}

#[test]
fn a_launch_with_real_conversions_loses_no_message() {
    let report = replay::replay(&limits(&[]), &example());
    let launch = of(&report, 15, "380");
    assert_eq!((launch.messages, launch.sent), (900, 900), "{launch:?}");
    // On usual days three unverified messages of an hour are the limit, and chance exceeds it now and then.
    let usual = (0..20).map(|day| of(&report, day, "380")).fold(Counts::default(), |sum, counts| sum.and(&counts));
    assert!(usual.refused() * 100 < usual.messages * 2, "{usual:?}");
}

#[test]
fn a_slow_attack_has_no_more_than_the_budget_of_a_day() {
    let report = replay::replay(&limits(&[]), &example());
    for day in 12..18 {
        let counts = of(&report, day, "44");
        // A window of 24 hours: two of them overlap a day.
        assert!(counts.sent - counts.approved <= 2 * counts.limit, "day {day}: {counts:?}");
        assert!(counts.by_budget > 0, "day {day}: {counts:?}");
    }
}

#[test]
fn a_budget_that_is_only_recorded_leaves_the_quota_as_the_limit() {
    let report = replay::replay(&limits(&[("UnverifiedBudget", "record")]), &example());
    let attack = of(&report, 14, "992");
    // The numbers of messages hold, as they do without the budget: half of SmsPerCountryPerDay.
    assert_eq!((attack.sent, attack.by_quota, attack.over), (1000, 1000, 997), "{attack:?}");
}

#[test]
fn the_money_of_a_day_bounds_what_is_spent() {
    let given = [("UnverifiedBudget", "record"), ("SmsMoneyPerDay", "100")];
    let report = replay::replay(&limits(&given), &example());
    assert!(sum(&report).by_money > 0);
    for day in 0..20 {
        let spent = ["380", "44", "992"].map(|country| of(&report, day, country).spent);
        assert!(spent.iter().sum::<u64>() <= 50_000_000, "half of it for numbers of verifications: {spent:?}");
    }
}

#[test]
fn unlisted_countries_get_no_messages() {
    let given = BTreeMap::from([("SmsCountries".to_owned(), "380,992".to_owned())]);
    let file = workspace().join("benches/traffic.csv");
    let table = simulate(&workspace().join("template.yaml"), &given, &file, None).expect("a table");
    let total = table.lines().find(|line| line.starts_with("total       44")).expect("a total");
    let cells: Vec<_> = total.split_whitespace().collect();
    assert_eq!(cells[2..8], ["1440", "0", "0", "0", "0", "1440"], "{total}");
}

#[test]
fn problems_are_reported_in_one_line() {
    let template = workspace().join("template.yaml");
    let file = workspace().join("benches/traffic.csv");
    let run = |name: &str, value: &str| {
        let given = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        simulate(&template, &given, &file, None).expect_err("a problem")
    };
    assert!(run("SmsPerWeek", "1").contains("it has no parameter SmsPerWeek"));
    assert!(run("UnverifiedBudget", "off").contains("UNVERIFIED_BUDGET must be enforce or record"));
    assert!(run("SmsMoneyPerDay", "5").contains("has no price for 380, 44, 992"));
    let missing = simulate(&template, &BTreeMap::new(), &workspace().join("none.csv"), None);
    assert!(missing.expect_err("no file").contains("cannot read"));
}

/// The elements of a document, with their texts, if it is well-formed.
fn elements(svg: &str) -> Vec<(String, String)> {
    let (mut open, mut found) = (Vec::<String>::new(), Vec::new());
    let mut parts = svg.split('<');
    assert_eq!(parts.next(), Some(""), "it begins with an element");
    for part in parts {
        let (tag, text) = part.split_once('>').expect("each tag ends");
        assert!(!text.contains(['&', '>']) && tag.matches('"').count().is_multiple_of(2), "{part}");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name)),
            None => {
                let name = tag.split([' ', '/']).next().expect("a name").to_owned();
                if !tag.ends_with('/') {
                    open.push(name.clone());
                }
                found.push((name, text.to_owned()));
            }
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
    found
}

#[test]
fn the_chart_is_well_formed_and_shows_the_numbers_of_the_table() {
    let report = replay::replay(&limits(&[]), &example());
    let svg = chart::draw(&report);
    let elements = elements(&svg);
    for name in ["script", "foreignObject", "image"] {
        assert!(!elements.iter().any(|(found, _)| found == name), "{name}");
    }
    assert!(svg.contains("prefers-color-scheme:dark") && !svg.contains("href"));
    let texts = |name: &str| {
        elements.iter().filter(|(found, _)| found == name).map(|(_, text)| text.clone()).collect::<Vec<_>>()
    };
    let titles = texts("title");
    for ((day, _), counts) in &report {
        let title = format!(
            "{}: {} sent, {} refused, limit {}",
            table::date(*day),
            counts.sent,
            counts.refused(),
            counts.limit
        );
        assert!(titles.contains(&title), "{title}");
    }
    let printed = table::print(&report);
    for country in ["380", "44", "992"] {
        let row = printed.lines().find(|line| line.starts_with(&format!("total       {country} "))).expect("a total");
        let cells: Vec<_> = row.split_whitespace().collect();
        let heading = format!(
            "+{country}: {} sent, {} refused, {} approved, ${} spent, ${} saved",
            cells[3],
            cells[2].parse::<u64>().expect("a number") - cells[3].parse::<u64>().expect("a number"),
            cells[9],
            cells[cells.len() - 2],
            cells[cells.len() - 1]
        );
        assert!(texts("text").contains(&heading), "{heading}");
    }
    assert_eq!(titles.len(), 3 * 20, "each day of each country has a bar");
}
