//! Whether two runs of one seed were the same, and if not, where they parted.

use std::fmt;

/// Lines shown before the first difference.
const CONTEXT_LINES: usize = 6;

/// Where two recorded traces part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The first line that differs, from 0.
    pub line: usize,
    /// The lines that both runs share, just before it.
    pub context: Vec<String>,
    /// That line of the first run; `None` if it had ended.
    pub first: Option<String>,
    /// That line of the second run; `None` if it had ended.
    pub second: Option<String>,
}

/// Compares two recorded traces line by line; `None` if they are the same.
///
/// Lines can come from [`Outcome::trace`](crate::Outcome::trace), or from files that runs in two
/// processes recorded.
pub fn first_difference<S: AsRef<str>>(first: &[S], second: &[S]) -> Option<Difference> {
    let same = first.iter().zip(second).take_while(|(first, second)| first.as_ref() == second.as_ref()).count();
    if same == first.len() && same == second.len() {
        return None;
    }
    let owned = |line: &S| line.as_ref().to_owned();
    Some(Difference {
        line: same,
        context: first[same.saturating_sub(CONTEXT_LINES)..same].iter().map(owned).collect(),
        first: first.get(same).map(owned),
        second: second.get(same).map(owned),
    })
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the two runs part at event {}:", self.line + 1)?;
        for line in &self.context {
            writeln!(f, "    {line}")?;
        }
        let ended = "(the run had ended)";
        writeln!(f, "  1 {}", self.first.as_deref().unwrap_or(ended))?;
        write!(f, "  2 {}", self.second.as_deref().unwrap_or(ended))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_traces_have_no_difference() {
        assert_eq!(first_difference(&["a", "b"], &["a", "b"]), None);
    }

    #[test]
    fn the_first_differing_event_is_shown_after_its_context() {
        let difference = first_difference(&["a", "b", "c"], &["a", "x", "c"]).unwrap();
        assert_eq!(difference.line, 1);
        assert_eq!(difference.to_string(), "the two runs part at event 2:\n    a\n  1 b\n  2 x");
    }

    #[test]
    fn a_run_that_ended_early_differs() {
        let difference = first_difference(&["a"], &["a", "b"]).unwrap();
        assert_eq!((difference.first, difference.second), (None, Some("b".into())));
    }
}
