//! An attacker against one number, with every public way to another guess (security.md R70): docs/security.md publishes the
//! budget.

use crate::support::{
    clock::DAY,
    verify::{NUMBER, wrong},
    world::World,
};

/// What docs/security.md publishes: guesses that are compared in 30 days.
const BUDGET: usize = 60;

#[tokio::test]
async fn guesses_at_one_number_are_compared_as_often_as_published_in_thirty_days() {
    // The attacker may start as often as the number's own limit allows.
    let world = World::with(&[("UnverifiedBudget", "record")]).await;
    let demo = world.application();
    let mut services = Vec::new();
    for _ in 0..6 {
        services.push(demo.service_with(&world, &[]).await);
    }
    let (mut compared, mut refused) = (0, 0);
    for day in 0..30 {
        let mut spent = 0;
        for (number, app) in services.iter().enumerate() {
            // Every request comes from another address.
            let start = app.starting(&world, &[("To", NUMBER), ("Channel", "sms")]).with_new_address();
            if start.send().await.status != 201 {
                continue;
            }
            let code = wrong(&world.verification_code(NUMBER).await);
            for _ in 0..6 {
                let got = app.checking(&world, NUMBER, &code).with_new_address().send().await;
                match got.status {
                    200 => compared += 1,
                    429 => refused += 1,
                    _ => panic!("day {day}: {got:?}"),
                }
            }
            let cancel = app.request(&world, "POST", &format!("/Verifications/{NUMBER}"));
            cancel.form(&[("Status", "canceled")]).with_new_address().send().await.ok(200);
            // Half of the number's messages of an hour are gone by then.
            let wait = if number == 2 { 3600 } else { 60 };
            world.advance(wait).await;
            spent += wait;
        }
        world.advance(DAY - spent).await;
    }
    assert_eq!(compared, BUDGET);
    assert!(refused > BUDGET, "the attacker had more guesses: {refused}");
}
