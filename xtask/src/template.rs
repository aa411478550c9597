//! Reading template.yaml.

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value, json};

use crate::source::read;

/// template.yaml. A short tag keeps its sign: `!Ref X` is `{"!Ref": "X"}`.
pub struct Template(pub Value);

/// A function of the template.
pub struct Function<'a> {
    /// Its name in the template.
    pub logical_id: &'a str,
    /// Its folder and its bin.
    pub name: &'a str,
    /// Its properties.
    pub properties: &'a Value,
}

/// A route of a function: `GET /path`, or `$default`.
pub struct Route<'a> {
    /// As API Gateway names it.
    pub key: String,
    /// The function's name.
    pub function: &'a str,
}

impl Template {
    /// The repository's template.
    #[must_use]
    pub fn read() -> Self {
        Self::parse(&read("template.yaml").text)
    }

    /// The template in a text.
    pub fn parse(text: &str) -> Self {
        let documents = Yaml::load_from_str(text).unwrap_or_else(|error| panic!("template.yaml is not YAML: {error}"));
        Self(convert(documents.first().expect("template.yaml is empty: it declares everything there is")))
    }

    /// The resources of a type, by logical id.
    pub fn resources(&self, of_type: &str) -> Vec<(&str, &Value)> {
        entries(&self.0["Resources"])
            .into_iter()
            .filter(|(_, resource)| resource["Type"] == of_type)
            .collect()
    }

    /// The functions.
    pub fn functions(&self) -> Vec<Function<'_>> {
        self.resources("AWS::Serverless::Function")
            .into_iter()
            .map(|(logical_id, resource)| Function {
                logical_id,
                name: resource["Metadata"]["BuildProperties"]["Binary"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{logical_id} builds nothing: give it Metadata.BuildProperties.Binary")),
                properties: &resource["Properties"],
            })
            .collect()
    }

    /// The routes, without the `HEAD` that belongs to a `GET`.
    pub fn routes(&self) -> Vec<Route<'_>> {
        let mut routes = self.all_routes();
        routes.retain(|route| !route.key.starts_with("HEAD "));
        routes
    }

    /// The routes, `HEAD` included.
    pub fn all_routes(&self) -> Vec<Route<'_>> {
        let mut routes = Vec::new();
        for function in self.functions() {
            for event in function.events() {
                if event["Type"] == "HttpApi" {
                    let of = |name: &str| event["Properties"][name].as_str();
                    let key = match (of("Method"), of("Path")) {
                        (Some(method), Some(path)) => format!("{} {path}", method.to_uppercase()),
                        _ => "$default".to_owned(),
                    };
                    let function = function.name;
                    routes.push(Route { key, function });
                }
            }
        }
        routes
    }

    /// The logical id behind an environment variable, or the text that contains it, wherever it is used.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.functions()
            .iter()
            .find_map(|function| function.variables().into_iter().find(|(variable, _)| *variable == name))
            .and_then(|(_, value)| value["!Ref"].as_str().or(value["!Sub"].as_str()).map(str::to_owned))
    }
}

impl<'a> Function<'a> {
    /// What invokes it.
    pub fn events(&self) -> Vec<&'a Value> {
        let events = entries(&self.properties["Events"]);
        events.into_iter().map(|(_, event)| event).collect()
    }

    /// Its environment variables, without the common ones.
    pub fn variables(&self) -> Vec<(&'a str, &'a Value)> {
        entries(&self.properties["Environment"]["Variables"])
    }
}

/// A mapping's entries; none if the value is not a mapping.
pub fn entries(value: &Value) -> Vec<(&str, &Value)> {
    value
        .as_object()
        .map(|map| map.iter().map(|(key, value)| (key.as_str(), value)).collect())
        .unwrap_or_default()
}

/// A list's values; a single value is a list of one, an absent one is empty.
pub fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        value => vec![value],
    }
}

/// Every text in a value, keys left out.
pub fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(map) => map.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

fn convert(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(items) => items.iter().map(convert).collect(),
        Yaml::Mapping(entries) => {
            let key = |key: &Yaml<'_>| match convert(key) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            Value::Object(entries.iter().map(|(k, value)| (key(k), convert(value))).collect())
        }
        Yaml::Tagged(tag, inner) => {
            let inner = convert(inner);
            Value::Object(Map::from_iter([(format!("!{}", tag.suffix), inner)]))
        }
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => {
            panic!("template.yaml holds an alias or a value that cannot be read: write it out")
        }
    }
}
