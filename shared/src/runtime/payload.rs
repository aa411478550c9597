//! Floor 1: the payload that invokes a function without a route.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// A payload as it was received: JSON. `Err` is a name that occurs twice in one object, at any depth. `serde_json` itself silently keeps the last
/// one, so that the command executed would not be the one requested.
pub struct Payload(pub Result<Value, String>);

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Payload;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Payload, E> {
        Ok(Payload(Ok(Value::Null)))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Payload, E> {
        Ok(Payload(Ok(flag.into())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Payload, E> {
        Ok(Payload(Ok(number.into())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Payload, E> {
        Ok(Payload(Ok(number.into())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Payload, E> {
        Ok(Payload(Ok(number.into())))
    }

    fn visit_str<E>(self, text: &str) -> Result<Payload, E> {
        Ok(Payload(Ok(text.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Payload, A::Error> {
        let mut found = Ok(Vec::new());
        while let Some(Payload(element)) = list.next_element()? {
            found = found.and_then(|mut found| {
                found.push(element?);
                Ok(found)
            });
        }
        Ok(Payload(found.map(Value::Array)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Payload, A::Error> {
        let mut found = Ok(Map::new());
        while let Some((name, Payload(value))) = entries.next_entry::<String, Payload>()? {
            found = found.and_then(|mut found| match found.insert(name.clone(), value?) {
                None => Ok(found),
                Some(_) => Err(name),
            });
        }
        Ok(Payload(found.map(Value::Object)))
    }
}
