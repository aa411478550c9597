//! Forms and queries of this dialect: names are case-sensitive, unknown ones are ignored, because official clients send
//! new ones before the product has them.

use super::Error;
use crate::{
    domain::crypto::secret::Secret,
    http::{
        call::{Call, Parameters},
        rejection::Rejection,
    },
};

/// The fields of a form or a query.
#[derive(Debug)]
pub struct Form(Parameters);

impl Form {
    /// The body of a call.
    ///
    /// # Errors
    /// [`Rejection`] when it is not a form, or is malformed.
    pub fn read(call: &Call) -> Result<Self, Rejection> {
        call.form().map(Self)
    }

    /// The query of a call.
    ///
    /// # Errors
    /// [`Rejection`] when it is malformed.
    pub fn query(call: &Call) -> Result<Self, Rejection> {
        call.query().map(Self)
    }

    /// A field, if it is given; an empty one counts as given.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// A field that must be given.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is missing.
    pub fn required(&self, name: &'static str) -> Result<&Secret, Error> {
        self.get(name).ok_or(Error::Invalid(name))
    }

    /// A field, if it is given, as `parse` reads it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `parse` returns `None`.
    pub fn parsed<T>(&self, name: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Error> {
        let parse = |text: &Secret| parse(text.expose()).ok_or(Error::Invalid(name));
        self.get(name).map(parse).transpose()
    }

    /// `true` or `false`, in any letter case, if it is given.
    ///
    /// # Errors
    /// [`Error::Invalid`] for any other text.
    pub fn flag(&self, name: &'static str) -> Result<Option<bool>, Error> {
        self.parsed(name, |text| match text.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }

    /// A whole number in decimal digits, if it is given, as `parse` reads it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for any other text, and when `parse` returns `None`.
    pub fn number<T>(&self, name: &'static str, parse: impl FnOnce(u64) -> Option<T>) -> Result<Option<T>, Error> {
        self.parsed(name, |text| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            parse(text.parse().ok().filter(|_| is_number)?)
        })
    }

    /// Refuses a field that asks for what is not available; empty and the default are accepted, in any letter case.
    ///
    /// # Errors
    /// [`Error::FeatureOff`] for any other text.
    pub fn only(&self, name: &str, default: &str) -> Result<(), Error> {
        match self.get(name).map(Secret::expose) {
            None | Some("") => Ok(()),
            Some(text) if text.eq_ignore_ascii_case(default) => Ok(()),
            Some(_) => Err(Error::FeatureOff),
        }
    }
}
