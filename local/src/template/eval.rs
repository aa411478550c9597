//! CloudFormation's intrinsic functions, as far as a template needs them here.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::issuer;

/// The account in every ARN.
pub(crate) const ACCOUNT: &str = "123456789012";
/// The region in every ARN.
pub(crate) const REGION: &str = "us-east-1";
/// The HTTP API's id.
pub(crate) const API: &str = "local";
/// The stack's name, and the prefix of every name that the template leaves to CloudFormation.
const STACK: &str = "countersign";
/// The parameter with the public URL, used in mails for example: a deployment's domain, here the cloud's own URL.
const PUBLIC_URL: &str = "PublicUrl";
/// The parameter with the sender domain of mail, which a deployment must have verified.
const MAIL_DOMAIN: &str = "MailDomain";
/// The parameter with the identity provider's URL. Here `local` is the cloud's own, whose port is not known in advance.
const JWT_ISSUER: &str = "JwtIssuer";
/// The parameter with the countries that may receive text messages: here the demo user's and a few more.
const SMS_COUNTRIES: (&str, &str) = ("SmsCountries", "380,44,49,7,1");
/// The parameter with the limit of text messages on an account's first day. Here all accounts are new and used for
/// trials: the account's other limits are enough.
const OTP_SENDS_FIRST_DAY: (&str, &str) = ("OtpSendsFirstDay", "20");
/// The parameter with the event bus for events about outcomes, none by default: here there is one, so that they are seen.
const EVENT_BUS: (&str, &str) = ("EventBus", "countersign-local");

/// The values of names while a template is read.
pub(super) struct Scope<'t> {
    parameters: BTreeMap<&'t str, Option<Value>>,
    conditions: Map<String, Value>,
    mappings: Value,
    resources: Map<String, Value>,
    url: String,
}

type Evaluated = Result<Option<Value>, String>;

impl<'t> Scope<'t> {
    /// The scope of `template`, whose API answers at `url`, with these parameter values. The error names an unknown
    /// parameter.
    pub(super) fn of(template: &'t Value, url: &str, given: &BTreeMap<String, String>) -> Result<Self, String> {
        // A parameter without a default is only an error where it is used: some are for deployments alone.
        let mut parameters: BTreeMap<&str, Option<Value>> = object(template, "Parameters")
            .map(|(name, parameter)| (name.as_str(), parameter.get("Default").cloned()))
            .collect();
        for (name, value) in [
            (PUBLIC_URL, url),
            (MAIL_DOMAIN, crate::identities::DOMAIN),
            SMS_COUNTRIES,
            OTP_SENDS_FIRST_DAY,
            EVENT_BUS,
        ] {
            if let Some(parameter) = parameters.get_mut(name) {
                *parameter = Some(value.into());
            }
        }
        for (name, value) in given {
            let parameter = parameters.get_mut(name.as_str()).ok_or_else(|| format!("it has no parameter {name}"))?;
            *parameter = Some(match (name.as_str(), value.as_str()) {
                (JWT_ISSUER, "local") => issuer::address(url).into(),
                (_, value) => value.into(),
            });
        }
        Ok(Self {
            parameters,
            conditions: object(template, "Conditions").map(|(name, value)| (name.clone(), value.clone())).collect(),
            mappings: template.get("Mappings").cloned().unwrap_or_default(),
            resources: object(template, "Resources").map(|(name, value)| (name.clone(), value.clone())).collect(),
            url: url.to_owned(),
        })
    }

    /// The value with every intrinsic evaluated; `None` for `AWS::NoValue`. `at` is its location, for messages.
    pub(super) fn value(&self, value: &Value, at: &str) -> Evaluated {
        match value {
            Value::Array(items) => {
                let mut out = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    out.extend(self.value(item, &format!("{at}[{index}]"))?);
                }
                Ok(Some(Value::Array(out)))
            }
            Value::Object(entries) => {
                if let Some((name, argument)) = single(entries)
                    && (name == "Ref" || name.starts_with("Fn::") || (name == "Condition" && argument.is_string()))
                {
                    return self.intrinsic(name, argument, at);
                }
                let mut out = Map::new();
                for (key, entry) in entries {
                    if let Some(entry) = self.value(entry, &format!("{at}.{key}"))? {
                        out.insert(key.clone(), entry);
                    }
                }
                Ok(Some(Value::Object(out)))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(Some(value.clone())),
        }
    }

    /// The value as text: numbers and booleans are formatted as CloudFormation does.
    pub(super) fn text(&self, value: &Value, at: &str) -> Result<Option<String>, String> {
        match self.value(value, at)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(other.to_string())),
            Some(other) => Err(format!("{at} must be text, not {other}")),
        }
    }

    /// Whether a resource's `Condition` is true; true when it has none.
    pub(super) fn included(&self, resource: &Value, at: &str) -> Result<bool, String> {
        match resource.get("Condition") {
            None => Ok(true),
            Some(Value::String(name)) => self.condition(name, at),
            Some(other) => Err(format!("{at}.Condition must name a condition, not {other}")),
        }
    }

    fn condition(&self, name: &str, at: &str) -> Result<bool, String> {
        let condition = self
            .conditions
            .get(name)
            .ok_or_else(|| format!("{at} names the condition {name}, which the template does not define"))?;
        self.truth(condition, &format!("Conditions.{name}"))
    }

    fn truth(&self, value: &Value, at: &str) -> Result<bool, String> {
        match self.value(value, at)? {
            Some(Value::Bool(truth)) => Ok(truth),
            other => Err(format!("{at} must be true or false, not {}", other.unwrap_or_default())),
        }
    }

    fn intrinsic(&self, name: &str, argument: &Value, at: &str) -> Evaluated {
        match (name, argument) {
            ("Ref", Value::String(target)) => self.reference(target, at),
            ("Condition", Value::String(condition)) => self.condition(condition, at).map(|truth| Some(truth.into())),
            ("Fn::GetAtt", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(resource), Value::String(attribute)] => self.attribute(resource, attribute, at),
                _ => Err(format!("{at}: !GetAtt needs a resource and an attribute")),
            },
            ("Fn::Sub", Value::String(text)) => self.substitute(text, &Map::new(), at),
            ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(text), Value::Object(own)] => self.substitute(text, own, at),
                _ => Err(format!("{at}: !Sub needs a text and a map")),
            },
            ("Fn::If", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(condition), yes, no] => {
                    self.value(if self.condition(condition, at)? { yes } else { no }, at)
                }
                _ => Err(format!("{at}: !If needs a condition and two values")),
            },
            ("Fn::Equals", Value::Array(parts)) => match parts.as_slice() {
                [left, right] => Ok(Some((self.text(left, at)? == self.text(right, at)?).into())),
                _ => Err(format!("{at}: !Equals needs two values")),
            },
            ("Fn::Not", Value::Array(parts)) => match parts.as_slice() {
                [part] => Ok(Some((!self.truth(part, at)?).into())),
                _ => Err(format!("{at}: !Not needs one condition")),
            },
            ("Fn::And", Value::Array(parts)) => {
                let truths = parts.iter().map(|part| self.truth(part, at)).collect::<Result<Vec<_>, _>>()?;
                Ok(Some(truths.into_iter().all(|truth| truth).into()))
            }
            ("Fn::Or", Value::Array(parts)) => {
                let truths = parts.iter().map(|part| self.truth(part, at)).collect::<Result<Vec<_>, _>>()?;
                Ok(Some(truths.into_iter().any(|truth| truth).into()))
            }
            ("Fn::Join", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(separator), list] => Ok(Some(self.list(list, at)?.join(separator).into())),
                _ => Err(format!("{at}: !Join needs a separator and a list")),
            },
            ("Fn::Split", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(separator), text] => {
                    let text = self.text(text, at)?.unwrap_or_default();
                    Ok(Some(text.split(separator.as_str()).map(Value::from).collect()))
                }
                _ => Err(format!("{at}: !Split needs a separator and a text")),
            },
            ("Fn::Select", Value::Array(parts)) => match parts.as_slice() {
                [index, list] => {
                    let index = self.text(index, at)?.unwrap_or_default();
                    let list = self.list(list, at)?;
                    let chosen = index.parse().ok().and_then(|index: usize| list.get(index).cloned());
                    chosen
                        .map(|chosen| Some(Value::String(chosen)))
                        .ok_or_else(|| format!("{at}: !Select {index} is outside the list of {}", list.len()))
                }
                _ => Err(format!("{at}: !Select needs an index and a list")),
            },
            ("Fn::FindInMap", Value::Array(parts)) => match parts.as_slice() {
                [map, first, second] => {
                    let mut found = &self.mappings;
                    for key in [map, first, second] {
                        let key = self.text(key, at)?.unwrap_or_default();
                        found = found.get(&key).ok_or_else(|| format!("{at}: !FindInMap finds no {key}"))?;
                    }
                    Ok(Some(found.clone()))
                }
                _ => Err(format!("{at}: !FindInMap needs a map and two keys")),
            },
            _ => Err(format!("{at} uses {name} in a way that the local cloud does not know")),
        }
    }

    fn list(&self, value: &Value, at: &str) -> Result<Vec<String>, String> {
        match self.value(value, at)? {
            Some(Value::Array(items)) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text),
                    Value::Number(_) | Value::Bool(_) => Ok(item.to_string()),
                    other => Err(format!("{at} must be a list of texts, not of {other}")),
                })
                .collect(),
            // A parameter of type CommaDelimitedList.
            Some(Value::String(text)) => Ok(text.split(',').map(|part| part.trim().to_owned()).collect()),
            other => Err(format!("{at} must be a list, not {}", other.unwrap_or_default())),
        }
    }

    fn reference(&self, target: &str, at: &str) -> Evaluated {
        Ok(Some(match target {
            "AWS::NoValue" => return Ok(None),
            "AWS::AccountId" => ACCOUNT.into(),
            "AWS::Region" => REGION.into(),
            "AWS::Partition" => "aws".into(),
            "AWS::StackName" => STACK.into(),
            "AWS::StackId" => format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/local").into(),
            "AWS::URLSuffix" => "amazonaws.com".into(),
            _ => {
                if let Some(parameter) = self.parameters.get(target) {
                    return match parameter {
                        Some(value) => Ok(Some(value.clone())),
                        None => Err(format!("{at} uses the parameter {target}, which has no Default")),
                    };
                }
                let resource = self.resource(target, at)?;
                match kind(resource) {
                    "AWS::Serverless::HttpApi" => API.into(),
                    "AWS::SecretsManager::Secret" | "AWS::SNS::Topic" => return self.attribute(target, "Arn", at),
                    "AWS::SQS::Queue" => {
                        let name = self.physical_name(target, at)?;
                        format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}").into()
                    }
                    _ => self.physical_name(target, at)?.into(),
                }
            }
        }))
    }

    fn attribute(&self, target: &str, attribute: &str, at: &str) -> Evaluated {
        let resource = self.resource(target, at)?;
        let name = self.physical_name(target, at)?;
        let arn = |service: &str, rest: String| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}");
        Ok(Some(
            match (kind(resource), attribute) {
                ("AWS::DynamoDB::Table", "Arn") => arn("dynamodb", format!("table/{name}")),
                ("AWS::DynamoDB::Table", "StreamArn") => arn("dynamodb", format!("table/{name}/stream/local")),
                ("AWS::SecretsManager::Secret", "Arn" | "Id") => arn("secretsmanager", format!("secret:{name}-L0cal0")),
                ("AWS::SNS::Topic", "Arn" | "TopicArn") => arn("sns", name),
                ("AWS::SQS::Queue", "Arn") => arn("sqs", name),
                ("AWS::Serverless::Function", "Arn") => arn("lambda", format!("function:{name}")),
                ("AWS::IAM::Role", "Arn") => format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
                ("AWS::Logs::LogGroup", "Arn") => arn("logs", format!("log-group:{name}:*")),
                ("AWS::Serverless::HttpApi", "ApiEndpoint") => self.url.clone(),
                (_, "Arn") => arn("local", name),
                (_, other) => format!("{name}-{other}"),
            }
            .into(),
        ))
    }

    fn resource(&self, target: &str, at: &str) -> Result<&Value, String> {
        self.resources
            .get(target)
            .ok_or_else(|| format!("{at} names {target}, which is no parameter and no resource of the template"))
    }

    /// The name of the deployed resource: its own, or one derived from its logical id.
    pub(super) fn physical_name(&self, target: &str, at: &str) -> Result<String, String> {
        let properties = &self.resource(target, at)?["Properties"];
        for key in [
            "TableName",
            "FunctionName",
            "Name",
            "TopicName",
            "QueueName",
            "LogGroupName",
            "RoleName",
        ] {
            if let Some(given) = properties.get(key) {
                let given = self.text(given, &format!("Resources.{target}.Properties.{key}"))?;
                return Ok(given.unwrap_or_else(|| format!("{STACK}-{target}")));
            }
        }
        Ok(format!("{STACK}-{target}"))
    }

    fn substitute(&self, text: &str, own: &Map<String, Value>, at: &str) -> Evaluated {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let end = rest[start..].find('}').ok_or_else(|| format!("{at}: !Sub has a ${{ without its }}"))? + start;
            let name = &rest[start + 2..end];
            rest = &rest[end + 1..];
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str(&format!("${{{literal}}}"));
                continue;
            }
            let value = match (own.get(name), name.split_once('.')) {
                (Some(value), _) => self.text(value, at)?,
                (None, Some((resource, attribute))) => text_of(self.attribute(resource, attribute, at)?),
                (None, None) => text_of(self.reference(name, at)?),
            };
            out.push_str(&value.ok_or_else(|| format!("{at}: !Sub cannot write ${{{name}}} as text"))?);
        }
        out.push_str(rest);
        // The API's URL in the form that deployments use.
        let deployed = format!("https://{API}.execute-api.{REGION}.amazonaws.com");
        Ok(Some(out.replace(&deployed, &self.url).into()))
    }
}

fn text_of(value: Option<Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text),
        other @ (Value::Number(_) | Value::Bool(_)) => Some(other.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn single(entries: &Map<String, Value>) -> Option<(&str, &Value)> {
    match entries.len() {
        1 => entries.iter().next().map(|(name, argument)| (name.as_str(), argument)),
        _ => None,
    }
}

/// A resource's type.
pub(super) fn kind(resource: &Value) -> &str {
    resource.get("Type").and_then(Value::as_str).unwrap_or_default()
}

/// The entries of the object under `key`; none when it is absent.
pub(super) fn object<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    value.get(key).and_then(Value::as_object).into_iter().flatten()
}
