//! Builds the fields of a function's struct from the environment.

pub use countersign_macros::Wire;

use super::{Edge, Kept, Refused};
use crate::{
    delivery::{bus::EventBus, mail::Mailer, text::Texter},
    runtime::keys::{KeyShelf, Keys},
    store::{
        rows::rate_limit::Creations,
        table::{Row, Table},
    },
};

/// A value built from a function's environment. The fields of a struct that derives `Wire` are all that the function
/// can access: `cargo xtask generate` derives its role and its variables from them.
pub trait Wire: Sized {
    /// Builds the value.
    ///
    /// # Errors
    /// [`Refused`] after every problem was recorded.
    fn wire(edge: &Edge) -> Result<Self, Refused>;
}

impl<R: Row, A> Wire for Table<R, A> {
    fn wire(edge: &Edge) -> Result<Self, Refused> {
        Ok(edge.table())
    }
}

impl<P: Kept> Wire for Keys<P> {
    fn wire(edge: &Edge) -> Result<Self, Refused> {
        edge.keys()
    }
}

impl<P: Kept> Wire for KeyShelf<P> {
    fn wire(edge: &Edge) -> Result<Self, Refused> {
        Ok(Self::new(edge.secrets_client(), edge.required(P::VARIABLE)?))
    }
}

impl Wire for Mailer {
    fn wire(edge: &Edge) -> Result<Self, Refused> {
        edge.mailer()
    }
}

impl Wire for Option<Mailer> {
    fn wire(edge: &Edge) -> Result<Self, Refused> {
        edge.mailer_if_any()
    }
}

impl Wire for Option<EventBus> {
    fn wire(edge: &Edge) -> Result<Self, Refused> {
        edge.event_bus()
    }
}

impl Wire for Texter {
    fn wire(edge: &Edge) -> Result<Self, Refused> {
        edge.texter()
    }
}

impl Wire for Creations {
    fn wire(edge: &Edge) -> Result<Self, Refused> {
        Ok(Self(edge.table()))
    }
}
