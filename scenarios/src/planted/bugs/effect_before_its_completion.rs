//! What a transaction does to the caller's tables is committed first, and its completion and jobs after that.

use crate::planted::Bug;

/// See the module.
pub struct EffectBeforeItsCompletion;

impl Bug for EffectBeforeItsCompletion {
    fn name(&self) -> &'static str {
        "effect-before-its-completion"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "what a transaction does to the caller's tables is committed first, and its completion after that"
    }

    fn commits_apart(&self) -> bool {
        true
    }
}
