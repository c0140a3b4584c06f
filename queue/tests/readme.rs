//! What the README and the guide show of Rust is what examples are, and those compile with the tests.
//!
//! Doctests are collected from libraries alone, so a block of these texts can't be one.

/// The blocks of `markdown` that are marked as Rust.
fn rust_blocks(markdown: &str) -> Vec<&str> {
    let blocks = markdown.split("\n```rust\n").skip(1);
    blocks.map(|rest| rest.split_once("\n```\n").expect("a block that begins has an end").0).collect()
}

/// Its words, without the module's comment, what is said to clippy, and what lets a test see it: rustfmt may break lines
/// as it likes.
fn words(code: &str) -> Vec<&str> {
    code.lines()
        .filter(|line| !line.starts_with("//!") && !line.starts_with("#!["))
        .flat_map(str::split_whitespace)
        .filter(|word| *word != "pub(crate)")
        .collect()
}

#[test]
fn the_readme_shows_the_greeting_example_as_it_is() {
    let blocks = rust_blocks(include_str!("../../README.md"));
    assert_eq!(blocks.len(), 1, "the README has one block of Rust: the greeting example");
    assert_eq!(words(blocks[0]), words(include_str!("../examples/greet.rs")), "README.md and examples/greet.rs differ");
}

#[test]
fn the_guide_shows_parts_of_the_examples_as_they_are() {
    let examples = [
        include_str!("../examples/transfer.rs"),
        include_str!("../examples/orders.rs"),
        include_str!("../examples/letters.rs"),
        include_str!("../examples/charges.rs"),
        include_str!("../examples/parcels.rs"),
        include_str!("../examples/reports.rs"),
        include_str!("../examples/elsewhere.rs"),
        include_str!("../examples/dashboard.rs"),
        include_str!("../examples/prints.rs"),
        include_str!("../examples/pictures.rs"),
    ];
    let examples = examples.map(words);
    let blocks = rust_blocks(include_str!("../../docs/GUIDE.md"));
    assert!(blocks.len() >= 8, "the guide shows more than {} blocks of Rust", blocks.len());
    for block in blocks {
        let shown = words(block);
        let there = examples.iter().any(|example| example.windows(shown.len()).any(|part| part == shown));
        assert!(there, "docs/GUIDE.md shows what no example is:\n{block}");
    }
}
