//! The operator's identity provider.

use crate::{
    domain::auth::provider::{Mark, Provider},
    runtime::edge::{Edge, Refused},
};

impl Edge {
    /// The identity provider that authenticates callers; `None` if Countersign's own tokens do. The gateway verifies
    /// the provider's tokens: the same parameter configures it.
    ///
    /// # Errors
    /// [`Refused`] when the claim of administrators has no value, or a value has no claim.
    pub fn identity_provider(&self) -> Result<Option<Provider>, Refused> {
        let Some(issuer) = self.text("JWT_ISSUER") else {
            return Ok(None);
        };
        let admin = match (self.text("JWT_ADMIN_CLAIM"), self.text("JWT_ADMIN_VALUE")) {
            (None, None) => None,
            (Some(claim), Some(value)) => Some(Mark {
                claim: claim.to_owned(),
                value: value.to_owned(),
            }),
            (Some(_), None) => return Err(self.refuse("JWT_ADMIN_VALUE", "must be set with JWT_ADMIN_CLAIM")),
            (None, Some(_)) => return Err(self.refuse("JWT_ADMIN_CLAIM", "must be set with JWT_ADMIN_VALUE")),
        };
        Ok(Some(Provider {
            issuer: issuer.to_owned(),
            user: self.text("JWT_USER_CLAIM").unwrap_or("sub").to_owned(),
            client: self.text("JWT_CLIENT_CLAIM").unwrap_or("client_id").to_owned(),
            scopes: self.text("JWT_SCOPE_CLAIM").unwrap_or("scope").to_owned(),
            scope_prefix: self.text("JWT_SCOPE_PREFIX").unwrap_or_default().to_owned(),
            admin,
        }))
    }
}
