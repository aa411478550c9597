//! Routes, as template.yaml declares them.

/// One route: what API Gateway matches, and the function behind it.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method, in upper case.
    pub method: &'static str,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// The name of the function: its folder and its binary.
    pub function: &'static str,
}

impl Route {
    /// Whether a path is one of this route's, whatever the method. A parameter takes one segment that is not empty.
    #[must_use]
    pub fn takes(&self, path: &str) -> bool {
        let (mut ours, mut theirs) = (self.path.split('/'), path.split('/'));
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) if a == b || (a.starts_with('{') && !b.is_empty()) => {}
                _ => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_takes_one_segment() {
        let route = Route {
            method: "GET",
            path: "/users/{id}/support_pin",
            function: "f",
        };
        for (path, taken) in [
            ("/users/1/support_pin", true),
            ("/users//support_pin", false),
            ("/users/1/2/support_pin", false),
            ("/users/1", false),
            ("/users/1/support_pin/", false),
            ("/Users/1/support_pin", false),
        ] {
            assert_eq!(route.takes(path), taken, "{path}");
        }
    }
}
