//! The repository's own rules: invariants that no type can express. They read files; they build and start nothing. Each
//! rule collects all violations, and every message says what to do.

mod house {
    mod derived;
    mod docs;
    mod events;
    mod expressions;
    mod habits;
    mod layers;
    mod payloads;
    mod resources;
    mod rights;
    mod routing;
    mod schemas;
    mod settings;
    mod watch;
    mod workspace;
}
