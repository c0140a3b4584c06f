//! What an executable defines: the simulator replaces the clock and the randomness of libc when it
//! is linked, and production must never link it.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this test reads an executable")]

use object::{Object, ObjectSymbol};
use std::path::Path;

/// Whether the executable at `path` defines `symbol` itself. An import does not count.
///
/// # Panics
/// If it can't be read, or was stripped of its symbols: then nobody could tell.
fn defines(path: &Path, symbol: &str) -> bool {
    let bytes = std::fs::read(path).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    assert!(file.symbols().next().is_some(), "{} has no symbols", path.display());
    // Mach-O puts an underscore before every name of C.
    let names = [symbol.to_owned(), format!("_{symbol}")];
    let mut defined = file.symbols().chain(file.dynamic_symbols()).filter(ObjectSymbol::is_definition);
    defined.any(|it| it.name().is_ok_and(|name| names.iter().any(|wanted| wanted == name)))
}

/// Something that this executable certainly defines.
#[unsafe(no_mangle)]
extern "C" fn outlive_defines_this() -> u32 {
    7
}

#[test]
fn a_program_with_the_queue_brings_no_clock_and_no_randomness_of_its_own() {
    let this = std::env::current_exe().unwrap();
    // The queue is really in it.
    assert_eq!(outlive::job::State::parse("waiting"), Some(outlive::job::State::Waiting));
    drop(outlive::host::Os::new().unwrap());
    for symbol in ["clock_gettime", "gettimeofday", "getrandom", "getentropy", "pthread_create"] {
        assert!(!defines(&this, symbol), "{symbol} is replaced");
    }
}

#[test]
fn what_a_program_defines_is_found() {
    assert_eq!(std::hint::black_box(outlive_defines_this as extern "C" fn() -> u32)(), 7);
    let this = std::env::current_exe().unwrap();
    assert!(defines(&this, "outlive_defines_this"));
    assert!(!defines(&this, "nobody_defines_this"));
}
