//! `docs/SIMULATE_YOUR_OWN.md`, followed word by word. It takes about a minute of one core from nothing: the crate's own
//! dependencies are few.

#[path = "page/mod.rs"]
mod page;

use page::{Outside, blocks, follow, text};

const PAGE: &str = include_str!("../../docs/SIMULATE_YOUR_OWN.md");

#[test]
fn who_follows_the_page_sees_what_it_says() {
    let outside = Outside::new("page", "ledger");
    let done = follow(PAGE, &outside, |printed, page| assert_eq!(printed, page, "what is printed"));
    assert_eq!(done, (4, 1), "commands and changes of the page");
}

#[test]
fn a_build_without_the_flag_ends_with_one_error_that_says_what_to_do() {
    let outside = Outside::new("flag", "ledger");
    let configured = blocks(PAGE).into_iter().filter_map(|block| Some((block.path?, block.text)));
    for (path, content) in configured.filter(|(path, _)| !path.starts_with(".cargo/")) {
        outside.write(&path, &content);
    }
    let check = outside.cargo(&["check", "--example", "hello"]);
    assert!(!check.status.success(), "it is built without its runtime");
    let said = text(&check.stderr);
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error")).collect();
    let expected = "error: outlive-sim needs `--cfg madsim`, and this build is without it.";
    assert!(errors.len() == 2 && errors[0] == expected, "one error, and cargo's own that it ends here:\n{said}");
    for part in [".cargo/config.toml", "rustflags = [\"--cfg\", \"madsim\"]", "RUSTFLAGS", "even an empty one"] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    assert!(PAGE.contains("\"outlive-sim needs `--cfg madsim`\""), "the page quotes it");
    // What only reads manifests works.
    let metadata = outside.cargo(&["metadata", "--format-version", "1", "--quiet"]);
    assert!(metadata.status.success(), "{}", text(&metadata.stderr));
}

#[test]
fn the_first_program_of_the_page_is_the_example_of_the_repository() {
    let hello = blocks(PAGE).into_iter().find(|block| block.path.as_deref() == Some("examples/hello.rs")).unwrap();
    let example = include_str!("../../sim/examples/hello.rs");
    assert_eq!(hello.text, example, "docs/SIMULATE_YOUR_OWN.md and sim/examples/hello.rs differ");
    assert!(example.lines().count() <= 60, "an example to begin with is short");
}
