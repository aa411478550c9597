//! Black-box tests: every request goes over HTTP to the real binaries.
