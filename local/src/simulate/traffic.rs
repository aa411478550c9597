//! The file of messages: `time,country,verified`.

use countersign_shared::domain::time::Timestamp;

/// The header line.
const HEADER: &str = "time,country,verified";

/// One requested message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) at: Timestamp,
    /// The prefix of the country.
    pub(super) country: String,
    /// Whether an approval follows if it is sent.
    pub(super) verified: bool,
}

/// Reads the file; the messages are returned in the order of their times. The error names the line.
pub(super) fn parse(text: &str) -> Result<Vec<Message>, String> {
    let mut lines = text.lines().zip(1..);
    match lines.next() {
        Some((HEADER, _)) => {}
        Some((other, _)) => return Err(format!("line 1 must be {HEADER}, not {other:?}")),
        None => return Err(format!("it is empty; line 1 must be {HEADER}")),
    }
    let lines = lines.filter(|(line, _)| !line.is_empty());
    let messages = lines.map(|(line, number)| message(line).map_err(|error| format!("line {number}: {error}")));
    let mut messages = messages.collect::<Result<Vec<_>, _>>()?;
    if messages.is_empty() {
        return Err("it has no messages".to_owned());
    }
    messages.sort_by_key(|message| message.at);
    Ok(messages)
}

fn message(line: &str) -> Result<Message, String> {
    let fields: Vec<_> = line.split(',').collect();
    let [time, country, verified] = fields.as_slice() else {
        return Err(format!("{} fields, not the three of {HEADER}", fields.len()));
    };
    let seconds = time.parse().ok().map(Timestamp::from_seconds);
    let at = seconds
        .or_else(|| Timestamp::parse(time))
        .ok_or_else(|| format!("{time:?} is no time such as 2026-10-01T08:15:00Z, and no number of seconds"))?;
    let is_prefix = (1..=7).contains(&country.len()) && country.bytes().all(|byte| byte.is_ascii_digit());
    if !is_prefix || country.starts_with('0') {
        return Err(format!("{country:?} is no country prefix of 1 to 7 digits"));
    }
    let verified = match *verified {
        "true" => true,
        "false" => false,
        other => return Err(format!("{other:?} is neither true nor false")),
    };
    Ok(Message {
        at,
        country: (*country).to_owned(),
        verified,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_in_the_order_of_their_times() {
        let text = "time,country,verified\n2026-10-01T00:00:01Z,380,true\n1790812800,44,false\n\n";
        let found = parse(text).expect("a good file");
        let found: Vec<_> = found.iter().map(|one| (one.at.iso(), one.country.as_str(), one.verified)).collect();
        assert_eq!(
            found,
            [
                ("2026-10-01T00:00:00Z".to_owned(), "44", false),
                ("2026-10-01T00:00:01Z".to_owned(), "380", true)
            ]
        );
    }

    #[test]
    fn an_error_names_its_line() {
        for (rows, error) in [
            ("", "it has no messages"),
            ("1,380,true\n1,380", "line 3: 2 fields"),
            ("1,380,true,", "line 2: 4 fields"),
            ("soon,380,true", "line 2: \"soon\" is no time"),
            ("-1,380,true", "line 2: \"-1\" is no time"),
            ("1,UA,true", "line 2: \"UA\" is no country prefix"),
            ("1,+380,true", "line 2: \"+380\" is no country prefix"),
            ("1,0380,true", "line 2: \"0380\" is no country prefix"),
            ("1,12345678,true", "line 2: \"12345678\" is no country prefix"),
            ("1,,true", "line 2: \"\" is no country prefix"),
            ("1,380,yes", "line 2: \"yes\" is neither true nor false"),
        ] {
            let found = parse(&format!("{HEADER}\n{rows}\n")).expect_err(rows);
            assert!(found.starts_with(error), "{found}");
        }
        for text in ["", "1,380,true\n"] {
            assert!(parse(text).expect_err("no header").contains(HEADER));
        }
    }
}
