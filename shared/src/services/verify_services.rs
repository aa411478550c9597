//! Floor 2: changes to the services of an account. Each is one transaction with its audit event, on condition that the
//! service, or the account's list of services, has not changed since it was read (optimistic locking).

use std::ops::ControlFlow;

use crate::{
    domain::{
        audit::Act,
        time::Timestamp,
        verification::{
            service::{Full, Service, ServiceList},
            sid::AccountSid,
        },
    },
    fault::Fault,
    refusal::Denied,
    runtime::edge::Wire,
    services::audit::{AuditLog, Cause},
    store::{
        retry::{optimistic, optimistic_from},
        rows::verify_service::{exists, is_unchanged, list_is_unchanged},
        table::{Batch, BatchGet, Committed, Delete, Put, Table, Transaction, settled},
    },
};

/// Maximum number of attempts while other requests change the same service or list.
const TRIES: u32 = 6;

/// Adds the first service of a new account to the account's own transaction.
///
/// # Panics
/// Never: a list has room for one.
pub fn add_first(
    services: &Table<Service, Put>,
    lists: &Table<ServiceList, Put>,
    transaction: &mut Transaction,
    service: &Service,
    now: Timestamp,
) {
    let list = ServiceList::empty(service.account);
    let next = list.with(service.sid).expect("a list has room for one");
    transaction.put_new(services, service, now);
    transaction.put_if(lists, &next, list_is_unchanged(&list));
}

/// Creates and deletes the services of an account.
#[derive(Debug, Wire)]
pub struct AccountServices {
    /// Reads lists.
    pub lists: Table<ServiceList, BatchGet>,
    /// Reads services.
    pub services: Table<Service, BatchGet>,
    change_lists: Table<ServiceList, Put>,
    change_services: Table<Service, Put>,
    delete_services: Table<Service, Delete>,
    audit: AuditLog,
}

impl AccountServices {
    /// The list of an account's services.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn list(&self, account: AccountSid, now: Timestamp) -> Result<ServiceList, Fault> {
        let list = Batch::one(&self.lists, &account, now).await?;
        Ok(list.unwrap_or_else(|| ServiceList::empty(account)))
    }

    /// Creates a service at the end of its account's list.
    ///
    /// # Errors
    /// [`Fault`] when the store fails, or when other requests changed the list every time.
    pub async fn create(&self, service: &Service, cause: Cause<'_>, act: &Act) -> Result<Result<(), Full>, Fault> {
        optimistic(TRIES, "the list of services", async || {
            let list = self.list(service.account, cause.at).await?;
            let Ok(next) = list.with(service.sid) else {
                return Ok(Some(Err(Full)));
            };
            let mut transaction = Transaction::default();
            transaction.put_new(&self.change_services, service, cause.at);
            transaction.put_if(&self.change_lists, &next, list_is_unchanged(&list));
            self.audit.add(&mut transaction, cause, act.clone());
            let is_ours = Batch::finds(&self.services, &service.sid, cause.at);
            Ok(match settled(transaction.commit().await, is_ours).await? {
                Committed::Yes => Some(Ok(())),
                Committed::No(_) => None,
            })
        })
        .await
    }

    /// Deletes a service. Verifications of it end with it, because they are reached by it only.
    ///
    /// # Errors
    /// [`Fault`] when the store fails, or when other requests changed the list every time. Inside:
    /// [`Denied::NoService`] when another request has deleted it.
    pub async fn delete(&self, service: &Service, cause: Cause<'_>, act: &Act) -> Result<Result<(), Denied>, Fault> {
        optimistic(TRIES, "the list of services", async || {
            let list = self.list(service.account, cause.at).await?;
            let mut transaction = Transaction::default();
            let deleted = transaction.delete_if(&self.delete_services, &service.sid, exists());
            transaction.put_if(&self.change_lists, &list.without(service.sid), list_is_unchanged(&list));
            self.audit.add(&mut transaction, cause, act.clone());
            let is_gone = async { Ok(!Batch::finds(&self.services, &service.sid, cause.at).await?) };
            Ok(match settled(transaction.commit().await, is_gone).await? {
                Committed::Yes => Some(Ok(())),
                Committed::No(steps) if steps.contains(&deleted) => Some(Err(Denied::NoService)),
                Committed::No(_) => None,
            })
        })
        .await
    }
}

/// Changes the settings and rate limits of a service.
#[derive(Debug, Wire)]
pub struct ServiceChanges {
    services: Table<Service, BatchGet>,
    change_services: Table<Service, Put>,
    audit: AuditLog,
}

impl ServiceChanges {
    /// Changes a service: `next` computes its new state from the one that was read. Returns that new state.
    ///
    /// # Errors
    /// [`Fault`] when the store fails, or when other requests changed the service every time. Inside: the error of
    /// `next`, and [`Denied::NoService`] when the service was deleted meanwhile.
    pub async fn change<E: From<Denied>>(
        &self,
        read: Service,
        cause: Cause<'_>,
        act: &Act,
        next: impl Fn(&Service) -> Result<Service, E>,
    ) -> Result<Result<Service, E>, Fault> {
        optimistic_from(TRIES, "the service", read, async |read| {
            let next = match next(&read) {
                Ok(next) => Service {
                    version: read.version + 1,
                    ..next
                },
                Err(refused) => return Ok(ControlFlow::Break(Err(refused))),
            };
            let mut transaction = Transaction::default();
            transaction.put_if(&self.change_services, &next, is_unchanged(&read));
            self.audit.add(&mut transaction, cause, act.clone());
            // Another request can have made the same change at the same second only: then it does not matter whose it is.
            let is_made = async { Ok(Batch::one(&self.services, &read.sid, cause.at).await?.as_ref() == Some(&next)) };
            if let Committed::Yes = settled(transaction.commit().await, is_made).await? {
                return Ok(ControlFlow::Break(Ok(next)));
            }
            Ok(match Batch::one(&self.services, &read.sid, cause.at).await? {
                Some(other) => ControlFlow::Continue(other),
                None => ControlFlow::Break(Err(Denied::NoService.into())),
            })
        })
        .await
    }
}
