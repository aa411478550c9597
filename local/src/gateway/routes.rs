//! Route matching of an HTTP API, the most specific route first.

use crate::template::Route;

/// A template's routes, prepared for matching.
#[derive(Debug)]
pub(crate) struct Routes {
    /// In order of precedence.
    patterns: Vec<Pattern>,
    default: Option<usize>,
}

#[derive(Debug)]
struct Pattern {
    method: Option<String>,
    segments: Vec<Segment>,
    route: usize,
}

/// The variants are in order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Variable(String),
    Greedy(String),
}

impl Segment {
    fn parse(text: &str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            None => Self::Literal(text.to_owned()),
            Some(name) => match name.strip_suffix('+') {
                Some(name) => Self::Greedy(name.to_owned()),
                None => Self::Variable(name.to_owned()),
            },
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Variable(_) => 1,
            Self::Greedy(_) => 2,
        }
    }
}

/// A matching route, as an index into the template's list, and the values of its path variables.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) route: usize,
    pub(crate) parameters: Vec<(String, String)>,
}

impl Routes {
    pub(crate) fn new(routes: &[Route]) -> Self {
        let mut patterns = Vec::new();
        let mut default = None;
        for (index, route) in routes.iter().enumerate() {
            match &route.path {
                None => default = Some(index),
                Some(path) => patterns.push(Pattern {
                    method: route.method.clone(),
                    segments: path[1..].split('/').map(Segment::parse).collect(),
                    route: index,
                }),
            }
        }
        patterns.sort_by_key(|pattern| {
            let ranks: Vec<u8> = pattern.segments.iter().map(Segment::rank).collect();
            // A greedy path comes last; then the first more literal segment decides, then the method.
            (ranks.contains(&2), ranks, pattern.method.is_none())
        });
        Self { patterns, default }
    }

    /// The route for a method and a decoded path; `None` if even `$default` is missing.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<Match> {
        let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let found = self.patterns.iter().find_map(|pattern| {
            if pattern.method.as_deref().is_some_and(|wanted| wanted != method) {
                return None;
            }
            let parameters = pattern.parameters(&segments)?;
            Some(Match {
                route: pattern.route,
                parameters,
            })
        });
        found.or_else(|| {
            self.default.map(|route| Match {
                route,
                parameters: Vec::new(),
            })
        })
    }
}

impl Pattern {
    fn parameters(&self, segments: &[&str]) -> Option<Vec<(String, String)>> {
        let mut parameters = Vec::new();
        let mut rest = segments;
        for segment in &self.segments {
            let (first, others) = rest.split_first()?;
            match segment {
                Segment::Literal(text) if text == first => {}
                Segment::Variable(name) if !first.is_empty() => parameters.push((name.clone(), (*first).to_owned())),
                Segment::Greedy(name) if rest != [""] => {
                    parameters.push((name.clone(), rest.join("/")));
                    return Some(parameters);
                }
                Segment::Literal(_) | Segment::Variable(_) | Segment::Greedy(_) => return None,
            }
            rest = others;
        }
        rest.is_empty().then_some(parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_route_wins() {
        let listed = [
            ("ANY", "/{proxy+}"),
            ("GET", "/users/{id}"),
            ("ANY", "/users/{id}"),
            ("GET", "/users/me"),
            ("ANY", "/users/{id}/pins"),
            ("POST", "/users/{id}/pins"),
            ("GET", "/files/{path+}"),
            ("GET", "/{kind}/me"),
            ("", "$default"),
        ];
        let routes: Vec<Route> = listed
            .iter()
            .map(|(method, path)| Route {
                method: (*method != "ANY" && !method.is_empty()).then(|| (*method).to_owned()),
                path: (*path != "$default").then(|| (*path).to_owned()),
                function: 0,
                authorizer: None,
            })
            .collect();
        let table = Routes::new(&routes);
        for (method, path, key, parameters) in [
            ("GET", "/users/me", "GET /users/me", vec![]),
            ("GET", "/users/7", "GET /users/{id}", vec![("id", "7")]),
            ("PUT", "/users/7", "ANY /users/{id}", vec![("id", "7")]),
            ("PUT", "/users/me", "ANY /users/{id}", vec![("id", "me")]),
            ("POST", "/users/7/pins", "POST /users/{id}/pins", vec![("id", "7")]),
            ("GET", "/users/7/pins", "ANY /users/{id}/pins", vec![("id", "7")]),
            ("GET", "/users/", "ANY /{proxy+}", vec![("proxy", "users/")]),
            ("GET", "/files/a/b", "GET /files/{path+}", vec![("path", "a/b")]),
            ("POST", "/files/a/b", "ANY /{proxy+}", vec![("proxy", "files/a/b")]),
            ("GET", "/teams/me", "GET /{kind}/me", vec![("kind", "teams")]),
            ("GET", "/", "$default", vec![]),
        ] {
            let found = table.find(method, path).expect("there is a default");
            assert_eq!(routes[found.route].key(), key, "{method} {path}");
            let expected: Vec<(String, String)> =
                parameters.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(found.parameters, expected, "{method} {path}");
        }
    }

    #[test]
    fn an_unknown_path_or_method_has_no_route_without_a_default() {
        let routes = [Route {
            method: Some("GET".into()),
            path: Some("/a".into()),
            function: 0,
            authorizer: None,
        }];
        let table = Routes::new(&routes);
        assert!(table.find("GET", "/a").is_some());
        assert!(table.find("POST", "/a").is_none());
        assert!(table.find("GET", "/b").is_none());
    }
}
