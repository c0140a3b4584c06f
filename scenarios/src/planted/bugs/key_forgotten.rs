//! Idempotency keys are kept in memory alone: the next process knows none.

use crate::planted::{Bug, Memory};
use outlive::job::KeyRow;
use outlive::store::Change;

/// See the module.
pub struct KeyForgotten;

impl Bug for KeyForgotten {
    fn name(&self) -> &'static str {
        "key-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "idempotency keys are kept in memory alone: the next process knows none"
    }

    fn changes(&self, memory: &Memory, changes: Vec<Change>) -> Vec<Change> {
        let (keys, others) = changes.into_iter().partition(|change| matches!(change, Change::InsertKey(_)));
        memory.held_back.lock().unwrap().extend::<Vec<Change>>(keys);
        others
    }

    fn key(&self, memory: &Memory, kind: &str, key: &str, _: Option<KeyRow>) -> Option<KeyRow> {
        memory.held_back.lock().unwrap().iter().find_map(|change| match change {
            Change::InsertKey(row) if &*row.kind == kind && &*row.key == key => Some(row.clone()),
            _ => None,
        })
    }
}
