//! Until when an attempt of a job may begin is kept in memory alone: the next process lets it wait.

use crate::planted::{Bug, Memory};
use outlive::store::Live;

/// See the module.
pub struct DeadlineForgotten;

impl Bug for DeadlineForgotten {
    fn name(&self) -> &'static str {
        "deadline-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "I3"
    }

    fn about(&self) -> &'static str {
        "until when an attempt of a job may begin is kept in memory alone: the next process lets it wait"
    }

    fn live(&self, _: &Memory, mut page: Vec<Live>) -> Vec<Live> {
        page.iter_mut().for_each(|live| live.deadline = None);
        page
    }
}
