//! The derived parts of template.yaml.

mod triggers;

use std::fmt::Write as _;

use self::triggers::{events, histories, streamed};
use crate::{
    endpoints::{Function, Trigger},
    settings::Number,
    store::{Keys, Store, Table},
    yaml::{behind, plain, stem},
};

/// The numeric parameters.
pub fn parameters(numbers: &[Number], problems: &mut Vec<String>) -> String {
    let mut text = String::new();
    for number in numbers {
        let Number {
            variable,
            default,
            least,
            most,
            words,
        } = number;
        let description = with_range(words, *least, *most);
        if !plain(&description) {
            problems.push(format!("{variable}: its doc comment is no plain text of YAML: reword it"));
        }
        add(
            &mut text,
            &format!(
                "
  {id}:
    Description: {description}
    Type: Number
    Default: {default}
    MinValue: {least}
    MaxValue: {most}",
                id = behind(variable)
            ),
        );
    }
    text
}

/// A description with the range at the end of its first sentence.
fn with_range(words: &str, least: i64, most: i64) -> String {
    let (first, more) = words.split_once(". ").unwrap_or((words.trim_end_matches('.'), ""));
    let sentence = format!("{first} ({least} to {most}).");
    match more {
        "" => sentence,
        more => format!("{sentence} {more}"),
    }
}

/// The strict rate limits: of routes whose calls cost money, or are guesses.
pub fn limits(functions: &[Function]) -> String {
    let mut text = String::new();
    for function in functions.iter().filter(|function| function.is_sensitive()) {
        for (method, path) in function.routes() {
            add(
                &mut text,
                &format!(
                    "
        {method} {path}:
          ThrottlingRateLimit: !Ref SensitiveRequestsPerSecond
          ThrottlingBurstLimit: !Ref SensitiveRequestsBurst"
                ),
            );
        }
    }
    text
}

/// The routes that accept tokens of an identity provider.
pub fn authorizers(functions: &[Function]) -> String {
    let mut routes: Vec<_> = functions
        .iter()
        .filter(|function| function.reads_claims)
        .flat_map(|function| function.routes())
        .map(|(method, path)| (path, method.to_lowercase()))
        .collect();
    routes.sort();
    let (mut text, mut before) = (String::new(), "");
    for (path, method) in routes {
        if path != before {
            add(&mut text, &format!("\n          {path}:"));
            before = path;
        }
        add(
            &mut text,
            &format!("\n            {method}: {{ security: !If [HasJwt, [{{ Jwt: [] }}], !Ref AWS::NoValue] }}"),
        );
    }
    text
}

/// The tables.
pub fn tables(store: &Store) -> String {
    store.tables.values().map(table).collect()
}

fn table(table: &Table) -> String {
    let mut text = String::new();
    let lasts = !table.expires || table.is_history || table.lasts;
    let (deletion, replacement) = policies(lasts);
    add(
        &mut text,
        &format!(
            "
  {id}:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: {deletion}
    UpdateReplacePolicy: {replacement}
    Properties:
      BillingMode: PAY_PER_REQUEST
      DeletionProtectionEnabled: !If [ProtectTables, true, false]
      AttributeDefinitions:",
            id = behind(&table.variable)
        ),
    );
    for key in &table.keys {
        add(&mut text, &format!("\n        - {{ AttributeName: {}, AttributeType: {} }}", key.name, key.kind));
    }
    add(&mut text, "\n      KeySchema:");
    for (key, role) in table.keys.iter().zip(["HASH", "RANGE"]) {
        add(&mut text, &format!("\n        - {{ AttributeName: {}, KeyType: {role} }}", key.name));
    }
    add(
        &mut text,
        "
      SSESpecification:
        SSEEnabled: true",
    );
    if lasts {
        add(
            &mut text,
            "
      PointInTimeRecoverySpecification:
        PointInTimeRecoveryEnabled: true",
        );
    }
    if table.expires {
        add(
            &mut text,
            "
      TimeToLiveSpecification:
        AttributeName: ttl
        Enabled: true",
        );
    }
    // Removals are reported by the keys alone, so no stream holds a secret. Audit events hold none, and are read whole.
    let view = match (table.is_history, table.reports()) {
        (true, _) => Some("NEW_IMAGE"),
        (false, true) => Some("KEYS_ONLY"),
        (false, false) => None,
    };
    if let Some(view) = view {
        add(
            &mut text,
            &format!(
                "
      StreamSpecification:
        StreamViewType: {view}"
            ),
        );
    }
    text
}

/// The policies for the deletion of a resource with its stack. A retained resource is deleted with a stack whose
/// creation failed: it would be in the way of the next attempt.
fn policies(lasts: bool) -> (&'static str, &'static str) {
    match lasts {
        true => ("RetainExceptOnCreate", "Retain"),
        false => ("Delete", "Delete"),
    }
}

/// The secrets that hold keys.
pub fn secrets(store: &Store) -> String {
    let secret = |keys: &Keys| {
        let (deletion, replacement) = policies(true);
        format!(
            "  {id}:
    Type: AWS::SecretsManager::Secret
    DeletionPolicy: {deletion}
    UpdateReplacePolicy: {replacement}
    Properties:
      Description: {words}
      GenerateSecretString:
        SecretStringTemplate: \"{{}}\"
        GenerateStringKey: \"1\"
        PasswordLength: 64
        ExcludePunctuation: true
",
            id = behind(&keys.variable),
            words = keys.words,
        )
    };
    store.keys.values().map(secret).collect()
}

/// The functions, each with its role and its log group.
pub fn functions(functions: &[Function], store: &Store) -> String {
    let blocks: Vec<_> = functions
        .iter()
        .map(|one| format!("{}{}{}", function(one, store), role(one, store), log(one)))
        .collect();
    blocks.join("\n")
}

fn function(function: &Function, store: &Store) -> String {
    let stem = stem(&function.name);
    let mut text = format!(
        "  {stem}Function:
    Type: AWS::Serverless::Function
    Metadata:
      BuildMethod: rust-cargolambda
      BuildProperties:
        Binary: {name}
    Properties:
      Role: !GetAtt {stem}Role.Arn
      LoggingConfig:
        LogGroup: !Ref {stem}Log
",
        name = function.name
    );
    match function.trigger {
        // A batch of a hundred records, each written separately; or of ten, each with a mail.
        Trigger::Streams | Trigger::AuditStream => text += "      Timeout: 29\n",
        // Erasing a user scans tables for up to 40 seconds.
        Trigger::Operator => text += "      Timeout: 60\n",
        // The CPU share that a password hash needs, while a caller waits, comes with memory.
        Trigger::Routes(_) if function.hashes => text += "      MemorySize: 512\n",
        Trigger::MailEvents => {
            text += "      EventInvokeConfig:
        MaximumRetryAttempts: 2
        MaximumEventAgeInSeconds: 21600
        DestinationConfig:
          OnFailure:
            Type: SQS
            Destination: !GetAtt DeadLetters.Arn
";
        }
        Trigger::Routes(_) | Trigger::Default => {}
    }
    if !function.variables.is_empty() {
        text += "      Environment:\n        Variables:\n";
        for variable in &function.variables {
            let _ = writeln!(text, "          {variable}: !Ref {}", behind(variable));
        }
    }
    text + &events(function, store)
}

fn role(function: &Function, store: &Store) -> String {
    let stem = stem(&function.name);
    let mut text = format!(
        "  {stem}Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: \"2012-10-17\"
        Statement:
          - Effect: Allow
            Principal: {{ Service: lambda.amazonaws.com }}
            Action: sts:AssumeRole
      Policies:
        - PolicyName: exactly
          PolicyDocument:
            Version: \"2012-10-17\"
            Statement:
"
    );
    text += &statement("[logs:CreateLogStream, logs:PutLogEvents]", [format!("!GetAtt {stem}Log.Arn")]);
    for (action, tables) in &function.tables {
        let tables = tables.iter().map(|table| format!("!GetAtt {}.Arn", behind(table)));
        text += &statement(action, tables);
    }
    let read: Vec<_> = match function.trigger {
        Trigger::Streams => streamed(store).collect(),
        Trigger::AuditStream => histories(store).collect(),
        Trigger::Routes(_) | Trigger::Default | Trigger::MailEvents | Trigger::Operator => Vec::new(),
    };
    if !read.is_empty() {
        let streams = read.iter().map(|table| format!("!GetAtt {table}.StreamArn"));
        text += &statement("[dynamodb:DescribeStream, dynamodb:GetRecords, dynamodb:GetShardIterator]", streams);
        // `ListStreams` does not apply to a single stream.
        let streams = read.iter().map(|table| format!("!Sub ${{{table}.Arn}}/stream/*"));
        text += &statement("dynamodb:ListStreams", streams);
    }
    if !function.secrets.is_empty() {
        let actions = match function.writes_secrets {
            true => "[secretsmanager:GetSecretValue, secretsmanager:PutSecretValue]",
            false => "secretsmanager:GetSecretValue",
        };
        let secrets = function.secrets.iter().map(|secret| format!("!Ref {}", behind(secret)));
        text += &statement(actions, secrets);
    }
    if function.sends_mail {
        let ses = "!Sub arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:";
        let resources = ["identity/${MailDomain}", "configuration-set/${MailConfiguration}"];
        text += &statement("ses:SendEmail", resources.map(|resource| format!("{ses}{resource}")));
        text += "                Condition:
                  StringLike:
                    ses:FromAddress: !Split
                      - \",\"
                      - !If [ListsMailSenders, !Sub \"no-reply@${MailDomain},${MailSenders}\", !Sub \"*@${MailDomain},*@*.${MailDomain}\"]
";
    }
    if function.sends_text_messages {
        text += "              # Phone numbers are no resources: everything that is no topic is what is left of SNS.
              - Effect: Allow
                Action: sns:Publish
                NotResource: !Sub arn:${AWS::Partition}:sns:*:*:*
";
    }
    if function.publishes {
        text += "              - !If
                - HasEventBus
                - Effect: Allow
                  Action: events:PutEvents
                  Resource:
                    - !Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBus}
                - !Ref AWS::NoValue
";
    }
    if matches!(function.trigger, Trigger::Streams | Trigger::AuditStream | Trigger::MailEvents) {
        text += &statement("sqs:SendMessage", ["!GetAtt DeadLetters.Arn".to_owned()]);
    }
    text
}

fn statement(actions: &str, resources: impl IntoIterator<Item = String>) -> String {
    let mut text = format!(
        "              - Effect: Allow
                Action: {actions}
                Resource:
"
    );
    for resource in resources {
        let _ = writeln!(text, "                  - {resource}");
    }
    text
}

fn log(function: &Function) -> String {
    let (deletion, replacement) = policies(false);
    format!(
        "  {stem}Log:
    Type: AWS::Logs::LogGroup
    DeletionPolicy: {deletion}
    UpdateReplacePolicy: {replacement}
    Properties:
      RetentionInDays: !Ref LogRetentionDays
",
        stem = stem(&function.name)
    )
}

/// The roles that may send traces.
pub fn traced(functions: &[Function]) -> String {
    let role = |function: &Function| format!("        - !Ref {}Role\n", stem(&function.name));
    functions.iter().map(role).collect()
}

#[cfg(test)]
mod tests;

/// Appends lines that begin with their line break.
fn add(text: &mut String, lines: &str) {
    *text += lines.trim_start_matches('\n');
    text.push('\n');
}
