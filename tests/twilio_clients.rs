//! The Verify dialect as the vendor's official clients see it: their latest versions, unchanged but for the base URL, run
//! the whole life of services, verifications, rate limits, attempts and entities, with their typed errors (docs/contract.md,
//! Verify).

use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_of_npm_runs_the_whole_life_of_verifications() {
    World::new().await.with_a_client("node", "twilio.mjs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_of_pypi_runs_the_whole_life_of_verifications() {
    World::new().await.with_a_client("python3", "twilio_life.py").await;
}
