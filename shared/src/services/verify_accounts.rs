//! Floor 2: authentication of the applications that verify phone numbers and mail addresses. One read for the credential,
//! the service that the route names, and what the endpoint wants.

use crate::{
    domain::{
        crypto::secret::Secret,
        people::name::DomainName,
        verification::{
            account::{Credential, CredentialId},
            service::Service,
            sid::{AccountSid, ServiceSid},
        },
    },
    fault::Fault,
    http::call::Call,
    refusal::Denied,
    runtime::edge::Wire,
    store::table::{Batch, BatchGet, Table},
};

/// The admitted application, or why it was denied; [`Fault`] when the store fails.
pub type Admission<T> = Result<Result<T, Denied>, Fault>;

/// Authenticates applications.
#[derive(Debug, Wire)]
pub struct Applications {
    /// Accounts and keys.
    pub credentials: Table<Credential, BatchGet>,
}

/// Authenticates applications, and reads the services that routes name.
#[derive(Debug, Wire)]
pub struct VerifyAccounts {
    /// Authenticates them.
    pub applications: Applications,
    /// Services.
    pub services: Table<Service, BatchGet>,
}

/// An authenticated application.
pub struct Authenticated {
    /// Its account.
    pub account: AccountSid,
    /// The account's tenant.
    pub domain: DomainName,
    /// What the endpoint wanted.
    pub found: Batch,
}

/// An authenticated application, and its service that the route names.
pub struct Admitted {
    /// Its account.
    pub account: AccountSid,
    /// The account's tenant.
    pub domain: DomainName,
    /// The service.
    pub service: Service,
    /// What the endpoint wanted.
    pub found: Batch,
}

/// Authenticates an application. Rows that the endpoint wants are read in the same call.
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn account(
    applications: &Applications,
    call: &Call,
    want: impl FnOnce(&mut Batch),
) -> Admission<Authenticated> {
    let Some((id, secret)) = presented(call) else {
        return Ok(Err(Denied::NoCredential));
    };
    let mut batch = Batch::default();
    batch.want(&applications.credentials, &id);
    want(&mut batch);
    let found = batch.read().await?;
    let credential = found.take(&applications.credentials, &id, call.now)?;
    Ok(opened(credential, &secret).map(|Credential { account, domain, .. }| {
        call.log_actor(id.log_name());
        Authenticated { account, domain, found }
    }))
}

/// Authenticates an application, and reads the service that the route names (`{service}`). Another account's service is
/// denied like one that does not exist. Rows that the endpoint wants are read in the same call.
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn service(accounts: &VerifyAccounts, call: &Call, want: impl FnOnce(&mut Batch)) -> Admission<Admitted> {
    let sid = named_service(call);
    let admitted = account(&accounts.applications, call, |batch| {
        if let Some(sid) = sid {
            batch.want(&accounts.services, &sid);
        }
        want(batch);
    });
    let Authenticated { account, domain, found } = match admitted.await? {
        Ok(admitted) => admitted,
        Err(denied) => return Ok(Err(denied)),
    };
    let service = sid.map_or(Ok(None), |sid| found.take(&accounts.services, &sid, call.now))?;
    Ok(match service.filter(|service| service.account == account) {
        Some(service) => {
            call.log_subject(service.sid.log_name());
            Ok(Admitted {
                account,
                domain,
                service,
                found,
            })
        }
        None => Err(Denied::NoService),
    })
}

/// The service that a request names, before it is authenticated.
#[must_use]
pub fn named_service(call: &Call) -> Option<ServiceSid> {
    ServiceSid::parse(call.path_parameter("service"))
}

/// The account that a request names by its own SID, before it is authenticated; `None` when it names a key.
#[must_use]
pub fn named_account(call: &Call) -> Option<AccountSid> {
    match presented(call)?.0 {
        CredentialId::Account(sid) => Some(sid),
        CredentialId::Key(_) => None,
    }
}

fn presented(call: &Call) -> Option<(CredentialId, Secret)> {
    let basic = call.basic()?;
    Some((CredentialId::parse(&basic.user)?, basic.password))
}

fn opened(credential: Option<Credential>, secret: &Secret) -> Result<Credential, Denied> {
    match credential {
        None => Err(Denied::UnknownCredential),
        Some(credential) if credential.is_opened_by(secret) => Ok(credential),
        Some(_) => Err(Denied::WrongSecret),
    }
}
