//! Answers are remembered in memory alone: the next process repeats what was done.

use crate::planted::{Bug, Memory};
use outlive::job::RequestId;
use outlive::store::{Change, RequestRow};

/// See the module.
pub struct RequestForgotten;

impl Bug for RequestForgotten {
    fn name(&self) -> &'static str {
        "request-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "answers are remembered in memory alone: the next process repeats what was done"
    }

    fn changes(&self, memory: &Memory, changes: Vec<Change>) -> Vec<Change> {
        let (requests, others) = changes.into_iter().partition(|change| matches!(change, Change::InsertRequest(_)));
        memory.held_back.lock().unwrap().extend::<Vec<Change>>(requests);
        others
    }

    fn request(&self, memory: &Memory, id: RequestId, _: Option<RequestRow>) -> Option<RequestRow> {
        memory.held_back.lock().unwrap().iter().find_map(|change| match change {
            Change::InsertRequest(row) if row.id == id => Some(row.clone()),
            _ => None,
        })
    }
}
