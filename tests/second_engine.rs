//! The messages on another server, when the suite runs against one (tests/aws/second-engine): they are the same there.

use std::io::Write;

use serde_json::{Value, json};

use crate::support::{
    people::PHONE,
    world::{World, second_engine},
};

/// The named texts of a message, and the other server's names for them.
fn texts(message: &Value, names: [&str; 4]) -> [Value; 4] {
    names.map(|name| message[name].clone())
}

#[tokio::test]
async fn captured_messages_match_those_of_the_other_server() {
    let Some(server) = second_engine() else {
        // Bypasses the test harness, which discards the output of a passing test.
        let _ = writeln!(std::io::stderr(), "\n*** SKIPPED: there is no second engine to look at");
        return;
    };
    let world = World::new().await;
    world.create_account("maria", "maria@example.org", "ew!hIb3V").await;
    world.begin_login(&world.demo()).await;
    let account = world.cloud().account().expect("an account there");
    let ask = async |path: &str| -> Value {
        let url = format!("{server}/_ministack/{path}?account={account}");
        let answer = reqwest::get(url).await.expect("the other server answers");
        answer.json().await.expect("JSON")
    };
    let captured = world.get("/_local/messages?full=true").send_local().await;
    let mails = ask("ses/messages").await["messages"][account].take();
    let mail = &mails[0];
    assert_eq!(
        texts(mail, ["Source", "Subject", "BodyText", "BodyHtml"]),
        texts(&captured[0], ["from", "subject", "text", "html"])
    );
    assert_eq!(mail["To"], json!([captured[0]["to"]]));
    let phones = ask("sns/sms-messages").await["sms_messages"].take();
    let sent = &phones[PHONE];
    assert_eq!((&sent[0]["Message"], &json!(PHONE)), (&captured[1]["text"], &captured[1]["to"]));
    let counts = [&mails, sent, &captured].map(|list| list.as_array().map(Vec::len));
    assert_eq!(counts, [Some(1), Some(1), Some(2)], "nothing else went anywhere");
}
