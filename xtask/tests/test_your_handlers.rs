//! `docs/TEST_YOUR_HANDLERS.md`, followed word by word: the queue is built once more, without what it has by choice.

#[path = "page/mod.rs"]
#[allow(dead_code, reason = "the other page asks for more")]
mod page;

use page::{Outside, follow};

const PAGE: &str = include_str!("../../docs/TEST_YOUR_HANDLERS.md");

/// Words of which nobody needs the numbers: which seed breaks the promise, and when, is another one with each change of the queue.
fn without_numbers(line: &str) -> String {
    let mut words = String::new();
    for letter in line.trim().chars() {
        let letter = if letter.is_ascii_digit() { '#' } else { letter };
        if letter != '#' || !words.ends_with('#') {
            words.push(letter);
        }
    }
    words
}

/// The page has what was printed, but for numbers. If the queue has changed so much that another seed is the first to break the promise,
/// what it prints now belongs on the page.
fn same(printed: &str, page: &str) {
    let words = |text: &str| text.lines().map(without_numbers).collect::<Vec<_>>();
    assert_eq!(words(printed), words(page), "printed, and on the page; what was printed:\n{printed}");
}

#[test]
fn who_follows_the_page_sees_what_it_says() {
    let outside = Outside::new("handlers", "shop");
    assert_eq!(follow(PAGE, &outside, same), (2, 1), "commands and changes of the page");
}
