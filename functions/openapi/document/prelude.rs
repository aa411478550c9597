//! What a function's own description is written with.

pub use super::{broadleaf::*, era::*, gitlab::*, mithril::*, parts::*};
