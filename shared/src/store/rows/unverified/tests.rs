//! The expressions that change a day's row, run by a small interpreter in any order: the sums stay right.

use std::collections::HashMap;

use super::*;
use crate::domain::limits::unverified::Mode;

const MONDAY: u64 = 20_000 * 86_400;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(MONDAY + seconds)
}

fn hit(seconds: u64, by: &str) -> Hit {
    Hit {
        at: at(seconds),
        by: by.to_owned(),
    }
}

fn id() -> DayId {
    DayId::of("380", 0, at(0))
}

/// The table: what the store does with a change.
#[derive(Default)]
struct Rows(HashMap<[u8; 32], Item>);

impl Rows {
    /// Runs a change, if its condition holds.
    fn run(&mut self, id: &DayId, change: &Change) -> bool {
        let values: HashMap<_, _> = change.values.iter().cloned().collect();
        assert_eq!(values.len(), change.values.len(), "each placeholder has one value");
        let all = format!("{} {}", change.update, change.condition);
        for name in values.keys() {
            assert!(all.split([' ', ',']).any(|word| word == *name), "{name} is not used: {all}");
        }
        let before = self.0.get(&id.subject()).cloned();
        if !holds(change.condition, before.as_ref(), &values) {
            return false;
        }
        let mut row = before.unwrap_or_else(|| [("subject".to_owned(), bytes(id.subject()))].into());
        let (set, add) = change.update.split_once(" ADD ").unwrap_or((change.update, ""));
        for one in set.strip_prefix("SET ").expect("it sets something").split(", ") {
            let (name, value) = one.split_once(" = ").expect("an assignment");
            let value = match value.split_once(" - ") {
                None => values[value].clone(),
                Some((from, less)) => {
                    number(count(&row[from]).checked_sub(count(&values[less])).expect("never below zero"))
                }
            };
            row.insert(name.trim_start_matches('#').to_owned(), value);
        }
        for one in add.split(", ").filter(|one| !one.is_empty()) {
            let (name, more) = one.split_once(' ').expect("an addition");
            let sum = row.get(name).map_or(0, count) + count(&values[more]);
            row.insert(name.to_owned(), number(sum));
        }
        self.0.insert(id.subject(), row);
        true
    }

    fn read(&self, id: &DayId) -> Option<Day> {
        self.0.get(&id.subject()).map(|item| Day::from_item(item).expect("our own row"))
    }
}

fn count(value: &AttributeValue) -> u64 {
    value.as_n().expect("a number").parse().expect("a count")
}

fn holds(condition: &str, row: Option<&Item>, values: &HashMap<&str, AttributeValue>) -> bool {
    let all = |part: &str| part.split(" AND ").all(|one| is_true(one, row, values));
    condition.split(" OR ").any(all)
}

fn is_true(one: &str, row: Option<&Item>, values: &HashMap<&str, AttributeValue>) -> bool {
    let has = |name: &str| row.is_some_and(|row| name == "#key" || row.contains_key(name));
    if let Some(name) = one.strip_prefix("attribute_exists(") {
        return has(name.trim_end_matches(')'));
    }
    if let Some(name) = one.strip_prefix("attribute_not_exists(") {
        return !has(name.trim_end_matches(')'));
    }
    let words: Vec<_> = one.split(' ').collect();
    let [name, relation, value] = words.as_slice() else {
        panic!("{one}")
    };
    row.and_then(|row| row.get(*name)).is_some_and(|found| match *relation {
        "=" => *found == values[value],
        ">=" => count(found) >= count(&values[value]),
        other => panic!("{other}"),
    })
}

/// A day with messages in three slots.
fn day() -> Day {
    let day = Day::begin(&id(), 70).with_sent(at(0), "a").with_sent(at(299), "b").with_sent(at(300), "c");
    day.with_sent(at(86_399), "d").with_approved(at(299))
}

#[test]
fn a_day_round_trips() {
    for day in [day(), Day::begin(&id(), 0)] {
        assert_eq!(Day::from_item(&day.to_item()).expect("our own row"), day);
    }
}

#[test]
fn a_day_is_stored_flat_and_for_sixteen_days() {
    let item = day().to_item();
    let expected = [
        ("subject", bytes(id().subject())),
        ("version", number(4)),
        ("last_by", text("d")),
        ("best_before", number(70)),
        ("sent", number(4)),
        ("approved", number(1)),
        ("s000", number(2)),
        ("a000", number(1)),
        ("s001", number(1)),
        ("s287", number(1)),
        ("ttl", number(MONDAY + 17 * 86_400)),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(item, Item::from(expected));
}

#[test]
fn countries_shards_and_days_have_rows_of_their_own() {
    let other = |country: &str, shard, at| DayId::of(country, shard, at).subject();
    let own = other("380", 0, at(0));
    assert_eq!(own, other("380", 0, at(86_399)));
    for subject in [
        other("38", 0, at(0)),
        other("380", 1, at(0)),
        other("380", 0, at(86_400)),
    ] {
        assert_ne!(own, subject);
    }
    assert_eq!(id().before(1), DayId::of("380", 0, Timestamp::from_seconds(MONDAY - 1)));
}

#[test]
fn a_send_depends_on_the_version_that_was_read() {
    let (mut rows, id) = (Rows::default(), id());
    let none = Day::begin(&id, 9);
    assert!(rows.run(&id, &send(&none, &hit(5, "a"))));
    let first = rows.read(&id).expect("it was written");
    assert_eq!(first, none.clone().with_sent(at(5), "a"));
    assert!(!rows.run(&id, &send(&none, &hit(5, "b"))), "another one was the first");
    assert!(rows.run(&id, &send(&first, &hit(400, "b"))));
    let second = rows.read(&id).expect("it was written");
    assert_eq!(second, first.clone().with_sent(at(400), "b"));
    assert!(!rows.run(&id, &send(&first, &hit(400, "c"))), "another one was faster");
    assert!(second.was_sent_by("b") && !second.was_sent_by("a"));
}

#[test]
fn an_approval_fails_for_no_send_and_for_no_missing_row() {
    let (mut rows, id) = (Rows::default(), id());
    let [(number, change)] = approve(&[at(299)]).try_into().expect("one day");
    assert_eq!(number, id.day);
    assert!(rows.run(&id, &change), "the row was lost");
    let lost = rows.read(&id).expect("it was written");
    assert_eq!(lost, Day::begin(&id, 0).with_approved(at(299)));
    // The first send of the day keeps it.
    let begun = Day { best_before: 3, ..lost };
    assert!(rows.run(&id, &send(&begun, &hit(0, "a"))));
    assert!(rows.run(&id, &approve(&[at(0)])[0].1));
    let expected = begun.with_sent(at(0), "a").with_approved(at(0));
    assert_eq!(rows.read(&id), Some(expected));
}

#[test]
fn approvals_of_several_slots_and_days_are_one_change_for_each_day() {
    let mut rows = Rows::default();
    let sent = [at(86_399), at(86_400), at(86_400 - 301), at(86_398), at(86_400 + 900)];
    let changes = approve(&sent);
    let days: Vec<_> = changes.iter().map(|(day, _)| *day).collect();
    assert_eq!(days, [id().day, id().day + 1]);
    for (day, change) in changes {
        assert!(rows.run(&DayId { day, ..id() }, &change));
    }
    let approved = |day: u64| {
        let day = rows.read(&DayId { day, ..id() }).expect("it was written");
        let slots: Vec<_> = day.slots.iter().map(|(slot, tally)| (*slot, tally.approved)).collect();
        (slots, day.total.approved, day.forget_at)
    };
    assert_eq!(approved(id().day), (vec![(286, 1), (287, 2)], 3, forget_at(id().day)));
    assert_eq!(approved(id().day + 1), (vec![(0, 1), (3, 1)], 2, forget_at(id().day + 1)));
    assert!(approve(&[]).is_empty());
}

#[test]
fn a_message_is_given_back_once_and_never_below_zero() {
    let (mut rows, id) = (Rows::default(), id());
    assert!(!rows.run(&id, &taken_back(&hit(0, "a"))), "there is no row");
    assert!(rows.run(&id, &send(&Day::begin(&id, 0), &hit(0, "a"))));
    assert!(!rows.run(&id, &taken_back(&hit(300, "a"))), "another slot");
    assert!(rows.run(&id, &taken_back(&hit(0, "a"))));
    let back = rows.read(&id).expect("it stays");
    assert_eq!((back.version, back.total, back.slots.len()), (1, Tally::default(), 0));
    assert!(!back.was_sent_by("a"), "the same invocation can count another message");
    assert!(!rows.run(&id, &taken_back(&hit(0, "a"))));
}

/// Any interleaving of sends that read at any time before, approvals and messages given back, around midnight.
#[test]
fn sums_are_right_in_any_order_of_sends_approvals_and_messages_given_back() {
    let policy = Policy {
        mode: Mode::Record,
        shards: 1,
    };
    let mut drawn = 7_u64;
    let mut draw = |below: u64| {
        drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (drawn >> 33) % below
    };
    let (mut over, mut lost) = (0, 0);
    for round in 0..40 {
        let mut rows = Rows::default();
        // What is counted: each message and whether it was approved.
        let mut counted: Vec<(Hit, bool)> = Vec::new();
        // Sends that have read a row and not written yet.
        let mut pending: Vec<(Hit, Day)> = Vec::new();
        for step in 0..400 {
            let now = 86_400 - 1200 + step * 6;
            match draw(6) {
                0 | 1 => {
                    let act = hit(now, &format!("{step}"));
                    let id = DayId::of("380", 0, act.at);
                    let today = rows.read(&id).unwrap_or_else(|| Day::begin(&id, 0));
                    let yesterday = rows.read(&id.before(1));
                    over += u64::from(policy.admit(&today, yesterday.as_ref(), act.at) == Ok(true));
                    pending.push((act, today));
                }
                2 | 3 if !pending.is_empty() => {
                    let (act, today) = pending.remove(usize::try_from(draw(pending.len() as u64)).expect("an index"));
                    match rows.run(&DayId::of("380", 0, act.at), &send(&today, &act)) {
                        true => counted.push((act, false)),
                        false => lost += 1,
                    }
                }
                4 if !counted.is_empty() => {
                    let index = usize::try_from(draw(counted.len() as u64)).expect("an index");
                    let (act, approved) = counted.swap_remove(index);
                    let id = DayId::of("380", 0, act.at);
                    // An approved message was sent, and is not given back.
                    match approved {
                        true => counted.push((act, true)),
                        false => assert!(rows.run(&id, &taken_back(&act))),
                    }
                }
                5 => {
                    let ready: Vec<_> = counted.iter_mut().filter(|(_, approved)| !approved).take(3).collect();
                    let sent: Vec<_> = ready.iter().map(|(act, _)| act.at).collect();
                    ready.into_iter().for_each(|(_, approved)| *approved = true);
                    for (day, change) in approve(&sent) {
                        assert!(rows.run(&DayId { day, ..id() }, &change));
                    }
                }
                _ => {}
            }
        }
        for day in [id().day, id().day + 1] {
            let id = DayId { day, ..id() };
            let own = counted.iter().filter(|(act, _)| unverified::day(act.at) == id.day);
            let mut expected: BTreeMap<u64, Tally> = BTreeMap::new();
            for (act, approved) in own {
                let tally = expected.entry(slot(act.at)).or_default();
                tally.sent += 1;
                tally.approved += u64::from(*approved);
            }
            let day = rows.read(&id).expect("there were messages on both days");
            assert_eq!(day.slots, expected, "round {round}");
            let sum = |of: fn(&Tally) -> u64| expected.values().map(of).sum::<u64>();
            assert_eq!(day.total.sent, sum(|tally| tally.sent));
            assert_eq!(day.total.approved, sum(|tally| tally.approved));
        }
    }
    assert!(over > 100 && lost > 100, "{over} beyond the budget, {lost} lost to others");
}
