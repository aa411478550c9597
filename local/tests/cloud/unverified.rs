//! The rows of the budget of unverified messages, changed concurrently on a real engine.

use countersign_local::Options;
use countersign_shared::domain::limits::rate_limit::Hit;
use countersign_shared::domain::limits::unverified::{Day, DayId, Days, Limits, Mode, Policy, Tally, day};
use countersign_shared::domain::time::Timestamp;
use countersign_shared::store::rows::unverified::{Receipt, approve, give_back, spend};
use countersign_shared::store::table::{Batch, BatchGet, Committed, Table, Transaction, Update};
use futures_util::future::join_all;

use crate::support::{Folder, Local, binaries, client};

const TEMPLATE: &str = "
Resources:
  BudgetsTable:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: subject, AttributeType: B }]
      KeySchema: [{ AttributeName: subject, KeyType: HASH }]
      TimeToLiveSpecification: { AttributeName: ttl, Enabled: true }
";

const TABLE: &str = "countersign-BudgetsTable";

const POLICY: Policy = Policy {
    mode: Mode::Enforce,
    shards: 1,
};

/// The end of a day: five minutes before midnight.
const NOW: u64 = 20_001 * 86_400 - 300;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(NOW + seconds)
}

struct Rows {
    update: Table<Day, Update>,
    read: Table<Day, BatchGet>,
    _local: Local,
    _folder: Folder,
}

impl Rows {
    async fn new() -> Self {
        let folder = Folder::new();
        let local = Local::start_with(Options::new(folder.template(TEMPLATE), binaries())).await;
        let dynamodb = client!(aws_sdk_dynamodb, local, "dynamodb");
        Self {
            update: Table::new(dynamodb.clone(), TABLE.into()),
            read: Table::new(dynamodb, TABLE.into()),
            _local: local,
            _folder: folder,
        }
    }

    async fn day(&self, at: Timestamp) -> Option<Day> {
        Batch::one(&self.read, &DayId::of("380", 0, at), at).await.expect("it reads")
    }

    async fn days(&self, at: Timestamp) -> Days {
        let yesterday = Timestamp::from_seconds(at.seconds() - 86_400);
        Days {
            today: self.day(at).await,
            yesterday: self.day(yesterday).await,
        }
    }

    /// So many sends at once, each on the strength of the same read: those that passed.
    async fn spend(&self, policy: Policy, count: usize, at: Timestamp) -> Vec<Receipt> {
        let days = self.days(at).await;
        let sends = (0..count).map(async |number| {
            let act = Hit {
                at,
                by: format!("{number} at {}", at.seconds()),
            };
            spend(&self.update, &self.read, policy, "380", 0, days.clone(), &act).await
        });
        let all = join_all(sends).await;
        all.into_iter().filter_map(|sent| sent.expect("the store works").ok()).collect()
    }

    async fn approve(&self, sent: &[Timestamp]) {
        let mut transaction = Transaction::default();
        for (day, change) in approve(sent) {
            let id = DayId {
                day,
                ..DayId::of("380", 0, at(0))
            };
            transaction.update(&self.update, &id, change);
        }
        assert!(matches!(transaction.commit().await, Ok(Committed::Yes)));
    }
}

#[tokio::test]
async fn concurrent_sends_pass_exactly_as_the_budget_allows_and_approvals_fail_for_none() {
    let rows = Rows::new().await;
    // The first message of a day and others at once.
    let mut sent = rows.spend(POLICY, 12, at(0)).await;
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|receipt| !receipt.was_over));
    give_back(&rows.update, sent.pop().expect("three"), at(1)).await.expect("it gives back");
    assert_eq!(rows.spend(POLICY, 12, at(1)).await.len(), 1);
    // On the next day, in the same hour, none is left.
    assert_eq!(rows.spend(POLICY, 3, at(300)).await.len(), 0);
    // Approvals while others send.
    let approvals = join_all((0..3).map(async |_| rows.approve(&[at(0)]).await));
    let (_, sends) = futures_util::future::join(approvals, rows.spend(POLICY, 12, at(2))).await;
    let today = rows.day(at(0)).await.expect("it was written");
    assert_eq!(today.total.approved, 3);
    assert_eq!(today.total.sent, 3 + sends.len() as u64, "no send is lost, and none is counted twice");
    let rest = rows.spend(POLICY, 12, at(3)).await.len();
    assert_eq!(sends.len() + rest, 3, "three were verified, and there is room for three others");
    // Messages of two days are approved by one transaction.
    rows.approve(&[at(299), at(300), at(300)]).await;
    let tomorrow = rows.day(at(300)).await.expect("the approval wrote it");
    assert_eq!((tomorrow.version, tomorrow.total), (0, Tally { sent: 0, approved: 2 }));
    // Its first send keeps them, and remembers the largest day.
    let recorded = Policy {
        mode: Mode::Record,
        ..POLICY
    };
    assert_eq!(rows.spend(recorded, 1, at(301)).await.len(), 1);
    let tomorrow = rows.day(at(300)).await.expect("it was written");
    assert_eq!((tomorrow.version, tomorrow.total, tomorrow.best_before), (1, Tally { sent: 1, approved: 2 }, 4));
    assert_eq!(day(at(300)), day(at(0)) + 1);
}

#[tokio::test]
async fn a_recorded_budget_refuses_nothing_and_says_what_was_beyond_it() {
    let rows = Rows::new().await;
    let recorded = Policy {
        mode: Mode::Record,
        ..POLICY
    };
    let sent = rows.spend(recorded, 8, at(0)).await;
    assert_eq!((sent.len(), sent.iter().filter(|receipt| receipt.was_over).count()), (8, 5));
    let days = rows.days(at(0)).await;
    let standing = POLICY.standing(&days.today.expect("it was written"), days.yesterday.as_ref(), at(0));
    assert_eq!(standing.unverified, Limits { day: 8, hour: 8 });
}
