//! What is said in a transaction runs again now and then, as if its copy were something new.

use crate::planted::{Bug, Memory};
use outlive::protocol::Said;

/// See the module.
pub struct PlaceRunTwice;

impl Bug for PlaceRunTwice {
    fn name(&self) -> &'static str {
        "place-run-twice"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "every eleventh statement of a transaction runs twice, as if its copy were something new"
    }

    fn runs_twice(&self, memory: &Memory, said: &Said) -> bool {
        matches!(said, Said::Statement(_)) && memory.next().is_multiple_of(11)
    }
}
