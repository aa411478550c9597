//! The chart: for each country a bar a day, sent and refused, and the line of the budget's limit. An SVG without scripts,
//! in the colours of the reader's light or dark scheme.

use super::replay::{Counts, Report};
use super::table::{date, dollars};

/// The sizes of a panel, in pixels.
const LEFT: u64 = 56;
const DAY: u64 = 28;
const HEIGHT: u64 = 140;
const HEAD: u64 = 34;
const FOOT: u64 = 30;

const STYLE: &str = "\
svg{color:#1f2328;background:#fff;font:12px system-ui,sans-serif}\
text{fill:currentColor}.axis{stroke:currentColor;stroke-width:1}\
.sent{fill:#1a7f37}.refused{fill:#cf222e}.limit{fill:none;stroke:#0969da;stroke-width:2}\
@media(prefers-color-scheme:dark){svg{color:#e6edf3;background:#0d1117}\
.sent{fill:#3fb950}.refused{fill:#f85149}.limit{stroke:#58a6ff}}";

/// One panel for each country, below each other.
pub(super) fn draw(report: &Report) -> String {
    let days = report.keys().map(|(day, _)| *day);
    let (first, last) = (days.clone().min().unwrap_or_default(), days.max().unwrap_or_default());
    let mut countries: Vec<_> = report.keys().map(|(_, country)| country.as_str()).collect();
    countries.sort_unstable();
    countries.dedup();
    let panel = HEAD + HEIGHT + FOOT;
    let width = (LEFT + DAY * (last - first + 1) + 16).max(640);
    let height = panel * u64::try_from(countries.len()).expect("there are few countries") + 24;
    let panels = (0..).zip(&countries).map(|(index, country)| {
        let of_day = |day| report.get(&(day, (*country).to_owned())).copied().unwrap_or_default();
        let days: Vec<_> = (first..=last).map(|day| (day, of_day(day))).collect();
        format!("<g transform=\"translate(0 {})\">{}</g>\n", 24 + index * panel, draw_country(country, &days))
    });
    let panels: String = panels.collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-label=\"Text messages by day and country\">\n<style>{STYLE}</style>\n\
         <rect class=\"sent\" x=\"{LEFT}\" y=\"6\" width=\"12\" height=\"12\"/><text x=\"74\" y=\"16\">sent</text>\n\
         <rect class=\"refused\" x=\"124\" y=\"6\" width=\"12\" height=\"12\"/><text x=\"142\" y=\"16\">refused</text>\n\
         <path class=\"limit\" d=\"M210 12h16\"/><text x=\"232\" y=\"16\">limit of unverified messages in 24 hours</text>\n\
         {panels}</svg>\n"
    )
}

fn draw_country(country: &str, days: &[(u64, Counts)]) -> String {
    let total = days.iter().fold(Counts::default(), |sum, (_, counts)| sum.and(counts));
    let most = days.iter().map(|(_, counts)| counts.messages.max(counts.limit)).max().unwrap_or_default().max(1);
    let scaled = |count: u64| count * HEIGHT / most;
    let (base, end) = (HEAD + HEIGHT, LEFT + DAY * u64::try_from(days.len()).expect("there are few days"));
    let mut text = format!(
        "<text x=\"{LEFT}\" y=\"20\">+{country}: {} sent, {} refused, {} approved, ${} spent, ${} saved</text>\
         <path class=\"axis\" d=\"M{LEFT} {base}H{end}\"/>\
         <text x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{most}</text><text x=\"{x}\" y=\"{base}\" text-anchor=\"end\">0</text>",
        total.sent,
        total.refused(),
        total.approved,
        dollars(total.spent),
        dollars(total.saved),
        x = LEFT - 6,
        y = HEAD + 10,
    );
    let mut limit = String::new();
    for ((day, counts), index) in days.iter().zip(0..) {
        let x = LEFT + DAY * index;
        let (sent, all) = (scaled(counts.sent), scaled(counts.messages));
        text += &format!(
            "<g><title>{}: {} sent, {} refused, limit {}</title>\
             <rect class=\"sent\" x=\"{left}\" y=\"{}\" width=\"{width}\" height=\"{sent}\"/>\
             <rect class=\"refused\" x=\"{left}\" y=\"{}\" width=\"{width}\" height=\"{}\"/></g>",
            date(*day),
            counts.sent,
            counts.refused(),
            counts.limit,
            base - sent,
            base - all,
            all - sent,
            left = x + 3,
            width = DAY - 6,
        );
        // A day without messages has no limit that was looked at.
        if counts.limit > 0 {
            limit += &format!("M{x} {}h{DAY}", base - scaled(counts.limit));
        }
        if index % 5 == 0 {
            text += &format!("<text x=\"{x}\" y=\"{}\">{}</text>", base + 16, date(*day));
        }
    }
    if !limit.is_empty() {
        text += &format!("<path class=\"limit\" d=\"{limit}\"/>");
    }
    text
}
