//! Known devices.

use serde::Serialize;
use utoipa::ToSchema;

use super::factor::Paging;
use crate::{
    domain::{device::Device, time::Timestamp},
    http::{call::Call, dialects::mithril::envelope::Meta, reply::Answer},
    observe::Outcome,
};

/// The known devices of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceList {
    meta: Meta,
    data: Vec<DeviceShown>,
    paging: Paging,
}

/// A known device.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceShown {
    /// The device's id; not a secret.
    id: String,
    /// The client that the user logged in with.
    #[schema(example = "heatclinic")]
    client_id: String,
    /// When it was added: UTC, whole seconds.
    #[schema(format = DateTime)]
    inserted_at: String,
    /// The last login that was completed from it: UTC, whole seconds.
    #[schema(format = DateTime)]
    last_used_at: String,
    /// When its token expires: UTC, whole seconds.
    #[schema(format = DateTime)]
    expires_at: String,
    /// Until when logins from it need no second factor, unless a factor changes; `null` if they need one.
    #[schema(required = true, format = DateTime)]
    remembered_until: Option<String>,
}

/// 200: these devices.
#[must_use]
pub fn device_list(call: &Call, outcome: Outcome, devices: &[&Device]) -> Answer {
    let shown = |device: &&Device| {
        let until = device.remembered.map(|remembered| remembered.until);
        DeviceShown {
            id: device.id.text(),
            client_id: device.client.as_str().to_owned(),
            inserted_at: device.added_at.iso(),
            last_used_at: device.last_used_at.iso(),
            expires_at: device.token.expires_at.iso(),
            remembered_until: until.filter(|until| !until.is_expired(call.now)).map(Timestamp::iso),
        }
    };
    let meta = Meta::new(call, 200, "list");
    let (data, paging) = (devices.iter().map(shown).collect(), Paging::of_all(devices.len()));
    Answer::json(200, outcome, &DeviceList { meta, data, paging })
}
