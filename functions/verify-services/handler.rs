use countersign_shared::{
    domain::verification::service::ServiceList,
    fault::Fault,
    http::{
        call::Call,
        dialects::verify::{self, Error, Paging, ServiceForm, Urls},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::{
        verify_accounts::{self, Admitted, Authenticated, VerifyAccounts},
        verify_services::{AccountServices, ServiceChanges},
    },
    store::table::Batch,
};
use rand::rngs::SysRng;

/// Creates, lists, shows, changes and deletes the services of an account.
#[derive(Wire)]
pub struct Services {
    pub accounts: VerifyAccounts,
    pub services: AccountServices,
    pub changes: ServiceChanges,
    #[wire(public_url)]
    pub public_url: Option<String>,
}

impl Endpoint for Services {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        match call.route.as_str() {
            "POST /v2/Services" => self.create(call).await,
            "GET /v2/Services" | "HEAD /v2/Services" => self.list(call).await,
            "GET /v2/Services/{service}" | "HEAD /v2/Services/{service}" => self.show(call).await,
            "POST /v2/Services/{service}" => self.change(call).await,
            "DELETE /v2/Services/{service}" => self.delete(call).await,
            _ => Err(Fault::Bug("the route is not one of the function's".into()).into()),
        }
    }
}

impl Services {
    async fn create(&self, call: &Call) -> Result<Answer, Error> {
        let Authenticated { account, domain, .. } =
            verify_accounts::account(&self.accounts.applications, call, |_| {}).await??;
        let service = ServiceForm::read(call)?.created(account, &mut SysRng, call.now)?;
        call.log_subject(service.sid.log_name());
        let act = Outcome::ServiceCreated.of(service.sid.log_name()).in_domain(&domain);
        let created = self.services.create(&service, call.into(), &act).await?;
        created.map_err(|_| Error::LimitReached("The account has as many services as it may have"))?;
        Ok(verify::service(201, Outcome::ServiceCreated, &service, &self.urls(call)))
    }

    /// Lists are in order of creation. A key's account is known only after the key was read, so that its list takes
    /// another call.
    async fn list(&self, call: &Call) -> Result<Answer, Error> {
        let named = verify_accounts::named_account(call);
        let admitted = verify_accounts::account(&self.accounts.applications, call, |batch| {
            if let Some(account) = named {
                batch.want(&self.services.lists, &account);
            }
        });
        let Authenticated { account, found, .. } = admitted.await??;
        let page = Paging::read(call)?;
        let list = match named {
            Some(account) => {
                found.take(&self.services.lists, &account, call.now)?.unwrap_or_else(|| ServiceList::empty(account))
            }
            None => self.services.list(account, call.now).await?,
        };
        let mut batch = Batch::default();
        let on_page = page.of(&list.services);
        on_page.iter().for_each(|sid| batch.want(&self.services.services, sid));
        let found = batch.read().await?;
        // One that was deleted since the list was read is left out.
        let services = on_page.iter().filter_map(|sid| found.take(&self.services.services, sid, call.now).transpose());
        let services: Vec<_> = services.collect::<Result<_, _>>()?;
        Ok(verify::services(page, &services, list.services.len(), &self.urls(call)))
    }

    async fn show(&self, call: &Call) -> Result<Answer, Error> {
        let Admitted { service, .. } = verify_accounts::service(&self.accounts, call, |_| {}).await??;
        Ok(verify::service(200, Outcome::ServiceShown, &service, &self.urls(call)))
    }

    async fn change(&self, call: &Call) -> Result<Answer, Error> {
        let Admitted { service, domain, .. } = verify_accounts::service(&self.accounts, call, |_| {}).await??;
        let form = ServiceForm::read(call)?;
        let act = Outcome::ServiceUpdated.of(service.sid.log_name()).in_domain(&domain);
        let next = |read: &_| Ok::<_, Error>(form.changed(read, call.now));
        let changed = self.changes.change(service, call.into(), &act, next).await??;
        Ok(verify::service(200, Outcome::ServiceUpdated, &changed, &self.urls(call)))
    }

    async fn delete(&self, call: &Call) -> Result<Answer, Error> {
        let Admitted { service, domain, .. } = verify_accounts::service(&self.accounts, call, |_| {}).await??;
        let act = Outcome::ServiceDeleted.of(service.sid.log_name()).in_domain(&domain);
        self.services.delete(&service, call.into(), &act).await??;
        Ok(Answer::empty(Outcome::ServiceDeleted))
    }

    fn urls<'a>(&'a self, call: &'a Call) -> Urls<'a> {
        Urls::of(self.public_url.as_deref(), call)
    }
}
