//! OAuth scopes: what a token authorizes.

/// One scope of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// GitLab: everything.
    Api,
    /// GitLab: reading users.
    ReadUser,
    /// GitLab: reading everything.
    ReadApi,
    /// Broadleaf: the passcode endpoints.
    Passcode,
    /// Mithril: what its clients request at login. It authorizes changing the phone of one's own factor, and nothing
    /// else.
    AppAuthorize,
    /// Mithril: reading second factors.
    FactorRead,
    /// Mithril: creating second factors, disabling and enabling them, and changing the phone of one's own.
    FactorWrite,
    /// Mithril: resetting second factors.
    FactorReset,
    /// Mithril: creating users.
    UserWrite,
    /// Mithril: making users administrators of their domain, with which a client has an administrator's right to do so.
    UserAdmin,
    /// Mithril: blocking users.
    UserBlock,
    /// Mithril: unblocking users.
    UserUnblock,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 12] = [
        Self::Api,
        Self::ReadUser,
        Self::ReadApi,
        Self::Passcode,
        Self::AppAuthorize,
        Self::FactorRead,
        Self::FactorWrite,
        Self::FactorReset,
        Self::UserWrite,
        Self::UserAdmin,
        Self::UserBlock,
        Self::UserUnblock,
    ];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::ReadUser => "read_user",
            Self::ReadApi => "read_api",
            Self::Passcode => "passcode",
            Self::AppAuthorize => "app:authorize",
            Self::FactorRead => "authentication_factor:read",
            Self::FactorWrite => "authentication_factor:write",
            Self::FactorReset => "authentication_factor:reset",
            Self::UserWrite => "user:write",
            Self::UserAdmin => "user:admin",
            Self::UserBlock => "user:block",
            Self::UserUnblock => "user:unblock",
        }
    }

    /// The scope of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// The scopes that authorize a route, any one of them.
#[derive(Clone, Copy, Debug)]
pub struct Needed {
    /// Any of these is sufficient.
    pub any_of: &'static [Scope],
    /// Those of them that a refusal names.
    pub named: &'static [Scope],
}

impl Needed {
    /// Whether a token with these scopes is authorized.
    #[must_use]
    pub fn met_by(self, held: &[Scope]) -> bool {
        self.any_of.iter().any(|scope| held.contains(scope))
    }
}
