//! JSON objects, parsed strictly: what common parsers silently accept is refused (ASVS 1.5.3, 15.3.5).

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};

use crate::domain::crypto::secret::Secret;

/// An object. No name occurs twice, at any depth; every text is valid Unicode.
#[derive(Debug)]
pub struct Object(BTreeMap<String, Json>);

/// A value. Lists and other numbers are recognised but not kept: no route reads one.
#[derive(Debug)]
pub enum Json {
    /// `null`.
    Null,
    /// A text.
    Text(Secret),
    /// A whole number below 2^64 without sign, fraction and exponent, as its digits: codes may be sent this way.
    Integer(Secret),
    /// A boolean.
    Flag(bool),
    /// An object.
    Object(Object),
    /// Any other number, or a list.
    Other,
}

impl Object {
    /// Parses a whole body; `None` unless it is exactly one object.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        match serde_json::from_slice(body).ok()? {
            Json::Object(object) => Some(object),
            Json::Null | Json::Text(_) | Json::Integer(_) | Json::Flag(_) | Json::Other => None,
        }
    }

    /// The value of that name; `None` for `null`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self.0.get(name)? {
            Json::Null => None,
            value => Some(value),
        }
    }

    /// Every name, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Integer(Secret::new(number.to_string())))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(Secret::new(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        while list.next_element::<Json>()?.is_some() {}
        Ok(Json::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut found = BTreeMap::new();
        while let Some((name, value)) = entries.next_entry::<String, Json>()? {
            if found.insert(name, value).is_some() {
                return Err(A::Error::custom("a name comes twice"));
            }
        }
        Ok(Json::Object(Object(found)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_complete_object_is_parsed() {
        for body in [
            "{}",
            r#" {"a":"x"} "#,
            r#"{"a":null,"b":[1,{"c":2}],"d":{"e":"f"},"g":1.5,"h":true,"i":-1}"#,
            r#"{"a":"\u0444\ud83d\ude00"}"#,
        ] {
            assert!(Object::parse(body.as_bytes()).is_some(), "{body}");
        }
        let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
        for body in [
            "",
            "null",
            "[]",
            r#"["a"]"#,
            r#""a""#,
            "1",
            r#"{"a":"x"}{"#,
            r#"{"a":"x"} x"#,
            r#"{"a":"x","a":"y"}"#,
            r#"{"a":"x","\u0061":"y"}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
            r#"{"a":"x",}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":1e999}"#,
            r#"{'a':'x'}"#,
            "{\"a\":\"x\n\"}",
            "\u{feff}{}",
            &deep,
        ] {
            assert!(Object::parse(body.as_bytes()).is_none(), "{body}");
        }
        assert!(Object::parse(b"{\"a\":\"\xff\"}").is_none());
    }

    #[test]
    fn null_is_an_absent_value() {
        let object = Object::parse(br#"{"a":null,"b":"x"}"#).expect("an object");
        assert!(object.get("a").is_none() && object.get("c").is_none());
        assert!(matches!(object.get("b"), Some(Json::Text(text)) if text.expose() == "x"));
        assert_eq!(object.names().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn only_plain_integers_are_kept() {
        let kept = |number: &str| {
            let object = Object::parse(format!(r#"{{"a":{number}}}"#).as_bytes())?;
            match object.get("a") {
                Some(Json::Integer(digits)) => Some(digits.expose().to_owned()),
                other => {
                    assert!(matches!(other, Some(Json::Other)), "{number} is {other:?}");
                    None
                }
            }
        };
        for number in ["0", "42317", "18446744073709551615"] {
            assert_eq!(kept(number).as_deref(), Some(number));
        }
        // The last of these are invalid JSON.
        for number in [
            "18446744073709551616",
            "-0",
            "-1",
            "1.0",
            "1e5",
            "042317",
            "+42317",
            "٤٢",
        ] {
            assert_eq!(kept(number), None, "{number}");
        }
        let object = Object::parse(br#"{"a":true,"b":false}"#).expect("an object");
        assert!(matches!(object.get("a"), Some(Json::Flag(true))));
        assert!(matches!(object.get("b"), Some(Json::Flag(false))));
    }
}
