use std::collections::HashMap;

use super::*;
use crate::domain::crypto::key::tests::ring;
use crate::domain::{
    limits::rate_limit::{Hit, Window},
    time::Timestamp,
};

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 86_400;

fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).expect("an address")
}

fn of(kind: MailKind, address: &str) -> [u8; 32] {
    mailbox(kind, Addressee::Email(&email(address)))
}

#[test]
fn addresses_that_differ_in_tag_or_letter_case_are_one_mailbox() {
    for (one, other, same) in [
        ("jane@example.com", "JANE@Example.COM", true),
        ("jane@example.com", "jane+shop@example.com", true),
        ("Jane+a@example.com", "jane+b+c@example.com", true),
        ("jane+@example.com", "jane@example.com", true),
        ("jane@example.com", "janet@example.com", false),
        ("jane@example.com", "jane@example.org", false),
        ("jane@example.com", "ja.ne@example.com", false),
        ("+shop@example.com", "+other@example.com", false),
        ("+shop@example.com", "+shop@example.com", true),
    ] {
        let kind = MailKind::Recovery;
        assert_eq!(of(kind, one) == of(kind, other), same, "{one} {other}");
    }
}

#[test]
fn no_two_rate_limits_share_a_subject() {
    let (domain, other) = (DomainName::parse("a.example"), DomainName::parse("b.example"));
    let (a, b) = (domain.expect("a domain"), other.expect("a domain"));
    let login = Login::parse("jane").expect("a login");
    let network = Network::of("2001:db8:1:2::1");
    let mut all: Vec<_> = MailKind::ALL.map(|kind| of(kind, "jane@example.com")).into();
    all.extend(MailKind::ALL.map(|kind| mailbox(kind, Addressee::UnknownLogin(&a, &login))));
    for request in [RequestKind::Registration, RequestKind::PasswordReset] {
        all.push(source(request, &network));
        all.push(mails(request));
        for name in [Some(&a), Some(&b), None] {
            all.extend([
                share(request, &network, name),
                self::domain(request, name),
                domain_mails(request, name),
            ]);
        }
        for name in [&a, &b] {
            all.extend([elsewhere(request, name, "jane"), elsewhere(request, name, "joan")]);
        }
    }
    all.extend([unconfirmed(&a), unconfirmed(&b)]);
    for n in 0..2 {
        let user = UserId::parse(&format!("00000000-0000-4000-8000-00000000000{n}")).expect("an id");
        let phone = Phone::parse(&format!("+38088555013{n}")).expect("a number");
        let network = Network::of(&format!("192.0.2.{n}"));
        all.extend([
            password_guesses(user),
            sms(&ring(&[1]), &phone),
            failed_logins(&network),
        ]);
    }
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn the_kind_of_mail_depends_on_the_account_and_its_suppression() {
    use Resolved::{Account, Address, Nothing};
    let (bounce, complaint) = (Some(Reason::Bounce), Some(Reason::Complaint));
    for (resolved, suppressed, within, without) in [
        (Account, None, Some(MailKind::Recovery), Some(MailKind::Recovery)),
        (Account, complaint, Some(MailKind::RecoveryAfterComplaint), Some(MailKind::RecoveryAfterComplaint)),
        (Account, bounce, None, None),
        (Address, None, Some(MailKind::NoAccount), None),
        (Address, complaint, None, None),
        (Address, bounce, None, None),
        (Nothing, None, None, None),
        (Nothing, complaint, None, None),
        (Nothing, bounce, None, None),
    ] {
        for (is_within, expected) in [(true, within), (false, without)] {
            let found = MailKind::of_reset(resolved, suppressed, is_within);
            assert_eq!(found, expected, "{resolved:?} {suppressed:?} {is_within}");
        }
    }
    for (suppressed, expected) in [(None, Some(MailKind::Registration)), (bounce, None), (complaint, None)] {
        assert_eq!(MailKind::of_registration(suppressed), expected, "{suppressed:?}");
    }
}

/// Password resets of one account as the function grants them: the rate limits it spends, in its order and by its
/// rules.
struct Resets {
    limits: Limits,
    spent: HashMap<[u8; 32], Vec<Hit>>,
    levels: HashMap<[u8; 32], Timestamp>,
}

/// A request: what is requested, and from which network.
#[derive(Clone, Copy)]
struct Ask<'a> {
    key: &'a str,
    network: &'a Network,
    is_described: bool,
}

const OWNER: &str = "owner@example.com";

impl Resets {
    /// With the default waits, and a tenth of the default rate limits, so that a tenth of the requests exhausts them.
    fn new() -> Self {
        let window = |max, seconds| Window { max, seconds };
        let steps = [2, 4, 15, 60, 240].map(|minutes| minutes * MINUTE).to_vec();
        let share = RateLimit::new(vec![window(1, MINUTE), window(6, HOUR)]);
        let limits = Limits {
            source: RateLimit::new(vec![window(1, 2 * MINUTE)]),
            share_of_unconfirmed: share.clone(),
            share,
            domain: RateLimit::new(vec![window(6, MINUTE)]),
            domain_mails: Bucket::new(60, 60),
            mails: Bucket::new(300, 300),
            unconfirmed: Bucket::new(18, 6),
            mailbox: Waits::new(steps, DAY),
            after_complaint: Waits::new(vec![DAY], DAY),
        };
        Self {
            limits,
            spent: HashMap::new(),
            levels: HashMap::new(),
        }
    }

    fn spend(&mut self, limit: &RateLimit, subject: [u8; 32], act: &Hit) -> bool {
        let spent = self.spent.entry(subject).or_default();
        match limit.spend(spent, act) {
            Ok(next) => {
                *spent = next;
                true
            }
            Err(_) => false,
        }
    }

    fn take(&mut self, bucket: Bucket, subject: [u8; 32], now: Timestamp) -> bool {
        let level = self.levels.entry(subject).or_insert(Timestamp::from_seconds(0));
        match bucket.take(*level, now) {
            Ok(next) => {
                *level = next;
                true
            }
            Err(_) => false,
        }
    }

    /// The resulting mail, and its recipient.
    fn ask<'a>(&mut self, ask: Ask<'a>, seconds: u64) -> Option<(MailKind, &'a str)> {
        let act = Hit {
            at: Timestamp::from_seconds(seconds),
            by: String::new(),
        };
        let (limits, now) = (self.limits.clone(), act.at);
        let request = RequestKind::PasswordReset;
        let name = DomainName::parse("pbx.example").expect("a domain");
        let name = ask.is_described.then_some(&name);
        if !self.spend(&limits.source, source(request, ask.network), &act)
            || !self.spend(&limits.share, share(request, ask.network, name), &act)
        {
            return None;
        }
        let is_within = self.spend(&limits.domain, domain(request, name), &act)
            & (self.take(limits.domain_mails, domain_mails(request, name), now)
                && self.take(limits.mails, mails(request), now));
        let resolved = match (ask.key == OWNER, ask.is_described) {
            (true, _) => Resolved::Account,
            (false, true) => Resolved::Address,
            (false, false) => Resolved::Nothing,
        };
        let kind = MailKind::of_reset(resolved, None, is_within)?;
        let sent = self.spent.entry(of(kind, ask.key)).or_default();
        *sent = limits.waits(kind).send(sent, &act)?;
        Some((kind, ask.key))
    }
}

/// Pseudo-random numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Requests resets of an owner for 30 days, from the attacker's networks and from the owner's own, every ten minutes.
/// Returns the longest time without a recovery mail in the owner's mailbox, how many there were, and how many mails of
/// other kinds.
fn attack(networks: &[Network], keys: &[&str], bursts: &[u64]) -> (u64, usize, usize) {
    let (mut resets, mut dice) = (Resets::new(), Dice(7));
    let home = Network::of("192.0.2.1");
    let (mut recovered, mut others, mut longest) = (Vec::new(), 0, 0);
    let begin = 1_800_000_000;
    let mut next_burst = begin;
    for now in (begin..begin + 30 * DAY).step_by(60) {
        let mut asks = Vec::new();
        if now >= next_burst {
            for _ in 0..8 {
                asks.push(Ask {
                    key: keys[usize::try_from(dice.roll(keys.len() as u64)).expect("few")],
                    network: &networks[usize::try_from(dice.roll(networks.len() as u64)).expect("few")],
                    is_described: dice.roll(10) > 0,
                });
            }
            next_burst = now + bursts[usize::try_from(dice.roll(bursts.len() as u64)).expect("few")];
        }
        if now % (10 * MINUTE) == 0 {
            // Last, when every limit is used up.
            asks.push(Ask {
                key: OWNER,
                network: &home,
                is_described: true,
            });
        }
        for ask in asks {
            match resets.ask(ask, now) {
                Some((MailKind::Recovery, OWNER)) => {
                    longest = longest.max(now - recovered.last().unwrap_or(&begin));
                    recovered.push(now);
                }
                Some(_) => others += 1,
                None => {}
            }
        }
    }
    (longest.max(begin + 30 * DAY - recovered.last().expect("some")), recovered.len(), others)
}

/// R70: an attacker with thousands of addresses, who requests resets for the owner, for aliases of the owner's mailbox,
/// for strangers and for domains that do not exist, at all rates, keeps no owner without a recovery mail for more than
/// four hours.
#[test]
fn a_flood_of_resets_does_not_block_recovery_mails_to_the_owner() {
    let v4 = (0..5000_u16).map(|n| Network::of(&format!("10.0.{}.{}", n / 250, n % 250)));
    let v6 = (0..5000_u16).map(|n| Network::of(&format!("2001:db8:{n:x}::1")));
    let networks: Vec<_> = v4.chain(v6).collect();
    let strangers = ["a@example.net", "b@example.net", "c@example.net", "d@example.net"];
    let tagged = ["owner+1@example.com", "OWNER+2@example.com", "owner+3@example.com"];
    let everything = [&[OWNER][..], &tagged, &strangers].concat();
    for (what, keys, bursts) in [
        ("the owner all the time", &[OWNER][..], &[10 * MINUTE][..]),
        ("the owner's mailbox by other names", &tagged, &[10 * MINUTE]),
        ("strangers, until all budgets are used up", &strangers, &[10 * MINUTE]),
        ("everything, at any pace", &everything, &[MINUTE, 10 * MINUTE, HOUR, 4 * HOUR]),
    ] {
        let (longest, recovered, others) = attack(&networks, keys, bursts);
        assert!(longest <= 4 * HOUR, "{what}: {longest} s without a mail");
        // Nor is the mailbox flooded: ten mails on the first day, and then one in four hours.
        assert!((170..=200).contains(&recovered), "{what}: {recovered} recovery mails");
        // Mail to strangers has a rate limit.
        assert!(others < 31 * 24 * 60, "{what}: {others}");
    }
}
