//! An event as it was received.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// JSON; `Err` is a name that occurs twice in one object, at any depth. `serde_json` itself silently keeps the last
/// one, so that the command executed would not be the one requested.
pub struct Given(pub Result<Value, String>);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Given, E> {
        Ok(Given(Ok(Value::Null)))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Given, E> {
        Ok(Given(Ok(flag.into())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Given, E> {
        Ok(Given(Ok(number.into())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Given, E> {
        Ok(Given(Ok(number.into())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Given, E> {
        Ok(Given(Ok(number.into())))
    }

    fn visit_str<E>(self, text: &str) -> Result<Given, E> {
        Ok(Given(Ok(text.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Given, A::Error> {
        let mut found = Ok(Vec::new());
        while let Some(Given(element)) = list.next_element()? {
            found = found.and_then(|mut found| {
                found.push(element?);
                Ok(found)
            });
        }
        Ok(Given(found.map(Value::Array)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Given, A::Error> {
        let mut found = Ok(Map::new());
        while let Some((name, Given(value))) = entries.next_entry::<String, Given>()? {
            found = found.and_then(|mut found| match found.insert(name.clone(), value?) {
                None => Ok(found),
                Some(_) => Err(name),
            });
        }
        Ok(Given(found.map(Value::Object)))
    }
}
