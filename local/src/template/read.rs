//! Converts the template's resources to what the local cloud runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::document;
use super::eval::{Scope, kind, object};
use super::roles::rights;
use super::values::{generated, rate};
use super::yaml;
use super::{
    Function, MailEvents, Route, Schedule, Secret, SecretSource, StreamMapping, Subscription, Table, Template,
};
use crate::rights::Role;
use crate::streams::Filter;

/// Lambda's own defaults.
const TIMEOUT: u64 = 3;
const MEMORY: u64 = 128;
const BATCH: u64 = 100;

impl Template {
    /// Reads the file. `url` is the API's URL, for `!GetAtt Api.ApiEndpoint` and the parameter `PublicUrl`;
    /// `parameters` override defaults. The error is one line that names the location.
    pub(crate) fn load(path: &Path, url: &str, parameters: &BTreeMap<String, String>) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
        let parsed = yaml::parse(&text).map_err(|error| format!("{shown} is not a template: {error}"))?;
        template(&parsed, url, parameters).map_err(|error| format!("{shown}: {error}"))
    }
}

fn template(parsed: &Value, url: &str, parameters: &BTreeMap<String, String>) -> Result<Template, String> {
    if !parsed.get("Resources").is_some_and(Value::is_object) {
        return Err("it has no Resources".to_owned());
    }
    let mut reader = Reader {
        scope: Scope::of(parsed, url, parameters)?,
        globals: &parsed["Globals"]["Function"],
        out: Template::default(),
    };
    let mut included = Vec::new();
    for (name, resource) in object(parsed, "Resources") {
        if reader.scope.included(resource, &format!("Resources.{name}"))? {
            included.push((name.as_str(), resource));
        }
    }
    // Tables first: streams point at them.
    for (name, resource) in &included {
        match kind(resource) {
            "AWS::DynamoDB::Table" => reader.table(name, resource)?,
            "AWS::SecretsManager::Secret" => reader.secret(name, resource)?,
            "AWS::Serverless::Function" => reader.function(name, resource, &included)?,
            "AWS::SES::ConfigurationSetEventDestination" => reader.mail_events(name, resource)?,
            _ => {}
        }
    }
    reader.name_functions();
    let functions = included.iter().filter(|(_, resource)| kind(resource) == "AWS::Serverless::Function");
    for (index, (name, resource)) in functions.enumerate() {
        for (event_name, event) in object(&resource["Properties"], "Events") {
            reader.event(index, event_name, event, &format!("Resources.{name}.Properties.Events.{event_name}"))?;
        }
    }
    reader.out.check_routes()?;
    for (name, resource) in &included {
        if kind(resource) == "AWS::Serverless::HttpApi" {
            let at = format!("Resources.{name}.Properties.DefinitionBody");
            document::read(&reader.scope, &resource["Properties"]["DefinitionBody"], &at, &mut reader.out)?;
        }
    }
    Ok(reader.out)
}

struct Reader<'t> {
    scope: Scope<'t>,
    globals: &'t Value,
    out: Template,
}

impl Reader<'_> {
    fn function(&mut self, name: &str, resource: &Value, all: &[(&str, &Value)]) -> Result<(), String> {
        let at = format!("Resources.{name}");
        let properties = &resource["Properties"];
        let build = &resource["Metadata"]["BuildProperties"]["Binary"];
        let binary = self
            .scope
            .text(build, &format!("{at}.Metadata.BuildProperties.Binary"))
            .ok()
            .flatten()
            .ok_or_else(|| format!("{at}.Metadata.BuildProperties.Binary must name the function's binary"))?;
        let mut environment: Vec<(String, String)> = Vec::new();
        for (holder, place) in [
            (self.globals, "Globals.Function".to_owned()),
            (properties, format!("{at}.Properties")),
        ] {
            for (key, value) in object(&holder["Environment"], "Variables") {
                if let Some(text) = self.scope.text(value, &format!("{place}.Environment.Variables.{key}"))? {
                    environment.retain(|(known, _)| known != key);
                    environment.push((key.clone(), text));
                }
            }
        }
        let timeout = self.number(properties, "Timeout", &at)?.unwrap_or(TIMEOUT);
        let memory_mb = self.number(properties, "MemorySize", &at)?.unwrap_or(MEMORY);
        let reserved = self.number(properties, "ReservedConcurrentExecutions", &at)?;
        self.out.functions.push(Function {
            logical_id: name.to_owned(),
            name: binary.clone(),
            physical_name: self.scope.physical_name(name, &at)?,
            binary,
            timeout: Duration::from_secs(timeout),
            memory_mb,
            environment,
            role: self.role(properties, all, &at)?,
            reserved: reserved.and_then(|count| usize::try_from(count).ok()),
        });
        Ok(())
    }

    /// The function's role, one of the template's.
    fn role(&self, properties: &Value, all: &[(&str, &Value)], at: &str) -> Result<Arc<Role>, String> {
        let wanted = self.property(properties, "Role", &format!("{at}.Properties"))?;
        for (name, resource) in all.iter().filter(|(_, resource)| kind(resource) == "AWS::IAM::Role") {
            let at = format!("Resources.{name}.Properties");
            let arn = self.scope.text(&json!({ "Fn::GetAtt": [name, "Arn"] }), &at)?;
            if arn.is_some() && arn == wanted {
                return Ok(Arc::new(Role {
                    name: self.scope.physical_name(name, &at)?,
                    rights: rights(&self.scope, resource, &at)?,
                }));
            }
        }
        Err(format!(
            "{at}.Properties.Role must be !GetAtt of a role of the template: without it the function may do nothing"
        ))
    }

    /// A whole number from the function's own properties, or the globals.
    fn number(&self, properties: &Value, key: &str, at: &str) -> Result<Option<u64>, String> {
        for (holder, place) in [
            (properties, format!("{at}.Properties.{key}")),
            (self.globals, format!("Globals.Function.{key}")),
        ] {
            if let Some(value) = holder.get(key)
                && let Some(text) = self.scope.text(value, &place)?
            {
                return text.parse().map(Some).map_err(|_| format!("{place} must be a whole number, not {text}"));
            }
        }
        Ok(None)
    }

    /// If two functions share a binary, its name would be ambiguous.
    fn name_functions(&mut self) {
        let binaries: Vec<String> = self.out.functions.iter().map(|function| function.binary.clone()).collect();
        for function in &mut self.out.functions {
            if binaries.iter().filter(|binary| **binary == function.binary).count() > 1 {
                function.name.clone_from(&function.logical_id);
            }
        }
    }

    fn table(&mut self, name: &str, resource: &Value) -> Result<(), String> {
        let at = format!("Resources.{name}.Properties");
        let physical = self.scope.physical_name(name, &at)?;
        let properties = &resource["Properties"];
        let mut create = Map::from_iter([("TableName".to_owned(), physical.clone().into())]);
        let keys = [
            "AttributeDefinitions",
            "KeySchema",
            "GlobalSecondaryIndexes",
            "LocalSecondaryIndexes",
            "BillingMode",
            "ProvisionedThroughput",
        ];
        for key in keys {
            if let Some(value) = properties.get(key)
                && let Some(value) = self.scope.value(value, &format!("{at}.{key}"))?
            {
                create.insert(key.to_owned(), value);
            }
        }
        let mut stream_arn = None;
        if let Some(stream) = properties.get("StreamSpecification")
            && let Some(stream) = self.scope.value(stream, &format!("{at}.StreamSpecification"))?
        {
            let view = stream.get("StreamViewType").cloned().unwrap_or_else(|| "NEW_AND_OLD_IMAGES".into());
            create.insert("StreamSpecification".into(), json!({ "StreamEnabled": true, "StreamViewType": view }));
            stream_arn = self.scope.text(&json!({ "Fn::GetAtt": [name, "StreamArn"] }), &at)?;
        }
        let mut ttl_attribute = None;
        if let Some(ttl) = properties.get("TimeToLiveSpecification")
            && let Some(ttl) = self.scope.value(ttl, &format!("{at}.TimeToLiveSpecification"))?
            && ttl["Enabled"] == json!(true)
        {
            ttl_attribute = ttl["AttributeName"].as_str().map(str::to_owned);
        }
        let create = Value::Object(create);
        self.out.tables.push(Table {
            logical_id: name.to_owned(),
            name: physical,
            create,
            ttl_attribute,
            stream_arn,
        });
        Ok(())
    }

    fn secret(&mut self, name: &str, resource: &Value) -> Result<(), String> {
        let at = format!("Resources.{name}.Properties");
        let properties = self.scope.value(&resource["Properties"], &at)?.unwrap_or_default();
        let source = match (properties["SecretString"].as_str(), &properties["GenerateSecretString"]) {
            (Some(given), _) => SecretSource::Literal(given.to_owned()),
            (None, Value::Object(options)) => generated(options, &format!("{at}.GenerateSecretString"))?,
            (None, _) => return Err(format!("{at} has neither SecretString nor GenerateSecretString")),
        };
        let arn = self.scope.text(&json!({ "Ref": name }), &at)?.unwrap_or_default();
        self.out.secrets.push(Secret {
            name: self.scope.physical_name(name, &at)?,
            arn,
            source,
        });
        Ok(())
    }

    fn mail_events(&mut self, name: &str, resource: &Value) -> Result<(), String> {
        let at = format!("Resources.{name}.Properties");
        let properties = self.scope.value(&resource["Properties"], &at)?.unwrap_or_default();
        let destination = &properties["EventDestination"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let kinds = destination["MatchingEventTypes"].as_array().into_iter().flatten();
        match (
            destination["Enabled"].as_bool(),
            text(&properties["ConfigurationSetName"]),
            text(&destination["SnsDestination"]["TopicARN"]),
        ) {
            (Some(true), Some(configuration_set), Some(topic)) => self.out.mail_events.push(MailEvents {
                configuration_set,
                kinds: kinds.filter_map(text).collect(),
                topic,
            }),
            _ => self.out.notes.push(format!("{at}: only events that are enabled and go to a topic occur here")),
        }
        Ok(())
    }

    fn event(&mut self, function: usize, event_name: &str, event: &Value, at: &str) -> Result<(), String> {
        let properties = event.get("Properties").cloned().unwrap_or_else(|| json!({}));
        let place = format!("{at}.Properties");
        match kind(event) {
            "HttpApi" => {
                let path = self.property(&properties, "Path", &place)?.filter(|path| path != "$default");
                let method = self.property(&properties, "Method", &place)?.map(|method| method.to_ascii_uppercase());
                let method =
                    method.filter(|method| !matches!(method.as_str(), "ANY" | "*" | "X-AMAZON-APIGATEWAY-ANY-METHOD"));
                if let Some(path) = &path
                    && !path.starts_with('/')
                {
                    return Err(format!("{place}.Path must start with a slash, not be {path}"));
                }
                let method = path.as_ref().and(method);
                self.out.routes.push(Route {
                    method,
                    path,
                    function,
                    authorizer: None,
                });
            }
            "DynamoDB" => self.stream(function, &properties, &place)?,
            "SNS" => {
                let topic =
                    self.property(&properties, "Topic", &place)?.ok_or_else(|| format!("{place} names no Topic"))?;
                self.out.subscriptions.push(Subscription { function, topic });
            }
            "Schedule" | "ScheduleV2" => {
                let key = if properties.get("ScheduleExpression").is_some() {
                    "ScheduleExpression"
                } else {
                    "Schedule"
                };
                let expression =
                    self.property(&properties, key, &place)?.ok_or_else(|| format!("{place} has no {key}"))?;
                let input = self.property(&properties, "Input", &place)?;
                match rate(&expression) {
                    Some(every) => {
                        self.out.schedules.push(Schedule {
                            function,
                            name: event_name.to_owned(),
                            every,
                            input,
                        });
                    }
                    None => self.out.notes.push(format!("{place}: only rate(…) schedules run here, not {expression}")),
                }
            }
            other => self.out.notes.push(format!("{at}: {other} events do not occur here")),
        }
        Ok(())
    }

    fn stream(&mut self, function: usize, properties: &Value, at: &str) -> Result<(), String> {
        let arn = self.property(properties, "Stream", at)?.ok_or_else(|| format!("{at} names no Stream"))?;
        let table =
            self.out.tables.iter().position(|table| table.stream_arn.as_ref() == Some(&arn)).ok_or_else(|| {
                format!("{at}.Stream is {arn}, which is no table of the template with a StreamSpecification")
            })?;
        let number = |key: &str, default: u64| match self.property(properties, key, at)? {
            Some(text) => text.parse().map_err(|_| format!("{at}.{key} must be a number, not {text}")),
            None => Ok(default),
        };
        let batch_size = usize::try_from(number("BatchSize", BATCH)?).unwrap_or(usize::MAX).max(1);
        let retries = match self.property(properties, "MaximumRetryAttempts", at)?.as_deref() {
            None | Some("-1") => None,
            Some(text) => {
                Some(text.parse().map_err(|_| format!("{at}.MaximumRetryAttempts must be a number, not {text}"))?)
            }
        };
        let bisect = self.property(properties, "BisectBatchOnFunctionError", at)?.as_deref() == Some("true");
        let reports = self.scope.value(&properties["FunctionResponseTypes"], at)?.unwrap_or_default();
        let reports_failures =
            reports.as_array().is_some_and(|types| types.iter().any(|entry| entry == "ReportBatchItemFailures"));
        let criteria = self.scope.value(&properties["FilterCriteria"], at)?.unwrap_or_default();
        let filters = criteria["Filters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|filter| Filter::parse(filter["Pattern"].as_str().unwrap_or_default()))
            .collect::<Result<_, _>>()
            .map_err(|error| format!("{at}.FilterCriteria: {error}"))?;
        self.out.streams.push(StreamMapping {
            function,
            table,
            batch_size,
            retries,
            bisect,
            reports_failures,
            filters,
            on_failure: match properties.pointer("/DestinationConfig/OnFailure/Destination") {
                Some(target) => self.scope.text(target, &format!("{at}.DestinationConfig"))?,
                None => None,
            },
        });
        Ok(())
    }

    fn property(&self, properties: &Value, key: &str, at: &str) -> Result<Option<String>, String> {
        match properties.get(key) {
            Some(value) => self.scope.text(value, &format!("{at}.{key}")),
            None => Ok(None),
        }
    }
}

impl Template {
    fn check_routes(&self) -> Result<(), String> {
        for (index, route) in self.routes.iter().enumerate() {
            if let Some(twin) = self.routes[..index].iter().find(|twin| twin.key() == route.key()) {
                let names = [twin, route].map(|route| self.functions[route.function].logical_id.as_str());
                return Err(format!("the route {} is given twice, to {} and {}", route.key(), names[0], names[1]));
            }
        }
        Ok(())
    }
}
