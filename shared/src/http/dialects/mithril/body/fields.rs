//! Reads an object field by field, collects the errors in the order of reading, and reports them at the end.

use crate::{
    domain::{
        crypto::secret::Secret,
        otp::Submitted,
        password::Password,
        people::{
            factor::FactorType,
            name::Malformed,
            phone::{NotAPhone, Phone},
        },
    },
    http::{
        dialects::mithril::{Error, invalid::Invalid},
        json::{Json, Object},
    },
};

/// An object that is being read. Unknown fields are refused.
pub(super) struct Fields<'a> {
    object: &'a Object,
    known: Vec<&'static str>,
    beside: Vec<&'a str>,
    wrong: Vec<Invalid>,
}

impl<'a> Fields<'a> {
    /// The fields of this object.
    pub(super) fn of(object: &'a Object) -> Self {
        Self {
            object,
            known: Vec::new(),
            beside: Vec::new(),
            wrong: Vec::new(),
        }
    }

    /// The fields of the object that has this name in the body, as the original's clients send it; no other fields may
    /// be beside it. Without such an object, the fields of the body itself.
    pub(super) fn wrapped(body: &'a Object, name: &str) -> Self {
        match body.get(name) {
            Some(Json::Object(object)) => Self {
                beside: body.names().filter(|other| *other != name).collect(),
                ..Self::of(object)
            },
            Some(Json::Null | Json::Text(_) | Json::Integer(_) | Json::Flag(_) | Json::Other) | None => Self::of(body),
        }
    }

    /// A text, if it is one; the caller decides what else means.
    pub(super) fn word(&mut self, field: &'static str) -> Option<&'a str> {
        match self.get(field)? {
            Json::Text(text) => Some(text.expose()),
            Json::Null | Json::Integer(_) | Json::Flag(_) | Json::Object(_) | Json::Other => None,
        }
    }

    /// A required text.
    pub(super) fn text(&mut self, field: &'static str) -> Option<&'a Secret> {
        let given = self.get(field);
        self.text_of(field, given.unwrap_or(&Json::Null))
    }

    /// A password to be verified.
    pub(super) fn password(&mut self, field: &'static str) -> Option<Password> {
        let text = self.text(field)?;
        self.well_formed(field, Password::given(text))
    }

    /// An optional password to be verified.
    pub(super) fn optional_password(&mut self, field: &'static str) -> Option<Password> {
        let given = self.get(field)?;
        let text = self.text_of(field, given)?;
        self.well_formed(field, Password::given(text))
    }

    /// An optional text; an empty one counts as missing.
    pub(super) fn given(&mut self, field: &'static str) -> Option<&'a Secret> {
        match self.get(field)? {
            Json::Text(text) if text.expose().is_empty() => None,
            json => self.text_of(field, json),
        }
    }

    /// A required name.
    pub(super) fn parsed<T>(&mut self, field: &'static str, parse: impl Fn(&str) -> Result<T, Malformed>) -> Option<T> {
        let text = self.text(field)?;
        self.well_formed(field, parse(text.expose()))
    }

    /// An optional name; an empty one is malformed.
    pub(super) fn optional<T>(
        &mut self,
        field: &'static str,
        parse: impl Fn(&str) -> Result<T, Malformed>,
    ) -> Option<T> {
        let given = self.get(field)?;
        let text = self.text_of(field, given)?;
        self.well_formed(field, parse(text.expose()))
    }

    /// An optional boolean, `false` by default.
    pub(super) fn flag(&mut self, field: &'static str) -> bool {
        match self.get(field) {
            None => false,
            Some(Json::Flag(flag)) => *flag,
            Some(Json::Null | Json::Text(_) | Json::Integer(_) | Json::Object(_) | Json::Other) => {
                self.wrong.push(Invalid::cast(field, "boolean"));
                false
            }
        }
    }

    /// What is submitted as second factor; `length` is the number of digits of a code by text message. A text, or a whole
    /// number, which has lost its leading zeros.
    pub(super) fn submitted(&mut self, field: &'static str, length: usize) -> Option<Submitted> {
        let submitted = match self.get(field) {
            Some(Json::Text(text)) if text.expose().is_empty() => return self.refuse(Invalid::required(field)),
            Some(Json::Text(text)) => Submitted::parse(text.expose(), length),
            Some(Json::Integer(digits)) => {
                digits.expose().parse().ok().and_then(|number| Submitted::of_number(number, length))
            }
            Some(Json::Flag(_) | Json::Object(_) | Json::Other) => None,
            Some(Json::Null) | None => return self.refuse(Invalid::required(field)),
        };
        submitted.or_else(|| self.refuse(Invalid::no_code(field, length)))
    }

    /// One of these types of factor.
    pub(super) fn factor_type(&mut self, field: &'static str, of: &[FactorType]) -> Option<FactorType> {
        let text = self.text(field)?;
        let found = FactorType::parse(text.expose()).filter(|found| of.contains(found));
        found.or_else(|| self.refuse(no_factor_type(field, of)))
    }

    /// A phone number in E.164 form.
    pub(super) fn phone(&mut self, field: &'static str) -> Option<Phone> {
        let text = self.text(field)?;
        match Phone::parse(text.expose()) {
            Ok(phone) => Some(phone),
            Err(NotAPhone::Malformed) => self.refuse(Invalid::format(field, r"^\+[1-9][0-9]{6,14}$")),
            Err(NotAPhone::Impossible) => self.refuse(Invalid::impossible_phone(field)),
        }
    }

    /// A field that is allowed and ignored.
    pub(super) fn ignore(&mut self, field: &'static str) {
        self.known.push(field);
    }

    /// A field that repeats a path parameter: it is optional. Another value than the path's would mean another user.
    pub(super) fn repeats(&mut self, field: &'static str, of_path: &str) {
        match self.get(field) {
            None => {}
            Some(Json::Text(text)) if text.expose().eq_ignore_ascii_case(of_path) => {}
            Some(Json::Null | Json::Text(_) | Json::Integer(_) | Json::Flag(_) | Json::Object(_) | Json::Other) => {
                self.wrong.push(Invalid::inclusion(field, &[of_path]));
            }
        }
    }

    /// The result. `whole` builds it, and has all of its parts when there are no errors.
    pub(super) fn end<T>(mut self, whole: impl FnOnce() -> Option<T>) -> Result<T, Error> {
        let unknown = self.object.names().filter(|name| !self.known.contains(name));
        let unknown = unknown.chain(self.beside).map(Invalid::unknown);
        self.wrong.extend(unknown);
        match whole() {
            Some(whole) if self.wrong.is_empty() => Ok(whole),
            Some(_) | None => Err(Error::Invalid(self.wrong)),
        }
    }

    fn get(&mut self, field: &'static str) -> Option<&'a Json> {
        self.known.push(field);
        self.object.get(field)
    }

    fn text_of(&mut self, field: &str, json: &'a Json) -> Option<&'a Secret> {
        match json {
            Json::Text(text) if !text.expose().is_empty() => Some(text),
            Json::Text(_) | Json::Null => self.refuse(Invalid::required(field)),
            Json::Integer(_) | Json::Flag(_) | Json::Object(_) | Json::Other => {
                self.refuse(Invalid::cast(field, "string"))
            }
        }
    }

    fn well_formed<T>(&mut self, field: &str, parsed: Result<T, Malformed>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(malformed) => self.refuse(Invalid::malformed(field, malformed)),
        }
    }

    fn refuse<T>(&mut self, invalid: Invalid) -> Option<T> {
        self.wrong.push(invalid);
        None
    }
}

/// A text that is not one of these types of factor.
pub(super) fn no_factor_type(field: &str, of: &[FactorType]) -> Invalid {
    let names: Vec<_> = of.iter().map(|factor_type| factor_type.name()).collect();
    Invalid::inclusion(field, &names)
}
