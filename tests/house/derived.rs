//! Derived files are up to date: nothing in them is written by hand.

#[test]
fn derived_files_are_up_to_date() {
    if let Err(words) = countersign_xtask::check() {
        panic!("\n\n{words}\n");
    }
}
