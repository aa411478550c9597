//! YAML with CloudFormation's short tags, as plain JSON values.

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value};

/// Parses a template. `!Sub x` becomes `{"Fn::Sub": "x"}`, `!GetAtt a.b` becomes `{"Fn::GetAtt": ["a", "b"]}`.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| error.to_string())?;
    match documents.as_slice() {
        [document] => convert(document),
        [] => Err("it is empty".to_owned()),
        _ => Err("it holds more than one YAML document".to_owned()),
    }
}

fn convert(node: &Yaml<'_>) -> Result<Value, String> {
    match node {
        Yaml::Value(scalar) => Ok(convert_scalar(scalar)),
        Yaml::Sequence(items) => items.iter().map(convert).collect::<Result<_, _>>().map(Value::Array),
        Yaml::Mapping(entries) => entries
            .iter()
            .map(|(key, value)| Ok((convert_key(key)?, convert(value)?)))
            .collect::<Result<Map<_, _>, String>>()
            .map(Value::Object),
        Yaml::Tagged(tag, inner) => {
            let inner = convert(inner)?;
            if tag.is_yaml_core_schema() {
                return Ok(inner);
            }
            Ok(match (tag.suffix.as_ref(), inner) {
                (name @ ("Ref" | "Condition"), inner) => Value::Object(Map::from_iter([(name.to_owned(), inner)])),
                ("GetAtt", Value::String(path)) => {
                    let (resource, attribute) =
                        path.split_once('.').ok_or_else(|| format!("!GetAtt {path} names no attribute"))?;
                    serde_json::json!({ "Fn::GetAtt": [resource, attribute] })
                }
                (name, inner) => Value::Object(Map::from_iter([(format!("Fn::{name}"), inner)])),
            })
        }
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => {
            Err("it holds a YAML value that cannot be read".to_owned())
        }
    }
}

fn convert_key(key: &Yaml<'_>) -> Result<String, String> {
    match key {
        Yaml::Value(scalar) => Ok(match convert_scalar(scalar) {
            Value::String(text) => text,
            other => other.to_string(),
        }),
        other => Err(format!("a key must be a plain word, not {other:?}")),
    }
}

fn convert_scalar(scalar: &Scalar<'_>) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => Value::Bool(*value),
        Scalar::Integer(value) => Value::from(*value),
        Scalar::FloatingPoint(value) => Value::from(value.into_inner()),
        Scalar::String(text) => Value::String(text.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn short_tags_become_their_long_form() {
        let text = "
a: !Ref Table
b: !GetAtt Table.Arn
c: !Sub 'x-${Table}'
d: !If [Yes, 1, !Ref AWS::NoValue]
e: !Condition Yes
f: !Sub ['${a}', {a: !GetAtt T.StreamArn}]
g: 2016-10-31
h: '012'
i: true
200: ok
";
        let expected = json!({
            "a": {"Ref": "Table"},
            "b": {"Fn::GetAtt": ["Table", "Arn"]},
            "c": {"Fn::Sub": "x-${Table}"},
            "d": {"Fn::If": ["Yes", 1, {"Ref": "AWS::NoValue"}]},
            "e": {"Condition": "Yes"},
            "f": {"Fn::Sub": ["${a}", {"a": {"Fn::GetAtt": ["T", "StreamArn"]}}]},
            "g": "2016-10-31",
            "h": "012",
            "i": true,
            "200": "ok",
        });
        assert_eq!(parse(text), Ok(expected));
    }

    #[test]
    fn malformed_yaml_is_an_error_with_its_position() {
        let error = parse("a: [1, 2\nb: 3").expect_err("the bracket is never closed");
        assert!(error.contains("line"), "{error}");
        assert!(parse("").is_err());
        assert!(parse("a: 1\na: 2").is_err(), "a key given twice is a mistake");
    }
}
