use super::*;
use crate::endpoints::tests::function as example;

#[test]
fn each_function_has_its_own_role_and_log() {
    let (one, store) = example(
        "PATCH /one/{id}",
        "",
        &[
            "AuditLog",
            "Table<User, Get>",
            "Table<Token, Get>",
            "KeyShelf<Passcodes>",
            "#[wire(password_cost)] Cost",
            "Texter",
        ],
    );
    assert_eq!(
        functions(&[one], &store),
        r#"  OneMoreFunction:
    Type: AWS::Serverless::Function
    Metadata:
      BuildMethod: rust-cargolambda
      BuildProperties:
        Binary: one-more
    Properties:
      Role: !GetAtt OneMoreRole.Arn
      LoggingConfig:
        LogGroup: !Ref OneMoreLog
      MemorySize: 512
      Environment:
        Variables:
          AUDIT_RETENTION_DAYS: !Ref AuditRetentionDays
          AUDIT_TABLE: !Ref AuditTable
          PASSCODE_KEYS_SECRET: !Ref PasscodeKeys
          PASSWORD_ITERATIONS: !Ref PasswordIterations
          PASSWORD_MEMORY_KIB: !Ref PasswordMemoryKib
          SMS_MAX_PRICE: !Ref SmsMaxPrice
          SMS_SENDER_ID: !Ref SmsSenderId
          TOKENS_TABLE: !Ref TokensTable
          USERS_TABLE: !Ref UsersTable
      Events:
        Route:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Method: PATCH
            Path: /one/{id}
  OneMoreRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: { Service: lambda.amazonaws.com }
            Action: sts:AssumeRole
      Policies:
        - PolicyName: exactly
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Effect: Allow
                Action: [logs:CreateLogStream, logs:PutLogEvents]
                Resource:
                  - !GetAtt OneMoreLog.Arn
              - Effect: Allow
                Action: dynamodb:GetItem
                Resource:
                  - !GetAtt TokensTable.Arn
                  - !GetAtt UsersTable.Arn
              - Effect: Allow
                Action: dynamodb:PutItem
                Resource:
                  - !GetAtt AuditTable.Arn
              - Effect: Allow
                Action: [secretsmanager:GetSecretValue, secretsmanager:PutSecretValue]
                Resource:
                  - !Ref PasscodeKeys
              # Phone numbers are no resources: everything that is no topic is what is left of SNS.
              - Effect: Allow
                Action: sns:Publish
                NotResource: !Sub arn:${AWS::Partition}:sns:*:*:*
  OneMoreLog:
    Type: AWS::Logs::LogGroup
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties:
      RetentionInDays: !Ref LogRetentionDays
"#
    );
}

#[test]
fn mail_is_sent_from_listed_senders_only() {
    let (one, _) = example("POST /one", "", &["Mailer"]);
    let text = role(&one, &Store::read(&mut Vec::new()));
    let conditions = text.matches("ses:FromAddress: !Split").count();
    assert_eq!((text.matches("ses:SendEmail").count(), conditions), (1, 1), "{text}");
}

#[test]
fn failed_events_go_to_the_dead_letter_queue() {
    for trigger in [
        "Invoked by the streams of the tables.",
        "Invoked by the stream of the audit log.",
        "Invoked by SNS with mail.",
    ] {
        let (one, store) = example(trigger, "background", &["Table<Event, Put>"]);
        let targets = function(&one, &store).matches("!GetAtt DeadLetters.Arn").count();
        // One per stream; SNS's own and the function's.
        let expected = match one.trigger {
            Trigger::Streams => streamed(&store).count(),
            Trigger::AuditStream => 1,
            _ => 2,
        };
        assert_eq!(targets, expected, "{trigger}");
        let role = role(&one, &store);
        assert!(role.contains("Action: sqs:SendMessage"), "{role}");
    }
}

#[test]
fn expiring_rows_are_streamed_and_others_are_backed_up() {
    let store = Store::read(&mut Vec::new());
    for (variable, kept, view) in [
        ("TOKENS_TABLE", false, Some("KEYS_ONLY")),
        ("USERS_TABLE", true, None),
        ("AUDIT_TABLE", true, Some("NEW_IMAGE")),
        ("PUBLICATIONS_TABLE", false, None),
        ("ENTITIES_TABLE", true, None),
    ] {
        let text = table(&store.tables[variable]);
        assert_eq!(text.contains("PointInTimeRecoveryEnabled: true"), kept, "{text}");
        assert_eq!(text.contains("DeletionPolicy: RetainExceptOnCreate"), kept, "{text}");
        let found = text.lines().find_map(|line| line.trim().strip_prefix("StreamViewType: "));
        assert_eq!(found, view, "{text}");
        assert_eq!(text.contains("AttributeName: ttl"), variable != "USERS_TABLE", "{text}");
    }
}

#[test]
fn each_stream_has_one_reader() {
    let (cleanup, store) = example("Invoked by the streams of the tables.", "background", &["Table<Event, Put>"]);
    let (publish, _) = example("Invoked by the stream of the audit log.", "background", &["Table<User, BatchGet>"]);
    let streams = |one| format!("{}{}", function(one, &store), role(one, &store));
    let (cleanup, publish) = (streams(&cleanup), streams(&publish));
    for (text, expected) in [("AuditTable.StreamArn", (0, 2)), ("TokensTable.StreamArn", (2, 0))] {
        assert_eq!((cleanup.matches(text).count(), publish.matches(text).count()), expected, "{text}");
    }
    assert!(!cleanup.contains("PublicationsTable"), "{cleanup}");
    assert_eq!(publish.matches(r#""eventName":["INSERT"]"#).count(), 2, "{publish}");
}

#[test]
fn events_are_published_on_the_one_bus_and_only_where_there_is_one() {
    let (one, store) = example("Invoked by the stream of the audit log.", "background", &["Option<EventBus>"]);
    let role = role(&one, &store);
    let (_, statement) = role.split_once("- !If\n                - HasEventBus\n").expect("a condition");
    assert!(statement.contains("Action: events:PutEvents"), "{role}");
    assert!(statement.contains(":event-bus/${EventBus}\n                - !Ref AWS::NoValue"), "{role}");
    assert_eq!(role.matches("events:PutEvents").count(), 1, "{role}");
}

#[test]
fn a_setting_is_a_parameter() {
    let number = Number {
        variable: "LINK_LIFETIME".to_owned(),
        default: 60,
        least: 1,
        most: 90,
        words: "Life of a link, in seconds. Opening it once ends it.".to_owned(),
    };
    let mut problems = Vec::new();
    assert_eq!(
        parameters(&[number], &mut problems),
        "  LinkLifetime:
    Description: Life of a link, in seconds (1 to 90). Opening it once ends it.
    Type: Number
    Default: 60
    MinValue: 1
    MaxValue: 90
"
    );
    assert!(problems.is_empty());
}
