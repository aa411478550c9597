//! Imports for the functions' own descriptions.

pub use super::{broadleaf::*, era::*, gitlab::*, mithril::*, parts::*, verify::*};
