//! Functions as Lambda runs them: real processes behind the runtime API, one invocation at a time each.

mod api;
mod output;
mod pool;
mod process;

pub(crate) use api::answer;
pub(crate) use pool::{Failure, Finished, Lambda};
pub(crate) use process::{Blueprint, Process, Processes};
