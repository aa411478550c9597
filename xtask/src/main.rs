//! `cargo xtask generate`: writes all derived files. `--check` changes nothing: it prints the differences, and fails if
//! there are any.

use std::process::ExitCode;

use countersign_xtask::{check, write};

const USAGE: &str = "usage: cargo xtask generate [--check]";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["generate"] => write().map(|written| written.iter().for_each(|path| println!("wrote {path}"))),
        ["generate", "--check"] => check(),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            eprintln!("{words}");
            ExitCode::FAILURE
        }
    }
}
