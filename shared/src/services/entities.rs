//! Floor 2: entities, their factors and their challenges. One read for the credential, the service and the entity's row; one
//! transaction for a change of that row with its audit event, on condition that it has not changed since it was read
//! (optimistic locking).

use crate::{
    domain::{
        people::name::DomainName,
        verification::{
            entity::{EntityId, EntityRecord, Guessed, Identity, Refused},
            service::Service,
        },
    },
    fault::Fault,
    http::call::Call,
    observe::Outcome,
    refusal::Denied,
    runtime::edge::Wire,
    services::{
        audit::AuditLog,
        verify_accounts::{self, Admission, VerifyAccounts},
    },
    store::{
        retry::optimistic,
        rows::verification::is_as_read,
        table::{Batch, BatchGet, Committed, Put, Row, Table, Transaction, settled},
    },
};

/// Reads entities.
#[derive(Debug, Wire)]
pub struct EntityReader {
    /// Authenticates applications.
    pub accounts: VerifyAccounts,
    /// Records of identities.
    pub records: Table<EntityRecord, BatchGet>,
}

/// Changes entities, their factors and their challenges.
#[derive(Debug, Wire)]
pub struct EntityChanges {
    /// Reads them.
    pub reader: EntityReader,
    change_records: Table<EntityRecord, Put>,
    audit: AuditLog,
}

/// An authenticated application, its service, and what is stored about the identity that it names.
pub struct OpenedEntity {
    /// The account's tenant.
    pub domain: DomainName,
    /// The service.
    pub service: Service,
    /// The record of the identity.
    pub record: EntityRecord,
}

/// A change, as a rule decided it.
pub struct Decided {
    /// The record to store.
    pub next: EntityRecord,
    /// Whether a code that was compared was right.
    pub is_right: Option<bool>,
    /// What the audit log records, and of which subjects.
    pub acts: Vec<(Outcome, String)>,
}

/// Maximum number of attempts while others change the same record. The request times out earlier.
const ROUNDS: u32 = 10_000;

impl EntityReader {
    /// Authenticates an application, and reads the service that the route names and the record of an identity in it.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn open(&self, call: &Call, identity: Option<&Identity>) -> Admission<OpenedEntity> {
        let id = verify_accounts::named_service(call).zip(identity).map(|(service, identity)| EntityId {
            service,
            identity: identity.clone(),
        });
        let admitted = verify_accounts::service(&self.accounts, call, |batch| {
            id.iter().for_each(|id| batch.want(&self.records, id));
        });
        let admitted = match admitted.await? {
            Ok(admitted) => admitted,
            Err(denied) => return Ok(Err(denied)),
        };
        let Some(id) = id else {
            return Ok(Err(Denied::NoEntity));
        };
        let record = admitted.found.take(&self.records, &id, call.now)?;
        Ok(Ok(OpenedEntity {
            domain: admitted.domain,
            service: admitted.service,
            record: record.unwrap_or_else(|| EntityRecord::none(id)),
        }))
    }

    /// The same for the identity in the path (`{identity}`).
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn open_named(&self, call: &Call) -> Admission<OpenedEntity> {
        self.open(call, Identity::parse(call.path_parameter("identity")).as_ref()).await
    }

    async fn again(&self, id: &EntityId, call: &Call) -> Result<EntityRecord, Fault> {
        let record = Batch::one(&self.records, id, call.now).await?;
        Ok(record.unwrap_or_else(|| EntityRecord::none(id.clone())))
    }
}

impl EntityChanges {
    /// Changes a record: `decide` judges it as it was read. Of any number of concurrent codes, exactly as many are compared
    /// as the policy allows. `is_made` finds this change in a record that others have changed since, after a lost response.
    ///
    /// # Errors
    /// [`Fault`] when the store fails. Inside: the refusal of `decide`.
    pub async fn change(
        &self,
        call: &Call,
        opened: &OpenedEntity,
        is_made: impl Fn(&EntityRecord) -> bool,
        decide: impl Fn(EntityRecord) -> Result<Decided, Refused>,
    ) -> Result<Result<Decided, Refused>, Fault> {
        let id = opened.record.id.clone();
        let mut read = Some(opened.record.clone());
        optimistic(ROUNDS, "the entity", async || {
            let record = match read.take() {
                Some(record) => record,
                None => self.reader.again(&id, call).await?,
            };
            let version = record.version;
            let decided = match decide(record) {
                Ok(decided) => decided,
                Err(refused) => return Ok(Some(Err(refused))),
            };
            let mut transaction = Transaction::default();
            transaction.put_if(&self.change_records, &decided.next, is_as_read(version));
            for (outcome, subject) in &decided.acts {
                self.audit.add(&mut transaction, call, outcome.of(subject.clone()).in_domain(&opened.domain));
            }
            let is_ours = async {
                let found = self.reader.again(&id, call).await?;
                Ok(is_made(&found) || found.to_item() == decided.next.to_item())
            };
            Ok(match settled(transaction.commit().await, is_ours).await? {
                Committed::Yes => Some(Ok(decided)),
                Committed::No(_) => None,
            })
        })
        .await
    }
}

/// Whether a record counts the code of a call.
#[must_use]
pub fn counts(record: &EntityRecord, call: &Call) -> bool {
    record.ledger.0.iter().any(|guess| guess.by == call.invocation)
}

impl Decided {
    /// A change in which no code was compared.
    #[must_use]
    pub fn changed(next: EntityRecord, acts: Vec<(Outcome, String)>) -> Self {
        Self {
            next,
            is_right: None,
            acts,
        }
    }

    /// A change in which a code may have been compared.
    #[must_use]
    pub fn guessed(guessed: Guessed, acts: Vec<(Outcome, String)>) -> Self {
        Self {
            next: guessed.next,
            is_right: guessed.is_right,
            acts,
        }
    }
}
