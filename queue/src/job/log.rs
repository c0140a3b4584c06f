//! What the handler of an attempt said while it ran: the last lines of it, kept with the attempt.

use super::{JobId, Token, text_enum};
use crate::limits;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

text_enum! {
    /// How much a line matters.
    pub enum Level {
        /// To follow every step.
        Trace = "trace",
        /// For whoever mends the handler.
        Debug = "debug",
        /// What a person wants to know.
        Info = "info",
        /// What may be wrong.
        Warn = "warn",
        /// What is wrong.
        Error = "error",
    }
}

/// A line that a handler said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogLine {
    /// How long after the handler began, in milliseconds by its worker's clock.
    pub after_ms: u64,
    /// How much it matters.
    pub level: Level,
    /// What was said.
    pub text: String,
}

impl LogLine {
    /// A line of this text, cut to its limit.
    pub fn new(after_ms: u64, level: Level, text: &str) -> Self {
        let bytes = text.len();
        if bytes <= limits::LOG_LINE_BYTES_MAX {
            return Self { after_ms, level, text: text.to_owned() };
        }
        let cut = format!(" … (cut: it had {bytes} bytes)");
        let end = text.floor_char_boundary(limits::LOG_LINE_BYTES_MAX - cut.len());
        Self { after_ms, level, text: text[..end].to_owned() + &cut }
    }
}

/// For people: after how many seconds, how much it matters, and what.
impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { after_ms, level, text } = self;
        write!(f, "{:>6}.{:03} s  {:<5}  {text}", after_ms / 1_000, after_ms % 1_000, level.as_str())
    }
}

/// What an attempt said, as its row has it: the last lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// The attempt.
    pub token: Token,
    /// Its job.
    pub job: JobId,
    /// The number of the last line: they are counted from 1 on.
    pub last: u64,
    /// The last lines, oldest first.
    pub lines: Arc<[LogLine]>,
}

impl LogRow {
    /// Nothing was said yet.
    pub fn new(token: Token, job: JobId) -> Self {
        Self { token, job, last: 0, lines: Arc::new([]) }
    }

    /// These lines were said, of which the first has this number. Those that are known are left out, and the oldest ones go
    /// if there are too many. Whether there was anything new.
    pub fn hear(&mut self, first: u64, lines: Vec<LogLine>) -> bool {
        let known = usize::try_from((self.last + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        if known >= lines.len() {
            return false;
        }
        self.last = first + lines.len() as u64 - 1;
        let mut kept: Vec<LogLine> = self.lines.to_vec();
        kept.extend(lines.into_iter().skip(known));
        let mut bytes: usize = kept.iter().map(|line| line.text.len()).sum();
        let mut gone = 0;
        while kept.len() - gone > limits::LOG_LINES_MAX || bytes > limits::LOG_BYTES_MAX {
            bytes -= kept[gone].text.len();
            gone += 1;
        }
        kept.drain(..gone);
        self.lines = kept.into();
        true
    }

    /// How many lines are not kept, because there were too many after them, or because the queue could not be told of them
    /// before there were. Of lines behind the last one that it was told of it knows nothing.
    pub fn dropped(&self) -> u64 {
        self.last.saturating_sub(self.lines.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: impl AsRef<str>) -> LogLine {
        LogLine::new(7, Level::Info, text.as_ref())
    }

    fn said(numbers: std::ops::RangeInclusive<u64>) -> Vec<LogLine> {
        numbers.map(|number| line(number.to_string())).collect()
    }

    fn kept(row: &LogRow) -> Vec<&str> {
        row.lines.iter().map(|line| &*line.text).collect()
    }

    #[test]
    fn what_is_heard_again_is_kept_once_and_in_order() {
        let mut row = LogRow::new(Token(3), JobId(1));
        assert!(row.hear(1, said(1..=2)));
        assert!(!row.hear(1, said(1..=2)));
        assert!(row.hear(2, said(2..=4)));
        assert!(!row.hear(1, said(1..=3)), "a late copy of an earlier one");
        assert_eq!((kept(&row), row.last, row.dropped()), (vec!["1", "2", "3", "4"], 4, 0));
    }

    #[test]
    fn the_last_lines_are_kept_and_the_others_counted() {
        let mut row = LogRow::new(Token(3), JobId(1));
        let most = limits::LOG_LINES_MAX as u64;
        row.hear(1, said(1..=most));
        row.hear(most + 1, said(most + 1..=most + 3));
        assert_eq!((row.lines.len(), row.dropped(), kept(&row)[0]), (limits::LOG_LINES_MAX, 3, "4"));
        // The worker could not say these in time.
        row.hear(most + 10, said(most + 10..=most + 10));
        assert_eq!((row.last, row.dropped(), row.lines.len() as u64), (most + 10, 10, most));
    }

    #[test]
    fn a_line_reads_well() {
        let said = LogLine { after_ms: 61_007, level: Level::Warn, text: "slow".into() };
        assert_eq!(said.to_string(), "    61.007 s  warn   slow");
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_once_and_says_so() {
        let cut = line("ä".repeat(5_000));
        assert!(cut.text.ends_with("ä … (cut: it had 10000 bytes)"), "{}", cut.text);
        assert!(cut.text.len() <= limits::LOG_LINE_BYTES_MAX);
        assert_eq!(line(&cut.text), cut);
        assert_eq!(line("short").text, "short");
    }

    #[test]
    fn long_lines_push_out_more() {
        let mut row = LogRow::new(Token(3), JobId(1));
        let long = "x".repeat(limits::LOG_LINE_BYTES_MAX);
        for number in 1..=40 {
            row.hear(number, vec![line(&long)]);
        }
        assert_eq!(row.lines.len(), limits::LOG_BYTES_MAX / limits::LOG_LINE_BYTES_MAX);
        assert_eq!(row.dropped(), 40 - row.lines.len() as u64);
    }
}
