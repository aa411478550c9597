//! What invokes a function: its events in template.yaml.

use std::fmt::Write as _;

use crate::{
    endpoints::{Function, Trigger},
    store::Store,
    yaml::behind,
};

/// What invokes a function.
pub fn events(function: &Function, store: &Store) -> String {
    let mut text = String::new();
    match function.trigger {
        Trigger::Routes(_) => {
            let mut number = 0;
            for (method, path) in function.routes() {
                // Each further route has a number; `HEAD` has its `GET`'s.
                let stem = if method == "HEAD" { "Head" } else { "Route" };
                number += usize::from(method != "HEAD");
                let name = match number {
                    1 => stem.to_owned(),
                    _ => format!("{stem}{number}"),
                };
                let _ = write!(
                    text,
                    "        {name}:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Method: {method}
            Path: {path}
"
                );
            }
        }
        Trigger::Default => {
            text += "        # Without method and path: the $default route, which takes what no other one does.
        Route:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
";
        }
        Trigger::Streams => {
            for table in streamed(store) {
                let _ = write!(
                    text,
                    "        {name}:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt {table}.StreamArn
            StartingPosition: TRIM_HORIZON
            BatchSize: 100
            MaximumBatchingWindowInSeconds: 60
            BisectBatchOnFunctionError: true
            FunctionResponseTypes: [ReportBatchItemFailures]
            MaximumRetryAttempts: 10
            # A stream keeps a record for a day: what is put aside must still be there to be read.
            MaximumRecordAgeInSeconds: 43200
            DestinationConfig:
              OnFailure:
                Destination: !GetAtt DeadLetters.Arn
            FilterCriteria:
              Filters:
                - Pattern: '{{\"eventName\":[\"REMOVE\"],\"userIdentity\":{{\"type\":[\"Service\"],\"principalId\":[\"dynamodb.amazonaws.com\"]}}}}'
",
                    name = table.trim_end_matches("Table"),
                );
            }
        }
        Trigger::AuditStream => {
            for table in histories(store) {
                let _ = write!(
                    text,
                    "        {name}:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt {table}.StreamArn
            StartingPosition: TRIM_HORIZON
            BatchSize: 10
            BisectBatchOnFunctionError: true
            FunctionResponseTypes: [ReportBatchItemFailures]
            # Enough to outlast a short outage of SES or EventBridge; finite, because a record that always fails holds up its shard.
            MaximumRetryAttempts: 100
            # A stream keeps a record for a day: what is put aside must still be there to be read.
            MaximumRecordAgeInSeconds: 43200
            DestinationConfig:
              OnFailure:
                Destination: !GetAtt DeadLetters.Arn
            FilterCriteria:
              Filters:
                - Pattern: '{{\"eventName\":[\"INSERT\"],\"dynamodb\":{{\"NewImage\":{{\"notice\":{{\"S\":[{{\"exists\":true}}]}}}}}}}}'
                # Without a bus, events that only applications receive invoke nothing.
                - !If
                  - HasEventBus
                  - Pattern: '{{\"eventName\":[\"INSERT\"],\"dynamodb\":{{\"NewImage\":{{\"type\":{{\"S\":[{{\"exists\":true}}]}}}}}}}}'
                  - !Ref AWS::NoValue
",
                    name = table.trim_end_matches("Table"),
                );
            }
        }
        Trigger::MailEvents => {
            text += "        MailEvents:
          Type: SNS
          Properties:
            Topic: !Ref MailEvents
            RedrivePolicy:
              deadLetterTargetArn: !GetAtt DeadLetters.Arn
";
        }
        Trigger::Operator => return text,
    }
    format!("      Events:\n{text}")
}

/// The tables whose streams report what expired.
pub fn streamed(store: &Store) -> impl Iterator<Item = String> {
    let tables = store.tables.values().filter(|table| table.reports());
    tables.map(|table| behind(&table.variable))
}

/// The tables whose streams carry new rows: the audit log.
pub fn histories(store: &Store) -> impl Iterator<Item = String> {
    let tables = store.tables.values().filter(|table| table.is_history);
    tables.map(|table| behind(&table.variable))
}
