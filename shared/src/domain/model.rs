//! Shared by the models of several rules.

/// Compares and hashes states of a model by their `form`: states that no later step can distinguish are one state, which
/// the checker explores once.
macro_rules! compared_by_form {
    ($state:ty) => {
        impl PartialEq for $state {
            fn eq(&self, other: &Self) -> bool {
                self.form() == other.form()
            }
        }

        impl std::hash::Hash for $state {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.form().hash(state);
            }
        }
    };
}
pub(super) use compared_by_form;
