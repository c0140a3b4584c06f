//! A key that stands while its job is pending stands for ever.

use crate::planted::{Bug, Memory};
use outlive::job::{KeyRow, KeyScope};

/// See the module.
pub struct KeyStandsTooLong;

impl Bug for KeyStandsTooLong {
    fn name(&self) -> &'static str {
        "key-stands-too-long"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "a key that stands while its job is pending stands for ever"
    }

    fn key(&self, _: &Memory, _kind: &str, _key: &str, row: Option<KeyRow>) -> Option<KeyRow> {
        row.map(|row| match row.scope {
            KeyScope::WhilePending => KeyRow { scope: KeyScope::Forever, ..row },
            _ => row,
        })
    }
}
