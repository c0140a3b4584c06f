//! What the README shows of Rust is what the greeting example is, and that compiles with the tests.
//!
//! Doctests are collected from libraries alone, so the README's own block can't be one.

/// The blocks of `markdown` that are marked as Rust.
fn rust_blocks(markdown: &str) -> Vec<&str> {
    let blocks = markdown.split("\n```rust\n").skip(1);
    blocks.map(|rest| rest.split_once("\n```\n").expect("a block that begins has an end").0).collect()
}

/// Its words, without the module's comment and what is said to clippy: rustfmt may break lines as it likes.
fn words(code: &str) -> Vec<&str> {
    code.lines()
        .filter(|line| !line.starts_with("//!") && !line.starts_with("#!["))
        .flat_map(str::split_whitespace)
        .collect()
}

#[test]
fn the_readme_shows_the_greeting_example_as_it_is() {
    let blocks = rust_blocks(include_str!("../../README.md"));
    assert_eq!(blocks.len(), 1, "the README has one block of Rust: the greeting example");
    assert_eq!(words(blocks[0]), words(include_str!("../examples/greet.rs")), "README.md and examples/greet.rs differ");
}
