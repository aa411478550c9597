//! The table that is printed.

use countersign_shared::domain::time::Timestamp;

use super::replay::{Counts, Report};

const SECONDS_OF_DAY: u64 = 86_400;

/// `2026-10-01` of a day's number.
pub(super) fn date(day: u64) -> String {
    let iso = Timestamp::from_seconds(day * SECONDS_OF_DAY).iso();
    iso.split('T').next().unwrap_or_default().to_owned()
}

/// Micro-dollars in dollars, rounded to cents.
pub(super) fn dollars(micro: u64) -> String {
    let cents = (micro + 5000) / 10_000;
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// How many of the sent messages were approved, in percent and rounded to a tenth.
fn conversion(counts: &Counts) -> String {
    match (counts.approved * 1000 + counts.sent / 2).checked_div(counts.sent) {
        None => "-".to_owned(),
        Some(thousandths) => format!("{}.{} %", thousandths / 10, thousandths % 10),
    }
}

const HEADINGS: [&str; 13] = [
    "day",
    "country",
    "messages",
    "sent",
    "budget",
    "quota",
    "money",
    "unlisted",
    "recorded",
    "approved",
    "conversion",
    "spent $",
    "saved $",
];

/// All days of all countries, and the totals.
pub(super) fn print(report: &Report) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(report.iter().map(|((day, country), counts)| row(&date(*day), country, counts)));
    let mut countries: Vec<_> = report.keys().map(|(_, country)| country.as_str()).collect();
    countries.sort_unstable();
    countries.dedup();
    let total = |country: Option<&str>| {
        let wanted = report.iter().filter(|((_, of), _)| country.is_none_or(|country| of == country));
        wanted.fold(Counts::default(), |sum, (_, counts)| sum.and(counts))
    };
    rows.extend(countries.into_iter().map(|country| row("total", country, &total(Some(country)))));
    rows.push(row("total", "all", &total(None)));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: Vec<_> = (0..HEADINGS.len()).map(width).collect();
    let line = |row: &[String; 13]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 | 1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    let note = "budget, quota, money, unlisted: refused by UnverifiedBudget, the numbers of messages, SmsMoneyPerDay, \
                SmsCountries. recorded: sent beyond the budget, which is not enforced.";
    let lines: Vec<_> = rows.iter().map(line).collect();
    format!("{}\n\n{note}", lines.join("\n"))
}

fn row(day: &str, country: &str, counts: &Counts) -> [String; 13] {
    let numbers = [
        counts.messages,
        counts.sent,
        counts.by_budget,
        counts.by_quota,
        counts.by_money,
        counts.by_country,
        counts.over,
        counts.approved,
    ];
    let [messages, sent, budget, quota, money, unlisted, over, approved] = numbers.map(|number| number.to_string());
    [
        day.to_owned(),
        country.to_owned(),
        messages,
        sent,
        budget,
        quota,
        money,
        unlisted,
        over,
        approved,
        conversion(counts),
        dollars(counts.spent),
        dollars(counts.saved),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_the_nearest() {
        for (micro, text) in [
            (0, "0.00"),
            (4999, "0.00"),
            (5000, "0.01"),
            (92_700, "0.09"),
            (12_345_678, "12.35"),
        ] {
            assert_eq!(dollars(micro), text);
        }
        for (sent, approved, text) in [(0, 0, "-"), (3, 2, "66.7 %"), (8, 1, "12.5 %"), (5, 5, "100.0 %")] {
            let counts = Counts {
                sent,
                approved,
                ..Counts::default()
            };
            assert_eq!(conversion(&counts), text);
        }
        assert_eq!(date(20_727), "2026-10-01");
    }
}
