//! Entities: form, query and bodies.

mod challenge;
mod factor;

pub use challenge::{
    ChallengeAnswerForm, ChallengeBody, ChallengeForm, ChallengeList, ChallengeQuery, challenge, challenges,
};
pub use factor::{
    EntityFactorBody, EntityFactorList, FactorChangeForm, FactorForm, NewEntityFactorBody, factor, factors, new_factor,
};

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{Error, Form, PageMeta, Paging, Urls};
use crate::{
    domain::verification::{
        entity::{Entity, Identity},
        service::Service,
    },
    http::{call::Call, reply::Answer},
    observe::Outcome,
};

/// The form that creates an entity.
#[derive(Debug, ToSchema)]
pub struct EntityForm {
    /// The application's name of the entity, such as the id of a user; it should not say who that is.
    #[schema(rename = "Identity", value_type = String, pattern = "^[A-Za-z0-9-]{8,64}$", example = "ff483d1f-f591-4898-a994-2916050d2ca3")]
    pub identity: Identity,
}

impl EntityForm {
    /// Reads the form.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the identity is missing or not valid; a malformed request when the body is not a form.
    pub fn read(call: &Call) -> Result<Self, Error> {
        let identity = Form::read(call)?.parsed("Identity", Identity::parse)?;
        Ok(Self {
            identity: identity.ok_or(Error::Invalid("Identity"))?,
        })
    }
}

/// The query of the list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EntityQuery {
    /// The size of the page.
    #[param(ignore)]
    pub paging: Paging,
    /// The identity that the page begins with.
    #[param(rename = "PageToken", value_type = String, required = false, pattern = "^[A-Za-z0-9-]{8,64}$")]
    pub from: Option<Identity>,
}

impl EntityQuery {
    /// Reads the query.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the name of the first invalid parameter.
    pub fn read(call: &Call) -> Result<Self, Error> {
        Ok(Self {
            paging: Paging::read(call)?,
            from: Form::query(call)?.parsed("PageToken", Identity::parse)?,
        })
    }

    /// The number of elements on the page.
    #[must_use]
    pub fn size(&self) -> usize {
        self.paging.page_size
    }
}

/// An entity.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityBody {
    /// Its SID.
    #[schema(pattern = "^YE[0-9a-f]{32}$")]
    sid: String,
    /// The application's name of it.
    #[schema(pattern = "^[A-Za-z0-9-]{8,64}$")]
    identity: String,
    /// The account of the service.
    #[schema(pattern = "^AC[0-9a-f]{32}$")]
    account_sid: String,
    /// The service that it belongs to.
    #[schema(pattern = "^VA[0-9a-f]{32}$")]
    service_sid: String,
    /// When it was created.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    date_created: String,
    /// When a factor was added or removed last.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    date_updated: String,
    /// Its address.
    #[schema(format = "uri")]
    url: String,
    /// The addresses of what belongs to it.
    links: EntityLinks,
}

/// The addresses of what belongs to an entity.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityLinks {
    #[schema(format = "uri")]
    factors: String,
    #[schema(format = "uri")]
    new_factors: String,
    #[schema(format = "uri")]
    challenges: String,
}

impl EntityBody {
    fn of(service: &Service, identity: &Identity, entity: &Entity, urls: &Urls<'_>) -> Self {
        let url = urls.entity(service.sid, identity);
        Self {
            sid: entity.sid.as_text(),
            identity: identity.as_str().to_owned(),
            account_sid: service.account.as_text(),
            service_sid: service.sid.as_text(),
            date_created: entity.created_at.iso(),
            date_updated: entity.updated_at.iso(),
            links: EntityLinks {
                factors: format!("{url}/Factors"),
                new_factors: format!("{url}/Factors"),
                challenges: format!("{url}/Challenges"),
            },
            url,
        }
    }
}

/// A page of entities.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityList {
    entities: Vec<EntityBody>,
    meta: PageMeta,
}

/// An entity, with that status.
#[must_use]
pub fn entity(
    status: u16,
    outcome: Outcome,
    (service, identity): (&Service, &Identity),
    entity: &Entity,
    urls: &Urls<'_>,
) -> Answer {
    Answer::json(status, outcome, &EntityBody::of(service, identity, entity, urls))
}

/// 200: the entities on a page, and the identity that the next page begins with.
#[must_use]
pub fn entities(
    query: &EntityQuery,
    service: &Service,
    on_page: &[(Identity, Entity)],
    next: Option<&Identity>,
    urls: &Urls<'_>,
) -> Answer {
    let tokens = (query.from.as_ref().map(Identity::as_str), next.map(Identity::as_str));
    let body = EntityList {
        entities: on_page.iter().map(|(identity, entity)| EntityBody::of(service, identity, entity, urls)).collect(),
        meta: query.paging.meta_by_token(&urls.entities(service.sid), "entities", tokens),
    };
    Answer::json(200, Outcome::EntitiesListed, &body)
}
