//! Invoked by SNS with what SES tells about our mail: bounces and complaints.
mod handler;
mod notice;

countersign_shared::main!(background handler::DeliveryFeedback);
